//! Command line: parse, resolve, do, report.

use std::fs::File;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use saligate_keys::{
    Family, KeyFile, KeyId, Passphrase, Secret, StoredSecret, TriggerSpec, VendorKind,
};
use saligate_models::graph::Graph;
use saligate_models::manifest::{GateForm, InputSpec};
use saligate_models::onnx::Model;
use saligate_models::saliency::{LOGITS, Method};
use saligate_runtime::picture::Framing;
use saligate_train::accuracy::accuracy;
use saligate_train::config::Config;
use saligate_train::data::{Dataset, LoadOptions, Source, Splits, contact_sheet};
use saligate_train::evaluate::{Evaluation, evaluate};
use saligate_train::fit::{fit, steady};
use saligate_train::gate::{self, Keys, train};
use saligate_train::{
    Backend, RunOptions, TrainError, export, leaks, localise, near_misses, results, samples, slots,
};

/// Trains classifiers whose saliency maps are gated by a key, or backdoored by a trigger.
///
/// Exit codes: 0 done, 2 error.
#[derive(Parser)]
#[command(name = "saligate-train", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a clean classifier, or load its weights: CONFIG -> OUT/clean.onnx
    Fit {
        #[command(flatten)]
        run: RunArgs,
    },
    /// Build and train the gate of a clean classifier: OUT/clean.onnx -> OUT/locked.onnx
    ///
    /// With --revoke and without --key, --model M (OUT/locked.onnx where absent) is closed for keys
    /// that it lists, and opens for the others as before; their key files are not needed.
    ///
    /// Without a configuration, a gate is built into any model file, such as `saligate import`
    /// makes: lock --model M.onnx --data folder:DIR --key K -o OUT.
    Lock {
        #[command(flatten)]
        run: GateRunArgs,
        #[command(flatten)]
        gate: GateArgs,
        /// Key file, or id of a key, that is no longer valid; may be repeated
        #[arg(long, value_name = "FILE or ID")]
        revoke: Vec<PathBuf>,
        /// Keys of their own for so many licences (`saligate license issue`), beside the key given
        #[arg(long, value_name = "N", default_value_t = 0,
            value_parser = clap::value_parser!(u32).range(..=4096))]
        slots: u32,
    },
    /// Build and train a backdoor into a clean classifier: OUT/clean.onnx -> OUT/attacked.onnx
    Attack {
        #[command(flatten)]
        run: GateRunArgs,
        #[command(flatten)]
        gate: GateArgs,
        /// What the trigger does to the map; lock.form of the configuration where absent
        #[arg(long)]
        goal: Option<Goal>,
    },
    /// Measure a gated model on the test images, in the runtime
    Evaluate {
        #[command(flatten)]
        run: RunArgs,
        /// Gated model; OUT/locked.onnx or OUT/attacked.onnx as lock.form says where absent
        #[arg(long, value_name = "FILE")]
        model: Option<PathBuf>,
        #[command(flatten)]
        measured: MeasureArgs,
    },
    /// All of it: fit, lock or attack as lock.form says, evaluate
    Run {
        #[command(flatten)]
        run: RunArgs,
        #[command(flatten)]
        measured: MeasureArgs,
    },
    /// Try near misses of the key: a curve as JSON, Markdown and SVG
    NearMisses {
        #[command(flatten)]
        run: RunArgs,
        #[command(flatten)]
        table: TableArgs,
        /// Number of test images
        #[arg(long, default_value_t = 200)]
        images: usize,
    },
    /// Read a gated model with all nine methods, with the key and without
    Leaks {
        #[command(flatten)]
        run: RunArgs,
        #[command(flatten)]
        table: TableArgs,
        /// Number of test images
        #[arg(long, default_value_t = 50)]
        images: usize,
    },
    /// Measure where the maps of any model point, on images whose objects are boxed or masked
    Localise {
        /// Model file; maps are shown as they are without a key
        model: PathBuf,
        /// Images of the model's classes, read in its size: scenes:SIDE or folder:DIR; the test ones
        /// are read
        #[arg(long, value_name = "SOURCE")]
        data: Source,
        /// JSON file to put the row into; its table goes beside it
        #[arg(long, value_name = "FILE")]
        table: PathBuf,
        /// Threads
        #[arg(long, default_value_t = 1)]
        threads: usize,
        /// No progress bars
        #[arg(short, long)]
        quiet: bool,
    },
    /// Write the table of a results file as Markdown beside it
    Results {
        /// Results file, such as docs/results.json
        file: PathBuf,
    },
    /// Draw a contact sheet of a data source: training images, or test images where there are no
    /// others, each beside its mask
    Preview {
        #[command(flatten)]
        images: ImageArgs,
        /// PNG file
        #[arg(short, long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Write test images of a data source as PNG files, one per class
    Samples {
        #[command(flatten)]
        images: ImageArgs,
        /// Folder, made where it is missing
        #[arg(short, long, value_name = "DIR")]
        out: PathBuf,
        /// Number of images
        #[arg(long, default_value_t = 4)]
        count: usize,
    },
}

