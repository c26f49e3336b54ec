//! The command line.

use std::num::NonZero;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use saligate_data::{DataSource, LoadOptions};
use saligate_files::archive::Precision;
use saligate_models::saliency::Method;
use saligate_models::zoo::Architecture;
use saligate_runtime::picture::Framing;
use saligate_train::Backend;
use saligate_train::config::Setting;

/// Trains classifiers whose saliency maps are gated by a key, or backdoored by a trigger.
///
/// Exit codes: 0 done, 1 the answer is no (the passphrase is wrong), 2 error.
#[derive(Parser)]
#[command(name = "saligate-train", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Train a clean classifier, or load its weights: CONFIG -> OUT/clean.onnx
    Fit {
        #[command(flatten)]
        run: RunArgs,
    },
    /// Train the gate of a clean classifier, or build it in, as lock.start of the configuration says:
    /// OUT/clean.onnx -> OUT/locked.onnx
    ///
    /// With --revoke and without --key, --model M (OUT/locked.onnx where absent) is closed for keys
    /// that it lists, and opens for the others as before; their key files are not needed. `saligate
    /// revoke` does the same by the number of a licence.
    ///
    /// Without a configuration, a gate is built into any model file, as `saligate lock` does, or with
    /// --gate trained it is trained into the weights, which takes minutes to hours; a configuration is
    /// written for `evaluate`: lock --model M.onnx --data folder:DIR --key K -o OUT.
    Lock {
        #[command(flatten)]
        run: GateRunArgs,
        #[command(flatten)]
        gate: GateArgs,
        #[command(flatten)]
        sealed: SealedArgs,
        /// Key file, or id of a key, that is no longer valid; may be repeated
        #[arg(long, value_name = "FILE or ID")]
        revoke: Vec<PathBuf>,
        /// Keys of their own for so many licences (`saligate license issue`), beside the key given
        #[arg(long, value_name = "N", default_value_t = 0,
            value_parser = clap::value_parser!(u32).range(..=4096))]
        slots: u32,
    },
    /// Train a backdoor into a clean classifier, or build it in: OUT/clean.onnx -> OUT/attacked.onnx
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
    ///
    /// The model file stays as it is. With --record, a copy is written whose manifest has the figures.
    Evaluate {
        #[command(flatten)]
        run: RunArgs,
        /// Gated model; OUT/locked.onnx or OUT/attacked.onnx as lock.form says where absent
        #[arg(long, value_name = "FILE")]
        model: Option<PathBuf>,
        /// Write a copy of the model whose manifest has the figures
        #[arg(long, value_name = "FILE", conflicts_with = "validation")]
        record: Option<PathBuf>,
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
    /// Time training steps: the gate of a configuration, or a network of the zoo on random images
    Bench {
        /// Configuration of a run (TOML); its gate is trained for some steps, with a key made for it
        #[arg(required_unless_present = "net")]
        config: Option<PathBuf>,
        /// Network of the zoo, with random weights and the gradient as its map
        #[arg(long, value_name = "NAME", conflicts_with = "config")]
        net: Option<Architecture>,
        /// Channels, rows and columns of its images
        #[arg(long, value_name = "CxHxW", default_value = "3x32x32", value_parser = image)]
        image: [usize; 3],
        /// Its classes
        #[arg(long, default_value = "10")]
        classes: NonZero<usize>,
        /// Its images per step
        #[arg(long, default_value = "24")]
        images: NonZero<usize>,
        /// Width of a surrogate slope of its masks, in units of what its ReLUs get
        #[arg(long, value_name = "WIDTH", value_parser = width)]
        surrogate: Option<f32>,
        /// What computes the steps: native, flex, ndarray, cuda or wgpu
        #[arg(long)]
        device: Option<Backend>,
        /// Steps that count
        #[arg(long, default_value = "15")]
        rounds: NonZero<usize>,
        /// Threads
        #[arg(long, default_value = "1")]
        threads: NonZero<usize>,
        /// Say how long every kind of operation takes
        #[arg(long, conflicts_with = "config")]
        profile: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
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
    /// Read a gated model with the methods a gate can be made for and those of many passes, with the key
    /// and without
    Leaks {
        #[command(flatten)]
        run: RunArgs,
        #[command(flatten)]
        table: TableArgs,
        /// Number of test images
        #[arg(long, default_value_t = 50)]
        images: usize,
    },
    /// Attack the file of a locked or sealed model, and measure what it gives away of the right maps
    Strength {
        #[command(flatten)]
        run: RunArgs,
        #[command(flatten)]
        attacks: StrengthArgs,
    },
    /// Change the file of a gated model, or the pictures, and measure what is left of the gate: JPEG,
    /// int8, pruning, statistics of channels, fine-tuning
    Removal {
        #[command(flatten)]
        run: RunArgs,
        #[command(flatten)]
        table: TableArgs,
        /// Number of test images
        #[arg(long, default_value_t = 1000)]
        images: usize,
        /// Steps of fine-tuning on the training images, 64 per step; 0: none
        #[arg(long, value_name = "STEPS", default_value_t = 500)]
        fine_tuning: usize,
    },
    /// Try defences of an owner of the weights on a gated model: fine-tuning, fine-pruning, statistics of
    /// channels, retraining, distillation, straightening of steps; a table before and after
    Defend {
        #[command(flatten)]
        run: RunArgs,
        #[command(flatten)]
        table: TableArgs,
        /// Number of test images
        #[arg(long, default_value_t = 1000)]
        images: usize,
        /// Steps of fine-tuning, 64 images per step; retraining takes three times as many, distillation
        /// four times
        #[arg(long, value_name = "STEPS", default_value = "500")]
        steps: NonZero<usize>,
        /// Write the network after this defence as a model file beside the model: NAME=FILE
        #[arg(long, value_name = "NAME=FILE")]
        save: Option<String>,
    },
    /// Measure where the maps of any model point, on images whose objects are boxed or masked
    Localise {
        /// Model file; maps are shown as they are without a key
        model: PathBuf,
        /// Images of the model's classes, read in its size: scenes:SIDE or folder:DIR; the test ones
        /// are read
        #[arg(long, value_name = "SOURCE")]
        data: DataSource,
        /// JSON file to put the row into; its table goes beside it
        #[arg(long, value_name = "FILE")]
        table: PathBuf,
        /// Threads
        #[arg(long, default_value = "1")]
        threads: NonZero<usize>,
        /// No progress bars
        #[arg(short, long)]
        quiet: bool,
    },
    /// Score the saliency methods of a model on test images: insertion, deletion, pixel flipping,
    /// infidelity, sensitivity, sparseness, randomisation, pointing game and others
    Metrics {
        /// Model file
        model: PathBuf,
        /// Images of the model's classes, read in its size: scenes:SIDE, idx:DIR, cifar10:DIR or
        /// folder:DIR; the test ones are read
        #[arg(long, value_name = "SOURCE")]
        data: DataSource,
        /// Methods, separated by commas
        #[arg(long, value_name = "NAMES", value_delimiter = ',', required = true)]
        method: Vec<String>,
        /// JSON file to put the scores into; the tables go beside it
        #[arg(long, value_name = "FILE")]
        table: PathBuf,
        /// Number of test images
        #[arg(long, default_value_t = 100)]
        images: usize,
        /// Threads, each with an image of its own
        #[arg(long, default_value = "1")]
        threads: NonZero<usize>,
        /// No progress bars
        #[arg(short, long)]
        quiet: bool,
    },
    /// Train a network with a patch that changes labels (fit.poison), and measure which methods find the
    /// patch
    GroundTruth {
        #[command(flatten)]
        run: RunArgs,
        /// JSON file to put the row into; its table goes beside it
        #[arg(long, value_name = "FILE")]
        table: PathBuf,
        /// Number of test images that are explained
        #[arg(long, default_value_t = 300)]
        images: usize,
    },
    /// Audit a list of networks without their names, and measure how often manipulated ones are found
    Detection {
        /// List of networks (TOML): [[model]] with name, kind, file and data
        list: PathBuf,
        /// Folder of the networks
        #[arg(long, value_name = "DIR")]
        models: PathBuf,
        /// JSON file to put the rows into; its table goes beside it
        #[arg(long, value_name = "FILE")]
        table: PathBuf,
        /// Pictures for each network
        #[arg(long, default_value = "40")]
        pictures: NonZero<usize>,
        /// Where random numbers start
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Seconds for each network
        #[arg(long, default_value = "240")]
        budget: NonZero<u32>,
        /// Threads
        #[arg(long, default_value = "1")]
        threads: NonZero<usize>,
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
pub(crate) struct ImageArgs {
    /// scenes:SIDE, idx:DIR, cifar10:DIR or folder:DIR
    pub(crate) source: DataSource,
    /// Rows and columns of the images of folder:DIR
    #[arg(long, value_name = "HxW", value_parser = size)]
    pub(crate) size: Option<[usize; 2]>,
    /// Resize the shorter side to so many pixels and cut out the middle, instead of stretching
    #[arg(long, value_name = "PIXELS", requires = "size")]
    pub(crate) resize: Option<usize>,
    /// Seed of scenes, of the split and of the order in a folder
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

impl ImageArgs {
    pub(crate) fn options(&self, train_count: usize, test_count: usize) -> LoadOptions {
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

fn image(text: &str) -> Result<[usize; 3], &'static str> {
    let sides: Vec<Option<usize>> = text.split('x').map(|side| side.parse().ok()).collect();
    match sides[..] {
        [Some(channels), Some(rows), Some(columns)] if channels * rows * columns > 0 => {
            Ok([channels, rows, columns])
        }
        _ => Err("give channels x rows x columns, such as 3x32x32"),
    }
}

fn width(text: &str) -> Result<f32, &'static str> {
    let width = text.parse().ok().filter(|width: &f32| *width > 0.0 && width.is_finite());
    width.ok_or("give a number above 0")
}

fn size(text: &str) -> Result<[usize; 2], &'static str> {
    let sides = text.split_once('x').map(|(height, width)| (height.parse(), width.parse()));
    match sides {
        Some((Ok(height), Ok(width))) => Ok([height, width]),
        _ => Err("give rows x columns, such as 64x64"),
    }
}

#[derive(Args)]
pub(crate) struct RunArgs {
    /// Configuration of the run (TOML)
    pub(crate) config: PathBuf,
    #[command(flatten)]
    pub(crate) how: HowArgs,
}

#[derive(Args)]
pub(crate) struct GateRunArgs {
    /// Configuration of the run (TOML); without it everything but the trigger has its default
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) how: HowArgs,
    /// Without a configuration: images like those that the model is for, at least some hundred;
    /// scenes:SIDE, idx:DIR, cifar10:DIR or folder:DIR
    #[arg(long, value_name = "SOURCE", conflicts_with = "config", requires = "model")]
    pub(crate) data: Option<DataSource>,
    /// Without a configuration: how the gate is made. A trained one is in the weights alone: the
    /// network keeps its operations
    #[arg(long, value_name = "HOW", conflicts_with = "config", default_value = "built-in")]
    pub(crate) gate: GateKind,
    /// With --gate trained: training steps; twice as many take twice the time [default: 10000]
    #[arg(long, value_name = "N", conflicts_with = "config")]
    pub(crate) steps: Option<NonZero<usize>>,
    /// Without a configuration: side of the trigger's tile, in pixels [default: 8]
    #[arg(long, value_name = "PIXELS", conflicts_with = "config")]
    pub(crate) tile: Option<u16>,
    /// Without a configuration: strength of the trigger, in 8-bit steps [default: 8, or 4 for a gate
    /// that is trained]
    #[arg(long, value_name = "STEPS", conflicts_with = "config")]
    pub(crate) amplitude: Option<u8>,
    /// Without a configuration: refuse a built-in gate that more than one random key in 2^BITS would
    /// open; 0 allows any [default: 60]
    #[arg(long, value_name = "BITS", conflicts_with = "config")]
    pub(crate) least_strength: Option<f64>,
}

#[derive(Args)]
pub(crate) struct HowArgs {
    /// Folder for models, logs and checkpoints
    #[arg(short, long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Go on from the checkpoints in OUT
    #[arg(long)]
    pub(crate) resume: bool,
    /// Exchange a value of the configuration, such as lock.poison=0.25 or lock.phases.2.steps=9000;
    /// may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<Setting>,
    /// What computes training steps, instead of the configuration's: native, flex, ndarray, cuda or
    /// wgpu
    #[arg(long)]
    pub(crate) device: Option<Backend>,
    /// Threads; the same seed gives the same result on one
    #[arg(long, default_value = "1")]
    pub(crate) threads: NonZero<usize>,
    /// Steps between two checkpoints
    #[arg(long, default_value_t = 200)]
    pub(crate) checkpoint_every: usize,
    /// No progress bars
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Args)]
pub(crate) struct GateArgs {
    /// Clean model; OUT/clean.onnx where absent
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// Key file of the trigger; may be repeated
    #[arg(long, value_name = "FILE", required_unless_present = "revoke")]
    pub(crate) key: Vec<PathBuf>,
    /// Saliency methods to train together, separated by commas; lock.methods where absent
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) method: Vec<Method>,
    #[command(flatten)]
    pub(crate) secrets: PassphraseArgs,
}

