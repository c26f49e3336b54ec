//! Folders of PNG and JPEG files of any size.
//!
//! The layout is told by what is there:
//!
//! | layout | training images | test images | classes |
//! |---|---|---|---|
//! | `train/CLASS/*` and `val/CLASS/*` or, where there is no `val`, `test/CLASS/*` | the former | the latter | names of the folders, sorted |
//! | `images/*` and `boxes.csv` | none | all | `class_index` in `boxes.csv`; named by `LOC_synset_mapping.txt` or by `class_name` |
//! | `CLASS/*` | the others | one in five of each class, at least one, drawn by the seed | names of the folders, sorted |
//!
//! Pictures are files that end in `.png`, `.jpg` or `.jpeg`, in any case; what they are is told by their content. Other files,
//! deeper folders and names that begin with a dot are not looked at. Labelled images have three channels; grey becomes RGB by
//! repetition. Training images are shuffled by the seed, and so are test images but those of `images/`, so that the first so
//! many are a mix of classes.
//!
//! `boxes.csv` is optional where classes are folders. Its first line names the columns, which come in any order: `file`, `x0`,
//! `y0`, `x1`, `y1` (first and last column and row of a box, counted from zero in the upright picture), for `images/*` also
//! `class_index` and, if wanted, `class_name`. A file is named from the folder on, such as `CLASS/a.png`; from `images` on; or
//! from the folder on that a column `split` names, such as `train`. Several rows for one file are several boxes, and the mask
//! of an image is 1 inside any of them; an image without a row has an empty mask. Other columns, and rows for files that are
//! not there, are not looked at.

mod annotated;
mod boxes;
mod decode;
mod listing;
mod table;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use saligate_runtime::picture::{Framing, MAX_SIDE};

use super::{DataError, LoadOptions, Pictures, Splits};

/// Channels of labelled images.
const CHANNELS: usize = 3;
/// Most classes: labels have 16 bits.
const MAX_CLASSES: usize = u16::MAX as usize;
const EXPECTED: &str = "train/CLASS/* and val/CLASS/*, or CLASS/*, or images/* and boxes.csv";

/// One picture that has not been read yet.
struct Sample {
    path: PathBuf,
    label: u16,
    /// First and last column and row of each, in the picture as it is in the file.
    boxes: Vec<[usize; 4]>,
}

/// All pictures of a folder.
struct Listing {
    class_names: Vec<String>,
    train: Vec<Sample>,
    test: Vec<Sample>,
    has_boxes: bool,
}

/// What every image becomes.
#[derive(Clone, Copy)]
struct Size {
    channels: usize,
    framing: Framing,
}

impl Size {
    /// # Errors
    /// A side is zero or beyond the limit.
    fn new(channels: usize, framing: &Framing) -> Result<Self, DataError> {
        let Framing { height, width, .. } = *framing;
        if !(1..=MAX_SIDE).contains(&height) || !(1..=MAX_SIDE).contains(&width) {
            return Err(DataError::Side { height, width, limit: MAX_SIDE });
        }
        Ok(Self { channels, framing: *framing })
    }
}

/// Reads the folder's training and test images, three channels of the size that `framing` calls for.
///
/// # Errors
/// A [`DataError`] for a missing folder, a layout that is none of the above, classes without images or without either
/// split, more than 65 535 classes, a malformed table, pictures that cannot be read or framed, and more bytes than the limit.
pub fn load(folder: &Path, framing: &Framing, options: &LoadOptions) -> Result<Splits, DataError> {
    check_folder(folder)?;
    let size = Size::new(CHANNELS, framing)?;
    let mut listing = list(folder, options.seed)?;
    listing.train.truncate(options.train_count.unwrap_or(usize::MAX));
    listing.test.truncate(options.test_count.unwrap_or(usize::MAX));
    let decode = |samples| {
        let (names, masked) = (&listing.class_names, listing.has_boxes);
        decode::decode(samples, names, masked, &size, options.quiet)
    };
    Ok(Splits { train: decode(&listing.train)?, test: decode(&listing.test)? })
}

/// Reads images without asking for classes: the training images of a folder that [`load`] reads, those of `images/`, and
/// all pictures below any other folder, at whatever depth, shuffled by the seed.
///
/// # Errors
/// A [`DataError`] for a missing folder, one without pictures, pictures that cannot be read or framed, and more bytes than
/// the limit.
pub fn pictures(
    folder: &Path,
    channels: usize,
    framing: &Framing,
    options: &LoadOptions,
) -> Result<Pictures, DataError> {
    check_folder(folder)?;
    let size = Size::new(channels, framing)?;
    let mut samples = if folder.join("images").is_dir() && folder.join(boxes::FILE).is_file() {
        annotated::list(folder)?.test
    } else {
        listing::pictures(folder, options.seed)?
    };
    samples.truncate(options.train_count.unwrap_or(usize::MAX));
    samples.iter_mut().for_each(|sample| sample.label = 0);
    let unlabelled = [String::new()];
    decode::decode(&samples, &unlabelled, false, &size, options.quiet).map(Pictures::from)
}

fn check_folder(folder: &Path) -> Result<(), DataError> {
    let expected = EXPECTED.to_owned();
    let missing = || DataError::MissingFolder { folder: folder.to_owned(), expected };
    folder.is_dir().then_some(()).ok_or_else(missing)
}

fn list(folder: &Path, seed: u64) -> Result<Listing, DataError> {
    if folder.join("images").is_dir() && folder.join(boxes::FILE).is_file() {
        return annotated::list(folder);
    }
    listing::list(folder, seed)
}
