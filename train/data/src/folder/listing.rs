//! Folders whose sub-folders are the classes.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use saligate_models::random::Stream;

use super::super::DataError;
use super::{Listing, MAX_CLASSES, Sample, boxes};

/// One image in so many of each class is for testing, where the folder does not say which.
const TEST_SHARE: usize = 5;

/// A class and the files of its images.
struct Class {
    name: String,
    files: Vec<PathBuf>,
}

/// Lists a folder with `train` and `val` or `test`, or one that is to be split by the seed.
pub(super) fn list(folder: &Path, seed: u64) -> Result<Listing, DataError> {
    let (class_names, train, test) = match splits(folder)? {
        Some([train, test]) => {
            let (train_classes, test_classes) = (classes(&train)?, classes(&test)?);
            check_same(&train_classes, &test_classes, [train, test])?;
            (names(&train_classes), samples(train_classes), samples(test_classes))
        }
        None => {
            let mut rest = classes(folder)?;
            let held_out = hold_out(folder, &mut rest, seed)?;
            (names(&rest), samples(rest), samples(held_out))
        }
    };
    let (train, test) =
        (shuffled(train, seed, "folder train"), shuffled(test, seed, "folder test"));
    let count = train.len();
    let mut all: Vec<Sample> = train.into_iter().chain(test).collect();
    let has_boxes = boxes::give(folder, &mut all)?;
    let test = all.split_off(count);
    Ok(Listing { class_names, train: all, test, has_boxes })
}

/// Lists pictures without asking for classes: those for training where the folder parts them from others, or where its
/// folders are the classes of [`list`]; otherwise all pictures below it.
pub(super) fn pictures(folder: &Path, seed: u64) -> Result<Vec<Sample>, DataError> {
    if let Some([train, _]) = splits(folder)? {
        return everything(&train, seed);
    }
    if !images(folder)?.is_empty() || has_deeper_folders(folder)? {
        return everything(folder, seed);
    }
    match list(folder, seed) {
        Ok(Listing { train, .. }) => Ok(train),
        // No classes, or too few pictures in one.
        Err(
            DataError::MissingFile { .. }
            | DataError::NoImages { .. }
            | DataError::SingleImage { .. }
            | DataError::NotUnicode { .. }
            | DataError::TooManyClasses { .. },
        ) => everything(folder, seed),
        Err(error) => Err(error),
    }
}

/// Whether a folder of a folder has folders.
fn has_deeper_folders(folder: &Path) -> Result<bool, DataError> {
    for below in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        if entries(&below)?.iter().any(|path| path.is_dir()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// All pictures below a folder, shuffled by the seed; every folder is looked into once, also where links lead back.
fn everything(folder: &Path, seed: u64) -> Result<Vec<Sample>, DataError> {
    let mut files = Vec::new();
    let (mut open, mut seen) = (vec![folder.to_owned()], HashSet::new());
    while let Some(folder) = open.pop() {
        if seen.insert(folder.canonicalize().map_err(DataError::io(&folder))?) {
            files.extend(images(&folder)?);
            open.extend(entries(&folder)?.into_iter().filter(|path| path.is_dir()));
        }
    }
    if files.is_empty() {
        return Err(DataError::NoImages { folder: folder.to_owned() });
    }
    files.sort();
    let sample = |path| Sample { path, label: 0, boxes: Vec::new() };
    Ok(shuffled(files.into_iter().map(sample).collect(), seed, "folder train"))
}

/// The files of a folder whose names say that they are pictures, sorted.
pub(super) fn images(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let extensions = ["png", "jpg", "jpeg"];
    let is_image = |path: &PathBuf| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let known = extension.is_some_and(|e| extensions.iter().any(|x| e.eq_ignore_ascii_case(x)));
        known && path.is_file()
    };
    Ok(entries(folder)?.into_iter().filter(is_image).collect())
}

/// The folders of training and test images, where they are parted.
fn splits(folder: &Path) -> Result<Option<[PathBuf; 2]>, DataError> {
    let train = folder.join("train");
    if !train.is_dir() {
        return Ok(None);
    }
    if let Some(test) =
        ["val", "test"].map(|name| folder.join(name)).into_iter().find(|f| f.is_dir())
    {
        return Ok(Some([train, test]));
    }
    // A class may be called so.
    if entries(&train)?.iter().any(|path| path.is_dir()) {
        return Err(DataError::MissingFile {
            folder: folder.to_owned(),
            expected: "val/CLASS/* or test/CLASS/* beside train/CLASS/*".to_owned(),
        });
    }
    Ok(None)
}

fn classes(folder: &Path) -> Result<Vec<Class>, DataError> {
    let mut classes = Vec::new();
    for path in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| DataError::NotUnicode { path: path.clone() })?.to_owned();
        let files = images(&path)?;
        if files.is_empty() {
            return Err(DataError::NoImages { folder: path });
        }
        classes.push(Class { name, files });
    }
    if classes.is_empty() {
        return Err(DataError::MissingFile {
            folder: folder.to_owned(),
            expected: "a folder of PNG or JPEG files for each class".to_owned(),
        });
    }
    if classes.len() > MAX_CLASSES {
        return Err(DataError::TooManyClasses { found: classes.len(), limit: MAX_CLASSES });
    }
    Ok(classes)
}