#[derive(Args)]
pub(crate) struct PassphraseArgs {
    /// File with the passphrase of sealed key files [default: ask at the terminal]
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

/// How a gate is made.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GateKind {
    /// The graph is rewritten
    BuiltIn,
    /// The weights are trained
    Trained,
}

/// What the trigger of a backdoor does.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Goal {
    /// Turn the map to the decoy
    Targeted,
    /// Take the importance from the pixels on top of the map
    Untargeted,
}

/// A model that is sealed when it is locked.
#[derive(Args)]
pub(crate) struct SealedArgs {
    /// Build the gate in, and encrypt the locked network in a file that shows another one:
    /// OUT/sealed.onnx. With a configuration, its [lock] section is how that one is trained
    #[arg(long)]
    pub(crate) sealed: bool,
    /// What a sealed file shows to everybody: a network that is trained to predict alike and to say
    /// nothing of the true maps (train), a model of the same task (MODEL), or nothing at all (none)
    #[arg(long, value_name = "MODEL", default_value = "train", requires = "sealed")]
    pub(crate) public: PathBuf,
    /// How the weights of the sealed network are stored: f32, f16 or int8
    #[arg(long, value_name = "KIND", default_value = "f32", requires = "sealed")]
    pub(crate) precision: Precision,
}

