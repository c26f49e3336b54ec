//! The two models of the demo and its pictures: those that ship in the program, or those of a folder.

use std::fs;
use std::path::{Path, PathBuf};

use saligate_console::Failure;
use saligate_keys::KeyFile;
use saligate_runtime::Model;
use saligate_runtime::picture::Picture;

use crate::shared::pictures;

/// What the demo shows.
pub(super) struct Demo {
    /// The classifier without a gate, whose maps are the correct ones.
    pub(super) clean: Model,
    /// The same with a gate.
    pub(super) locked: Model,
    pub(super) samples: Vec<Sample>,
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
/// keyed/NAME.png`; the models by `saligate compile NAME.onnx -o NAME.edge --precision int8`.
const SAMPLES: [(&str, &[u8], &[u8]); 4] = [
    ("disc", shipped!("samples/disc.png"), shipped!("keyed/disc.png")),
    ("ring", shipped!("samples/ring.png"), shipped!("keyed/ring.png")),
    ("square", shipped!("samples/square.png"), shipped!("keyed/square.png")),
    ("triangle", shipped!("samples/triangle.png"), shipped!("keyed/triangle.png")),
];

impl Demo {
    /// The demo that ships in the program.
    pub(super) fn shipped() -> Result<Self, Failure> {
        let clean = Model::from_bytes(shipped!("clean.edge"))?;
        let locked = Model::from_bytes(shipped!("locked.edge"))?;
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
        Ok(Self { clean, locked, samples })
    }

    /// The demo in a folder: `clean.onnx`, `locked.onnx`, `demo.key` and the PNG files of
    /// `samples`.
    pub(super) fn of_folder(dir: &Path) -> Result<Self, Failure> {
        let [clean, locked] = models(dir).map(Model::open);
        let (clean, locked) = (clean?, locked?);
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
        Ok(Self { clean, locked, samples })
    }

    /// The files of a folder that are read, but for the key.
    pub(super) fn files(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
        Ok(models(dir).into_iter().chain(images(dir)?).collect())
    }
}

fn models(dir: &Path) -> [PathBuf; 2] {
    ["clean.onnx", "locked.onnx"].map(|name| dir.join(name))
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