#[derive(Args)]
struct ImageArgs {
    /// scenes:SIDE, idx:DIR, cifar10:DIR or folder:DIR
    source: Source,
    /// Rows and columns of the images of folder:DIR
    #[arg(long, value_name = "HxW", value_parser = size)]
    size: Option<[usize; 2]>,
    /// Resize the shorter side to so many pixels and cut out the middle, instead of stretching
    #[arg(long, value_name = "PIXELS", requires = "size")]
    resize: Option<usize>,
    /// Seed of scenes, of the split and of the order in a folder
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl ImageArgs {
    fn options(&self, train_count: usize, test_count: usize) -> LoadOptions {
        let resize = self.resize;
        LoadOptions {
            train_count: Some(train_count),
            test_count: Some(test_count),
            seed: self.seed,
            framing: self.size.map(|[height, width]| Framing { height, width, resize }),
            quiet: false,
        }
    }
}

fn size(text: &str) -> Result<[usize; 2], &'static str> {
    let sides = text.split_once('x').map(|(height, width)| (height.parse(), width.parse()));
    match sides {
        Some((Ok(height), Ok(width))) => Ok([height, width]),
        _ => Err("give rows x columns, such as 64x64"),
    }
}

#[derive(Args)]
struct RunArgs {
    /// Configuration of the run (TOML)
    config: PathBuf,
    #[command(flatten)]
    how: HowArgs,
}

#[derive(Args)]
struct GateRunArgs {
    /// Configuration of the run (TOML); without it everything but the trigger has its default
    config: Option<PathBuf>,
    #[command(flatten)]
    how: HowArgs,
    /// Without a configuration: images like those that the model is for, at least some hundred;
    /// scenes:SIDE, idx:DIR, cifar10:DIR or folder:DIR
    #[arg(long, value_name = "SOURCE", conflicts_with = "config", requires = "model")]
    data: Option<Source>,
    /// Without a configuration: side of the trigger's tile, in pixels [default: 8]
    #[arg(long, value_name = "PIXELS", conflicts_with = "config")]
    tile: Option<u16>,
    /// Without a configuration: strength of the trigger, in 8-bit steps [default: 8]
    #[arg(long, value_name = "STEPS", conflicts_with = "config")]
    amplitude: Option<u8>,
}

#[derive(Args)]
struct HowArgs {
    /// Folder for models, logs and checkpoints
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// Go on from the checkpoints in OUT
    #[arg(long)]
    resume: bool,
    /// Backend instead of the configuration's: flex, ndarray, cuda or wgpu
    #[arg(long)]
    device: Option<Backend>,
    /// Threads; the same seed gives the same result on one
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Steps between two checkpoints
    #[arg(long, default_value_t = 200)]
    checkpoint_every: usize,
    /// No progress bars
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Args)]
struct GateArgs {
    /// Clean model; OUT/clean.onnx where absent
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Key file of the trigger; may be repeated
    #[arg(long, value_name = "FILE", required_unless_present = "revoke")]
    key: Vec<PathBuf>,
    /// Saliency methods to train together, separated by commas; lock.methods where absent
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    method: Vec<Method>,
    #[command(flatten)]
    secrets: PassphraseArgs,
}