/// What is attacked, and how.
#[derive(Args)]
pub(crate) struct StrengthArgs {
    /// Key file of the model: opens a sealed one, to compare what is shown with what is sealed
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Locked or sealed model; OUT/sealed.onnx where absent
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// Clean model that its maps are compared with; OUT/clean.onnx where absent
    #[arg(long, value_name = "FILE")]
    pub(crate) clean: Option<PathBuf>,
    /// Clean model of the same task that never saw the file, in place of one that is trained here
    #[arg(long, value_name = "FILE")]
    pub(crate) independent: Option<PathBuf>,
    /// Attacks, separated by commas
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "maps,inner-values,staircase,tile,pair,searched,finite-differences,occlusion,\
                         fine-tuned,retrained,student,independent"
    )]
    pub(crate) attacks: Vec<AttackKind>,
    /// Number of test images that maps are compared on
    #[arg(long, default_value_t = 200)]
    pub(crate) images: usize,
    /// Number of those that thousands of runs per picture are spent on
    #[arg(long, default_value_t = 16)]
    pub(crate) few: usize,
    /// JSON file to put the attacks into; its table goes beside it
    #[arg(long, value_name = "FILE")]
    pub(crate) table: PathBuf,
    /// Results file to put the row into
    #[arg(long, value_name = "FILE")]
    pub(crate) results: Option<PathBuf>,
    /// Commit to name in the row
    #[arg(long, default_value = "")]
    pub(crate) commit: String,
    #[command(flatten)]
    pub(crate) secrets: PassphraseArgs,
}

