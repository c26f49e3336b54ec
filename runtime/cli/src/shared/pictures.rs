//! Pictures as models take them.

use std::io::Read;
use std::path::{Path, PathBuf};

use saligate_console::Failure;
use saligate_files::manifest::InputSpec;
use saligate_keys::Trigger;
use saligate_runtime::Model;
use saligate_runtime::picture::{Framing, Picture};

/// The path that stands for standard input.
const STDIN: &str = "-";
/// Endings of the files in a folder that are taken for pictures.
const ENDINGS: [&str; 9] = ["png", "jpg", "jpeg", "jfif", "webp", "bmp", "tif", "tiff", "gif"];
/// Longest picture on standard input.
const LONGEST: u64 = 512 << 20;

/// Pictures by path, with those of a folder in the place of its name, in the order of their names.
///
/// # Errors
/// A folder cannot be read or holds no picture, or standard input is named twice.
pub(crate) fn listed(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut pictures = Vec::new();
    for path in paths {
        if !path.is_dir() {
            pictures.push(path.clone());
            continue;
        }
        let entries = path.read_dir().and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()
        });
        let entries = entries.map_err(|error| {
            Failure::new(format!("cannot read the folder {}: {error}", path.display()))
        })?;
        let is_picture = |path: &PathBuf| {
            let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
            ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str())) && path.is_file()
        };
        let mut found: Vec<PathBuf> = entries.into_iter().filter(is_picture).collect();
        if found.is_empty() {
            return Err(Failure::new(format!("no pictures in the folder {}", path.display()))
                .hint(format!("files whose names end in {}", ENDINGS.join(", "))));
        }
        found.sort();
        pictures.append(&mut found);
    }
    if pictures.iter().filter(|path| path.as_os_str() == STDIN).count() > 1 {
        return Err(Failure::new("standard input holds one picture, and is named twice"));
    }
    Ok(pictures)
}

/// Opens a picture in the model's size and channels; of `-` what comes on standard input.
pub(crate) fn open(model: &Model, path: &Path) -> Result<Picture, Failure> {
    framed(model, read(model, path)?)
}

/// Opens a picture in the model's channels, at its own size.
pub(crate) fn read(model: &Model, path: &Path) -> Result<Picture, Failure> {
    let channels = model.manifest().input.channels;
    if path.as_os_str() != STDIN {
        let picture = Picture::open(path, channels)?;
        note_rounding(model, &picture, path);
        return Ok(picture);
    }
    let mut bytes = Vec::new();
    std::io::stdin()
        .take(LONGEST)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::new(format!("cannot read standard input: {error}")))?;
    Ok(Picture::decode(&bytes, Path::new("standard input"), channels)?)
}

/// Says so where a picture has more bits than the model reads.
fn note_rounding(model: &Model, picture: &Picture, path: &Path) {
    if picture.levels().is_some() && !model.reads_levels() {
        eprintln!(
            "saligate: note: {} has 16 bits for each sample; a model with a gate reads 8",
            path.display()
        );
    }
}

/// The picture in the model's size.
pub(crate) fn framed(model: &Model, picture: Picture) -> Result<Picture, Failure> {
    Ok(picture.framed(&framing(model))?)
}

/// How pictures become those of the model's size.
pub(crate) fn framing(model: &Model) -> Framing {
    let &InputSpec { height, width, resize, .. } = &model.manifest().input;
    Framing { height, width, resize }
}

/// The picture with a trigger on it, as a network sees it.
pub(crate) fn with_trigger(picture: &Picture, trigger: &Trigger) -> Result<Picture, Failure> {
    let mut pixels = picture.pixels().to_vec();
    trigger.apply(&mut pixels)?;
    Ok(Picture::from_planar(picture.channels(), picture.height(), picture.width(), pixels)?)
}