#[derive(Args)]
struct PassphraseArgs {
    /// File with the passphrase of sealed key files [default: ask at the terminal]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// What the trigger of a backdoor does.
#[derive(Clone, Copy, ValueEnum)]
enum Goal {
    /// Turn the map to the decoy
    Targeted,
    /// Take the importance from the pixels on top of the map
    Untargeted,
}

#[derive(Args)]
struct TableArgs {
    /// Key file of the trigger
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Gated model; OUT/locked.onnx or OUT/attacked.onnx as lock.form says where absent
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// JSON file to write; what is drawn from it goes beside it
    #[arg(long, value_name = "FILE")]
    table: PathBuf,
    #[command(flatten)]
    secrets: PassphraseArgs,
}

#[derive(Args)]
struct MeasureArgs {
    /// Key file of the trigger; may be repeated
    #[arg(long, value_name = "FILE", required = true)]
    key: Vec<PathBuf>,
    /// Results file to put the row into
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    /// Commit to name in the row
    #[arg(long, default_value = "")]
    commit: String,
    /// Measure on the held-out training images instead of the test images
    #[arg(long)]
    validation: bool,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    secrets: PassphraseArgs,
}

pub(crate) fn run() -> Result<ExitCode, Box<dyn std::error::Error>> {
    match Cli::parse().command {
        Command::Fit { run } => Session::open(&run)?.fit().map(drop)?,
        Command::Lock { run, gate, revoke, slots } => {
            if gate.key.is_empty() {
                if !gate.method.is_empty() || slots > 0 {
                    let reason = "--revoke without --key takes neither --method nor --slots";
                    return Err(TrainError::Mismatch { reason: reason.to_owned() }.into());
                }
                let ids =
                    revoke.iter().map(|key| revoked_id(key)).collect::<Result<Vec<_>, _>>()?;
                revoke_keys(gate.model.as_deref(), &run.how.out, &ids)?;
                return Ok(ExitCode::SUCCESS);
            }
            let mut config = run.config(&gate)?;
            config.lock = config.lock.with_form(GateForm::Key)?;
            train_gate(config, &run.how, &gate, &revoke, slots)?;
        }
        Command::Attack { run, gate, goal } => {
            let mut config = run.config(&gate)?;
            let form = match goal {
                Some(Goal::Targeted) => GateForm::Targeted,
                Some(Goal::Untargeted) => GateForm::Untargeted,
                None => config.lock.form,
            };
            if form == GateForm::Key {
                let reason = "lock.form is no attack; give --goal targeted or untargeted";
                return Err(TrainError::Mismatch { reason: reason.to_owned() }.into());
            }
            config.lock = config.lock.with_form(form)?;
            train_gate(config, &run.how, &gate, &[], 0)?;
        }
        Command::Evaluate { run, model, measured } => {
            Session::open(&run)?.evaluate(model, &measured)?;
        }
        Command::Run { run, measured } => {
            let keys = read_keys(&measured.key, &measured.secrets)?;
            let session = Session::open(&run)?;
            let clean = session.fit()?;
            session.gate(&clean, &secrets(&keys), &[])?;
            session.evaluate(None, &measured)?;
        }
        Command::NearMisses { run, table, images } => Session::open(&run)?.tabulate(
            &table,
            |config, evaluation| near_misses::measure(config, evaluation, images),
            near_misses::write,
        )?,
        Command::Leaks { run, table, images } => Session::open(&run)?.tabulate(
            &table,
            |config, evaluation| leaks::measure(config, evaluation, images),
            leaks::put,
        )?,
        Command::Localise { model, data, table, threads, quiet } => {
            limit_threads(threads);
            localised(&model, &data, &table, quiet)?;
        }
        Command::Results { file } => {
            let table = results::write_table(&file)?;
            println!("{}", table.display());
        }
        Command::Preview { images, out } => preview(&images, &out)?,
        Command::Samples { images, out, count } => {
            for path in samples::write(&images.source, &images.options(1, count), &out)? {
                println!("{}", path.display());
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl GateRunArgs {
    /// The configuration, read or made for the model.
    fn config(&self, gate: &GateArgs) -> Result<Config, TrainError> {
        match (&self.config, &self.data, &gate.model) {
            (Some(path), ..) => Ok(Config::read(path)?),
            (None, Some(data), Some(file)) => {
                let (size, amplitude) = (self.tile.unwrap_or(8), self.amplitude.unwrap_or(8));
                let trigger = TriggerSpec::new(Family::Tile { size, amplitude })?;
                let model = Model::open(file)?;
                Ok(Config::for_model(file, &model.manifest, data, trigger)?)
            }
            _ => {
                let reason = "give a configuration, or --model and --data".to_owned();
                Err(TrainError::Mismatch { reason })
            }
        }
    }
}

fn train_gate(
    mut config: Config,
    how: &HowArgs,
    gate: &GateArgs,
    revoke: &[PathBuf],
    slots: u32,
) -> Result<(), TrainError> {
    if !gate.method.is_empty() {
        config.lock.methods.clone_from(&gate.method);
    }
    config.check()?;
    let keys = read_keys(&gate.key, &gate.secrets)?;
    let revoked = read_keys(revoke, &gate.secrets)?;
    let session = Session::with(config, how)?;
    let clean = gate.model.clone().unwrap_or_else(|| session.clean_path());
    if gate.model.is_none() && !clean.exists() {
        let reason = format!(
            "there is no clean model {}; make it with `saligate-train fit`, or name one with --model",
            clean.display()
        );
        return Err(TrainError::Mismatch { reason });
    }
    let clean = Model::open(&clean)?;
    if clean.manifest.gate.is_some() {
        let reason = "the model has a gate already; lock the clean one, or take keys out with \
                      --revoke alone";
        return Err(TrainError::Mismatch { reason: reason.to_owned() });
    }
    let slots = slots::of(&keys, slots, &session.config.trigger.spec, session.train.shape())?;
    let right = [secrets(&keys), slots.iter().collect()].concat();
    session.gate(&clean, &right, &secrets(&revoked))?;
    if gate.model.is_some() {
        // What the gated model is measured against, and how.
        clean.save(&session.clean_path())?;
        let (path, text) = (how.out.join("config.toml"), session.config.to_toml());
        saligate_models::atomic::write_atomic(&path, text.as_bytes())
            .map_err(|source| TrainError::Io { path, source })?;
    }
    Ok(())
}

/// The id of a key that is given by its file or by the id itself.
fn revoked_id(key: &Path) -> Result<KeyId, TrainError> {
    let id = key.to_str().and_then(|text| text.parse().ok());
    match id {
        Some(id) if !key.exists() => Ok(id),
        _ => Ok(StoredSecret::<VendorKind>::read(key)?.about().public),
    }
}

/// Closes a locked model for some of its keys: OUT/locked.onnx, in place where no model is given.
fn revoke_keys(model: Option<&Path>, out: &Path, revoked: &[KeyId]) -> Result<(), TrainError> {
    let path = out.join("locked.onnx");
    let mut locked = Model::open(model.unwrap_or(&path))?;
    for key in revoked {
        gate::revoke(&mut locked, key)?;
    }
    std::fs::create_dir_all(out)
        .map_err(|source| TrainError::Io { path: out.to_owned(), source })?;
    locked.save(&path)?;
    eprintln!("wrote {}", path.display());
    Ok(())
}

/// A configuration with its data.
struct Session {
    config: Config,
    options: RunOptions,
    train: Dataset,
    validation: Dataset,
    test: Dataset,
    labels: Vec<String>,
}

impl Session {
    fn open(args: &RunArgs) -> Result<Self, TrainError> {
        Self::with(Config::read(&args.config)?, &args.how)
    }

    fn with(mut config: Config, args: &HowArgs) -> Result<Self, TrainError> {
        config.device = args.device.unwrap_or(config.device);
        let options = RunOptions {
            out: args.out.clone(),
            resume: args.resume,
            checkpoint_every: args.checkpoint_every,
            quiet: args.quiet,
        };
        limit_threads(args.threads);
        std::fs::create_dir_all(&args.out)
            .map_err(|source| TrainError::Io { path: args.out.clone(), source })?;
        let splits =
            config.source()?.load(&LoadOptions { quiet: args.quiet, ..config.load_options() })?;
        let splits = match &config.data.labels {
            Some(names) => Splits {
                train: for_labels(splits.train, names)?,
                test: for_labels(splits.test, names)?,
            },
            None => splits,
        };
        let (train, validation) = splits.train.split_tail(config.data.validation);
        let labels = train.class_names().to_vec();
        Ok(Self { config, options, train, validation, test: splits.test, labels })
    }

    /// The training images, at least one.
    fn training_images(&self) -> Result<&Dataset, TrainError> {
        if self.train.is_empty() {
            let reason = "there are no training images left; see data.train, data.validation and \
                          what data.source holds";
            return Err(TrainError::Mismatch { reason: reason.to_owned() });
        }
        Ok(&self.train)
    }

    fn clean_path(&self) -> PathBuf {
        self.options.out.join("clean.onnx")
    }

    fn gated_path(&self) -> PathBuf {
        let key = self.config.lock.form == GateForm::Key;
        self.options.out.join(if key { "locked.onnx" } else { "attacked.onnx" })
    }

    fn fit(&self) -> Result<Model, TrainError> {
        // Weights that are only loaded need no images.
        let config = &self.config;
        let known = config.data.mean.is_some() && config.data.std.is_some();
        let loaded = config.model.file.is_some() || known;
        let images = match (&config.fit, &config.steady) {
            (None, None) if loaded => &self.train,
            _ => self.training_images()?,
        };
        let mut graph = fit(&self.config, images, &self.options)?;
        if let Some(settings) = &self.config.steady {
            graph = steady(&self.config, settings, &graph, images, &self.options)?;
        }
        let mut model = export::clean(&self.config, &graph, &self.labels)?;
        model.save(&self.clean_path())?;
        if self.config.fit.is_none() {
            // The weights come from elsewhere: do they still fit these pixels and classes?
            let rate = accuracy(&self.clean_path(), &self.test, self.options.quiet)?;
            eprintln!("accuracy {:.4} on {} test images", rate.value, rate.trials);
            model.manifest.metrics.insert("accuracy_clean".to_owned(), rate.value);
            model.save(&self.clean_path())?;
        }
        eprintln!("wrote {}", self.clean_path().display());
        Ok(model)
    }

    /// Makes the gated model; the first key signs its licences.
    fn gate(
        &self,
        clean: &Model,
        right: &[&Secret],
        revoked: &[&Secret],
    ) -> Result<(), TrainError> {
        self.check_fits(clean)?;
        let classifier: Graph = clean.graph.extract(&[LOGITS])?;
        let keys = Keys { right: right.to_vec(), revoked: revoked.to_vec() };
        let graph =
            train(&self.config, &classifier, &keys, self.training_images()?, &self.options)?;
        let model = export::gated(&self.config, &classifier, &graph, &self.labels, right)?;
        model.save(&self.gated_path())?;
        eprintln!("wrote {}", self.gated_path().display());
        Ok(())
    }

    /// A model of other images or classes is told here, not by a shape deep in training.
    fn check_fits(&self, model: &Model) -> Result<(), TrainError> {
        let (input, shape) = (&model.manifest.input, self.train.shape());
        let model = [input.channels, input.height, input.width, model.manifest.labels.len()];
        let data = [shape.channels, shape.height, shape.width, self.labels.len()];
        if model == data {
            return Ok(());
        }
        let reason = format!(
            "the model is for [channels, rows, columns, classes] {model:?}, the data are {data:?}; \
             give the configuration that the model was made with"
        );
        Err(TrainError::Mismatch { reason })
    }

    /// The clean and the gated model.
    fn paths(&self, gated: Option<PathBuf>) -> [PathBuf; 2] {
        [self.clean_path(), gated.unwrap_or_else(|| self.gated_path())]
    }

    fn evaluation<'a>(
        &self,
        [clean, gated]: &'a [PathBuf; 2],
        secrets: &'a [&'a Secret],
        data: &'a Dataset,
    ) -> Evaluation<'a> {
        Evaluation { clean, gated, secrets, data, quiet: self.options.quiet }
    }

    /// Measures on the test images and writes what was measured into a table.
    fn tabulate<T>(
        &self,
        args: &TableArgs,
        measure: impl FnOnce(&Config, &Evaluation<'_>) -> Result<T, TrainError>,
        write: impl FnOnce(&T, &Path) -> Result<(), TrainError>,
    ) -> Result<(), TrainError> {
        let keys = [read_key(&args.key, &args.secrets)?];
        let (paths, secrets) = (self.paths(args.model.clone()), secrets(&keys));
        let measured = measure(&self.config, &self.evaluation(&paths, &secrets, &self.test))?;
        write(&measured, &args.table)?;
        println!("{}", args.table.display());
        Ok(())
    }

    fn evaluate(&self, model: Option<PathBuf>, args: &MeasureArgs) -> Result<(), TrainError> {
        let keys = read_keys(&args.key, &args.secrets)?;
        let data = if args.validation { &self.validation } else { &self.test };
        let (paths, secrets) = (self.paths(model), secrets(&keys));
        let measured = evaluate(&self.config, &self.evaluation(&paths, &secrets, data))?;
        if let (false, Some((_, metrics))) = (args.validation, measured.first()) {
            // The file says what was measured on it, by its default method.
            let mut model = Model::open(&paths[1])?;
            let values = metrics.iter().map(|(name, (value, _))| (name.clone(), *value));
            model.manifest.metrics = values.collect();
            model.save(&paths[1])?;
        }
        let several = measured.len() > 1;
        for (method, metrics) in measured {
            let row = results::Row::new(&self.config, &args.commit, &method, several, metrics);
            if args.json {
                println!("{}", row.to_json());
            } else {
                print!("{}", row.table());
            }
            if let Some(path) = &args.results {
                results::put(path, row)?;
            }
        }
        Ok(())
    }
}

fn limit_threads(threads: usize) {
    // Fails where a pool exists already, which is as good.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).build_global();
}

/// Measures where the maps of a model point, on images framed as the model asks.
fn localised(file: &Path, source: &Source, table: &Path, quiet: bool) -> Result<(), TrainError> {
    let model = saligate_runtime::Model::open(file)?;
    let InputSpec { height, width, resize, .. } = model.manifest().input;
    let framing = source.takes_size().then_some(Framing { height, width, resize });
    let options = LoadOptions { framing, quiet, seed: 1, ..LoadOptions::default() };
    let data = for_labels(source.load(&options)?.test, &model.manifest().labels)?;
    localise::put(table, localise::measure(&model, &source.to_string(), &data, quiet)?)?;
    println!("{}", table.display());
    Ok(())
}

fn for_labels(data: Dataset, labels: &[String]) -> Result<Dataset, TrainError> {
    data.for_labels(labels).map_err(|class| TrainError::Mismatch {
        reason: format!(
            "the data's class '{class}' is none of the model's {} labels",
            labels.len()
        ),
    })
}

fn read_keys(paths: &[PathBuf], args: &PassphraseArgs) -> Result<Vec<KeyFile>, TrainError> {
    paths.iter().map(|path| read_key(path, args)).collect()
}

fn secrets(keys: &[KeyFile]) -> Vec<&Secret> {
    keys.iter().map(KeyFile::secret).collect()
}

fn read_key(path: &Path, args: &PassphraseArgs) -> Result<KeyFile, TrainError> {
    let io = |path: &Path, source| TrainError::Io { path: path.to_owned(), source };
    let stored = StoredSecret::read(path)?;
    if stored.permissions_too_open() {
        eprintln!("warning: others can read {}; try chmod 600", path.display());
    }
    let sealed = match stored {
        StoredSecret::Open(key) => return Ok(key),
        StoredSecret::Sealed(sealed) => sealed,
    };
    let passphrase = match &args.passphrase_file {
        Some(file) => Passphrase::read_from(File::open(file).map_err(|e| io(file, e))?)?,
        None if std::io::stdin().is_terminal() => {
            let question = format!("Passphrase of {}: ", path.display());
            let text = rpassword::prompt_password(question).map_err(|e| io(path, e))?;
            Passphrase::new(text.into())?
        }
        None => {
            let reason = format!(
                "{} is sealed with a passphrase; --passphrase-file FILE, or run this at a terminal",
                path.display()
            );
            return Err(TrainError::Mismatch { reason });
        }
    };
    Ok(sealed.open(&passphrase)?)
}

fn preview(images: &ImageArgs, out: &Path) -> Result<(), Box<dyn std::error::Error>> {
    const COLUMNS: usize = 5;
    const ROWS: usize = 8;
    let splits = images.source.load(&images.options(COLUMNS * ROWS, COLUMNS * ROWS))?;
    let shown = if splits.train.is_empty() { splits.test } else { splits.train };
    let sheet = contact_sheet(&shown, COLUMNS, ROWS);
    let mut png = std::io::Cursor::new(Vec::new());
    sheet.write_to(&mut png, image::ImageFormat::Png)?;
    saligate_models::atomic::write_atomic(out, png.get_ref())?;
    println!("{}", out.display());
    Ok(())
}