/// What is in a folder and not hidden, sorted by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(DataError::io(folder))? {
        let entry = entry.map_err(DataError::io(folder))?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            entries.push(entry.path());
        }
    }
    entries.sort();
    Ok(entries)
}

fn check_same(train: &[Class], test: &[Class], folders: [PathBuf; 2]) -> Result<(), DataError> {
    let only = |some: &[Class], other: &[Class]| {
        let lacks = |class: &&Class| other.iter().all(|other| other.name != class.name);
        some.iter().find(lacks).map(|class| class.name.clone())
    };
    let [in_train, in_test] = folders;
    if let Some(class) = only(train, test) {
        return Err(DataError::LoneClass { class, present: in_train, absent: in_test });
    }
    match only(test, train) {
        Some(class) => Err(DataError::LoneClass { class, present: in_test, absent: in_train }),
        None => Ok(()),
    }
}

/// Parts the test images off.
fn hold_out(folder: &Path, classes: &mut [Class], seed: u64) -> Result<Vec<Class>, DataError> {
    let mut held_out = Vec::new();
    for (number, Class { name, files }) in classes.iter_mut().enumerate() {
        if files.len() < 2 {
            return Err(DataError::SingleImage { folder: folder.join(name) });
        }
        let count = (files.len() / TEST_SHARE).max(1);
        let mut chosen =
            Stream::numbered(seed, "folder split", number as u64).permutation(files.len());
        chosen.truncate(count);
        chosen.sort_unstable();
        let mut test: Vec<PathBuf> = chosen.iter().rev().map(|&at| files.remove(at)).collect();
        test.reverse();
        held_out.push(Class { name: name.clone(), files: test });
    }
    Ok(held_out)
}

fn names(classes: &[Class]) -> Vec<String> {
    classes.iter().map(|class| class.name.clone()).collect()
}

fn samples(classes: Vec<Class>) -> Vec<Sample> {
    let labelled = classes.into_iter().enumerate().flat_map(|(label, class)| {
        let sample = move |path| Sample { path, label: label as u16, boxes: Vec::new() };
        class.files.into_iter().map(sample)
    });
    labelled.collect()
}

fn shuffled(samples: Vec<Sample>, seed: u64, purpose: &str) -> Vec<Sample> {
    let order = Stream::new(seed, purpose).permutation(samples.len());
    let mut placed: Vec<(usize, Sample)> = order.into_iter().zip(samples).collect();
    placed.sort_unstable_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, sample)| sample).collect()
}
