//! `saligate lock`: build a gate into a model.

use std::path::{Path, PathBuf};

use saligate_console::progress::Bars;
use saligate_console::{Failure, emit, outputs, secrets, shown};
use saligate_data::{LoadOptions, Pictures, Shape};
use saligate_files::ModelFile;
use saligate_files::manifest::{InputSpec, Manifest, Public, Sealed};
use saligate_files::sealed::{blank, public_network};
use saligate_keys::{Family, ImageShape, KeyFile, Secret, TriggerSpec};
use saligate_lock::{Decoy, Keys, LockError, Samples, Settings, Survey, lock, slots};
use saligate_models::gate::GateForm;
use saligate_models::saliency::Method;
use saligate_runtime::picture::Framing;
use serde_json::json;

use crate::args::LockArgs;
use crate::shared::running::threads;
use crate::shared::sealing::sealed_for;

/// Fewer pictures than this make an unsteady gate.
const ENOUGH: usize = 100;

/// Sides of the tiles that are tried where none is asked for.
const TILES: [u16; 3] = [8, 12, 16];

pub(crate) fn run(args: &LockArgs) -> Result<(), Failure> {
    let out = out_file(&args.out, if args.sealed { "sealed.onnx" } else { "locked.onnx" })?;
    let shows = Shows::of(args)?;
    let read = args.key.iter().chain(&args.secrets.passphrase_file).chain([&args.model]);
    let read = read.chain(shows.file());
    outputs::check([out.as_path()], read.map(PathBuf::as_path))?;
    let named = |failure: Failure| failure.in_file(&args.model);
    let model = ModelFile::open(&args.model).map_err(|error| named(error.into()))?;
    let manifest = model.manifest();
    if manifest.gate.is_some() {
        return Err(named(failure(LockError::HasGate)).hint("the clean model, or saligate revoke"));
    }
    let mut settings = Settings {
        form: GateForm::Key,
        trigger: TriggerSpec::default(),
        methods: methods(args, manifest)?,
        cam_layer: args.layer.clone().or_else(|| cam_layer(manifest)),
        decoy: Decoy { picture: args.decoy.clone(), ..Decoy::default() },
        seed: args.seed,
        least_strength: args.least_strength,
    };
    let &InputSpec { channels, height, width, .. } = &manifest.input;
    let shape = ImageShape::new(channels, height, width)?;
    let keys = secrets::keys(&args.key, args.secrets.passphrase_file.as_deref())?;
    let pictures = pictures(args, &manifest.input)?;
    let Shape { channels, height, width } = pictures.shape();
    let own = ImageShape::new(channels, height, width)?;
    let samples = Samples::new(own, pictures.images()).map_err(failure)?;
    let bars = Bars::new(args.quiet);
    let watch = |name, done, of| bars.show(name, done, of);
    let survey = Survey { samples: &samples, threads: threads(args.threads), watch: &watch };
    let sizes = tiles(args.tile, shape);
    let mut locked = Err(LockError::NoTile);
    let mut slots = Vec::new();
    for size in sizes {
        settings.trigger = TriggerSpec::new(Family::Tile { size, amplitude: args.amplitude })?;
        slots = slots::of(&keys, args.slots, &settings.trigger, shape).map_err(failure)?;
        let right = keys.iter().map(KeyFile::secret).chain(&slots).collect();
        locked = lock(&model, &settings, &Keys::new(right), &survey);
        if !matches!(locked, Err(LockError::Weak { .. })) {
            break;
        }
    }
    bars.clear();
    let locked = locked.map_err(|error| named(failure(error)))?;
    let locked = match &shows {
        Shows::Locked => locked,
        shows => {
            let secrets: Vec<Secret> =
                keys.into_iter().map(KeyFile::into_secret).chain(slots).collect();
            let public = shows.network(&locked)?;
            let kind = shows.kind();
            sealed_for(public, kind, &locked, args.precision, &secrets, None)?
        }
    };
    locked.save(&out)?;
    report(args, &locked, pictures.len(), &out)
}

/// What the written file shows to everybody.
enum Shows {
    /// The locked network: nothing is sealed.
    Locked,
    /// Nothing.
    Blank,
    /// The network of a model file.
    Network(PathBuf, Box<ModelFile>),
}

impl Shows {
    fn of(args: &LockArgs) -> Result<Self, Failure> {
        match args.public.to_str() {
            _ if !args.sealed => Ok(Self::Locked),
            Some("none") => Ok(Self::Blank),
            Some("train") => Err(Failure::new("this program builds gates, and trains nothing").hint(
                "saligate-train lock --sealed --public train, or the file of another model of the \
                 same task: --public MODEL",
            )),
            _ => {
                let path = args.public.clone();
                let model = ModelFile::open(&path);
                let model = model.map_err(|error| Failure::from(error).in_file(&path))?;
                Ok(Self::Network(path, Box::new(model)))
            }
        }
    }

    /// The file that it is read from.
    fn file(&self) -> Option<&PathBuf> {
        match self {
            Self::Network(path, _) => Some(path),
            Self::Locked | Self::Blank => None,
        }
    }

    fn kind(&self) -> Public {
        match self {
            Self::Network(..) => Public::Network,
            Self::Locked | Self::Blank => Public::None,
        }
    }

