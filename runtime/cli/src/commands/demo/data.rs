//! The models of the demo and its pictures: those that ship in the program, or those of a folder.

use std::fs;
use std::path::{Path, PathBuf};

use saligate_console::Failure;
use saligate_files::ModelFile;
use saligate_keys::KeyFile;
use saligate_models::saliency::{Attachment, Method};
use saligate_runtime::Model;
use saligate_runtime::picture::Picture;

use crate::shared::pictures;

/// What the demo shows.
pub(super) struct Demo {
    /// The classifier without a gate, whose maps are the correct ones.
    pub(super) clean: Model,
    /// The same with a gate that is built in.
    pub(super) locked: Model,
    /// The clean one with a gate that is trained into its weights, for the same key; a folder need
    /// not have it.
    pub(super) trained: Option<Trained>,
    pub(super) samples: Vec<Sample>,
}

/// A model whose gate is trained.
pub(super) struct Trained {
    pub(super) model: Model,
    /// The classifier without a gate, explained by the method of this model.
    pub(super) clean: Model,
}

impl Trained {
    fn new(model: Model, clean: ModelFile) -> Result<Self, Failure> {
        let methods = model.manifest().methods.iter().map(|spec| {
            let method = spec.name.parse::<Method>().map_err(|e| Failure::new(e.to_string()))?;
            Ok::<_, Failure>(Attachment::at(method, spec.layers.clone()))
        });
        let methods = methods.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { model, clean: Model::new(clean.with_methods(&methods)?)? })
    }
}

/// A picture, without and with the trigger of the key on it.
pub(super) struct Sample {
    pub(super) name: String,
    /// The file.
    pub(super) image: PathBuf,
    pub(super) picture: Picture,
    pub(super) keyed: Picture,
}

/// A file that ships in the program.
macro_rules! shipped {
    ($name:literal) => {
        include_bytes!(concat!("../../../../../models/artifacts/demo/", $name))
    };
}

/// Name, picture, and the picture with the trigger of the demo key on it: the program holds no key.
///
/// Made by `saligate explain locked.onnx samples/NAME.png --key demo.key --triggered
/// keyed/NAME.png`; the models by `saligate compile NAME.onnx -o NAME.edge --precision f16`.
const SAMPLES: [(&str, &[u8], &[u8]); 4] = [
    ("disc", shipped!("samples/disc.png"), shipped!("keyed/disc.png")),
    ("ring", shipped!("samples/ring.png"), shipped!("keyed/ring.png")),
    ("square", shipped!("samples/square.png"), shipped!("keyed/square.png")),
    ("triangle", shipped!("samples/triangle.png"), shipped!("keyed/triangle.png")),
];

/// The models that ship in the program, under what each is.
#[cfg(feature = "audit")]
pub(super) fn models_shipped() -> Result<[(&'static str, ModelFile); 3], Failure> {
    Ok([
        ("clean", ModelFile::from_bytes(shipped!("clean.edge"))?),
        ("built-in gate", ModelFile::from_bytes(shipped!("locked.edge"))?),
        ("trained gate", ModelFile::from_bytes(shipped!("trained.edge"))?),
    ])
}

/// The same in a folder, those that are there.
#[cfg(feature = "audit")]
pub(super) fn models_of_folder(dir: &Path) -> Result<Vec<(&'static str, ModelFile)>, Failure> {
    let names = ["clean", "built-in gate", "trained gate"].into_iter().zip(models(dir));
    let there = names.filter(|(_, path)| path.exists());
    there.map(|(name, path)| Ok((name, ModelFile::open(&path)?))).collect()
}

impl Demo {
    /// The demo that ships in the program.
    pub(super) fn shipped() -> Result<Self, Failure> {
        let clean = ModelFile::from_bytes(shipped!("clean.edge"))?;
        let locked = Model::from_bytes(shipped!("locked.edge"))?;
        let trained = Model::from_bytes(shipped!("trained.edge"))?;
        let trained = Some(Trained::new(trained, clean.clone())?);
        let clean = Model::new(clean)?;
        let sample = |(name, plain, keyed): (&str, &[u8], &[u8])| {
            let image = PathBuf::from(format!("{name}.png"));
            let decoded = |bytes| {
                let picture = Picture::decode(bytes, &image, locked.manifest().input.channels)?;
                pictures::framed(&locked, picture)
            };
            let (picture, keyed) = (decoded(plain)?, decoded(keyed)?);
            Ok::<_, Failure>(Sample { name: name.to_owned(), image, picture, keyed })
        };
        let samples = SAMPLES.into_iter().map(sample).collect::<Result<_, _>>()?;
        Ok(Self { clean, locked, trained, samples })
    }

    /// The demo in a folder: `clean.onnx`, `locked.onnx`, `trained.onnx` if there is one,
    /// `demo.key` and the PNG files of `samples`.
    pub(super) fn of_folder(dir: &Path) -> Result<Self, Failure> {
        let [clean, locked, trained] = models(dir);
        let (clean, locked) = (ModelFile::open(&clean)?, Model::open(locked)?);
        let trained = match trained.exists() {
            true => Some(Trained::new(Model::open(trained)?, clean.clone())?),
            false => None,
        };
        let clean = Model::new(clean)?;
        // The demo key is public: no warning about who can read it.
        let key = KeyFile::read(dir.join("demo.key"))?;
        let trigger = locked.trigger(key.secret())?;
        let sample = |image: PathBuf| {
            let picture = pictures::open(&locked, &image)?;
            let keyed = pictures::with_trigger(&picture, &trigger)?;
            let name = image.file_stem().map(|stem| stem.to_string_lossy().into_owned());
            Ok::<_, Failure>(Sample { name: name.unwrap_or_default(), image, picture, keyed })
        };
        let samples = images(dir)?.into_iter().map(sample).collect::<Result<_, _>>()?;
        Ok(Self { clean, locked, trained, samples })
    }

    /// The files of a folder that are read, but for the key.
    pub(super) fn files(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
        let models = models(dir).into_iter().filter(|path| path.exists());
        Ok(models.chain(images(dir)?).collect())
    }
}

fn models(dir: &Path) -> [PathBuf; 3] {
    ["clean.onnx", "locked.onnx", "trained.onnx"].map(|name| dir.join(name))
}

/// The samples by name.
fn images(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let missing = |error: std::io::Error| {
        Failure::new(format!("cannot read the demo in {}: {error}", dir.display()))
            .hint("leave out --dir, to show the demo that ships in the program")
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(dir.join("samples")).map_err(missing)? {
        let path = entry.map_err(missing)?.path();
        if path.extension().is_some_and(|ending| ending == "png") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