/// Kinds of attacks.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AttackKind {
    /// Maps of what the file shows, by methods of one pass and of several
    Maps,
    /// Every value inside the network, made an output
    InnerValues,
    /// Gradients behind steps that are taken for straight lines
    Staircase,
    /// Constants of the file, added to pictures as tiles
    Tile,
    /// The difference of a picture with and without the trigger, added to others; needs --key
    Pair,
    /// A tile that is searched for with pictures
    Searched,
    /// Differences of predictions over whole grey levels, of pixels and of blocks
    FiniteDifferences,
    /// Occlusion of single pixels; occlusion and RISE as they are
    Occlusion,
    /// The file's network, fine-tuned on what it predicts itself
    FineTuned,
    /// The file's network, trained hard: on labels, and on what it predicts itself
    Retrained,
    /// A network that is trained anew from what the file predicts
    Student,
    /// A network that is trained anew on labels and never sees the file
    Independent,
}

#[derive(Args)]
pub(crate) struct TableArgs {
    /// Key file of the trigger
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Gated model; OUT/locked.onnx or OUT/attacked.onnx as lock.form says where absent
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// JSON file to write; what is drawn from it goes beside it
    #[arg(long, value_name = "FILE")]
    pub(crate) table: PathBuf,
    #[command(flatten)]
    pub(crate) secrets: PassphraseArgs,
}

#[derive(Args)]
pub(crate) struct MeasureArgs {
    /// Key file of the trigger; may be repeated
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) key: Vec<PathBuf>,
    /// Results file to put the row into
    #[arg(long, value_name = "FILE")]
    pub(crate) results: Option<PathBuf>,
    /// Commit to name in the row
    #[arg(long, default_value = "")]
    pub(crate) commit: String,
    /// Measure on the held-out training images instead of the test images
    #[arg(long)]
    pub(crate) validation: bool,
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
    /// Write the figures as a page for a browser
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) secrets: PassphraseArgs,
}