    /// The public network in front of a locked one.
    fn network(&self, truth: &ModelFile) -> Result<ModelFile, Failure> {
        match self {
            Self::Network(path, model) => {
                let public = public_network(model, truth);
                public.map_err(|error| Failure::from(error).in_file(path))
            }
            Self::Locked | Self::Blank => Ok(blank(truth)?),
        }
    }
}

/// Sizes of tiles that are tried until the keys are strong enough: the one asked for, or those that
/// a picture has several of.
fn tiles(asked: Option<u16>, shape: ImageShape) -> Vec<u16> {
    let side = shape.height().min(shape.width());
    let fits = |size: &u16| *size == TILES[0] || 2 * usize::from(*size) <= side;
    asked.map_or_else(|| TILES.into_iter().filter(fits).collect(), |size| vec![size])
}

/// OUT, or a file of this name in the folder OUT; folders are made where they are missing.
fn out_file(out: &Path, name: &str) -> Result<PathBuf, Failure> {
    let is_file = out.extension().is_some_and(|e| e.eq_ignore_ascii_case("onnx"));
    let file = if is_file && !out.is_dir() { out.to_owned() } else { out.join(name) };
    let folder = file.parent().filter(|folder| *folder != Path::new(""));
    folder.map_or(Ok(()), std::fs::create_dir_all).map_err(|error| {
        Failure::new(format!("cannot make the folder of this file: {error}")).in_file(&file)
    })?;
    Ok(file)
}

/// The methods that were asked for, or those of the model that can be gated.
fn methods(args: &LockArgs, manifest: &Manifest) -> Result<Vec<Method>, Failure> {
    if !args.method.is_empty() {
        let all = &args.method;
        return match (1..all.len()).find(|&at| all[..at].contains(&all[at])) {
            Some(twice) => Err(Failure::new(format!("--method names {} twice", all[twice]))),
            None => Ok(all.clone()),
        };
    }
    let own = manifest.methods.iter().filter_map(|spec| spec.name.parse::<Method>().ok());
    let (open, gated): (Vec<Method>, Vec<Method>) = own.partition(|m| *m == Method::InputXGradient);
    if let [open, ..] = open[..] {
        eprintln!("saligate: note: without {open}: it shows the pixels and cannot be gated");
    }
    match gated[..] {
        [] => Err(Failure::new("the model has no method that can be gated")
            .in_file(&args.model)
            .hint("--method gradient")),
        _ => Ok(gated),
    }
}

/// The layer that the model's own Grad-CAM reads.
fn cam_layer(manifest: &Manifest) -> Option<String> {
    let cam = manifest.methods.iter().find(|spec| spec.name == Method::GradCam.name())?;
    cam.layers.first().cloned()
}

fn pictures(args: &LockArgs, input: &InputSpec) -> Result<Pictures, Failure> {
    let &InputSpec { channels, height, width, resize, .. } = input;
    let framing = args.data.takes_size().then_some(Framing { height, width, resize });
    let options =
        LoadOptions { framing, seed: args.seed, quiet: args.quiet, ..LoadOptions::default() };
    let pictures = args.data.pictures(channels, &options);
    let pictures = pictures.map_err(|error| Failure::new(error.to_string()))?;
    if pictures.len() < ENOUGH {
        eprintln!(
            "saligate: note: {} pictures are few; a gate is better chosen on {ENOUGH} or more",
            pictures.len()
        );
    }
    Ok(pictures)
}

fn failure(error: LockError) -> Failure {
    Failure::new(error.to_string())
}

fn report(args: &LockArgs, locked: &ModelFile, pictures: usize, out: &Path) -> Result<(), Failure> {
    let manifest = locked.manifest();
    let methods: Vec<&str> = manifest.methods.iter().map(|m| m.name.as_str()).collect();
    let keys = manifest.gate.as_ref().map_or(&[][..], |gate| &gate.keys);
    let gate = manifest.gate.as_ref();
    let strength = gate.and_then(|gate| gate.key_strength);
    let tile = match gate.map(|gate| gate.trigger.family()) {
        Some(Family::Tile { size, .. }) => size,
        _ => 0,
    };
    if args.json {
        let line = json!({
            "schema": 1,
            "model": shown(&args.model),
            "out": shown(out),
            "methods": methods,
            "keys": keys,
            "tile": tile,
            "key_strength": strength,
            "slots": args.slots,
            "sealed": manifest.sealed,
            "pictures": pictures,
        });
        return emit(&line.to_string());
    }
    let count = match keys {
        [only] => format!("opens for key {only}"),
        keys => format!("opens for {} keys", keys.len()),
    };
    emit(&format!("wrote {}: {} locked, {count}", out.display(), methods.join(", ")))?;
    if let Some(Sealed { public, .. }) = manifest.sealed {
        let shows = match public {
            Public::None => "nothing: no predictions without a key or licence".to_owned(),
            Public::Network => format!("the network of {}", args.public.display()),
        };
        emit(&format!("the locked network is sealed in it; the file shows {shows}"))?;
    }
    let Some(bits) = strength else { return Ok(()) };
    emit(&format!("tile of {tile} x {tile}: about one random key in 2^{bits:.0} opens it"))
}
