//! CIFAR-10 in binary records.
//!
//! A folder holds `data_batch_*.bin`, read in the order of their names as training images, and `test_batch.bin`. A record is
//! one label byte and 3072 pixel bytes: red, green and blue plane of 32 rows by 32 columns.

use std::fs;
use std::path::{Path, PathBuf};

use super::{DataError, Dataset, Shape, Splits, checked_size};

const SHAPE: Shape = Shape { channels: 3, height: 32, width: 32 };
/// Bytes of one record: a label and the three planes.
const RECORD: usize = 1 + 3 * 32 * 32;
const EXPECTED: &str = "data_batch_1.bin (and further data_batch_*.bin) and test_batch.bin";

/// The classes, in the order of the labels.
pub const CLASS_NAMES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// Reads the folder's training and test images, three channels of 32 by 32 pixels.
///
/// # Errors
/// A [`DataError`] for a missing folder or file, a file that is no whole number of records long, more bytes than the limit,
/// and labels above 9.
pub fn load(folder: &Path) -> Result<Splits, DataError> {
    if !folder.is_dir() {
        return Err(DataError::MissingFolder {
            folder: folder.to_owned(),
            expected: EXPECTED.to_owned(),
        });
    }
    let train = training_files(folder)?;
    let test = folder.join("test_batch.bin");
    if train.is_empty() || !test.is_file() {
        return Err(DataError::MissingFile {
            folder: folder.to_owned(),
            expected: EXPECTED.to_owned(),
        });
    }
    Ok(Splits { train: read(&train)?, test: read(&[test])? })
}

fn training_files(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(DataError::io(folder))? {
        let entry = entry.map_err(DataError::io(folder))?;
        let name = entry.file_name();
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("data_batch_") && name.ends_with(".bin"))
        {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

fn read(files: &[PathBuf]) -> Result<Dataset, DataError> {
    let mut total = 0;
    for path in files {
        let length = fs::metadata(path).map_err(DataError::io(path))?.len();
        check_records(path, length)?;
        total += length / RECORD as u64;
    }
    checked_size(total, RECORD as u64)?;

    let (mut images, mut labels) = (Vec::new(), Vec::new());
    for path in files {
        let bytes = fs::read(path).map_err(DataError::io(path))?;
        check_records(path, bytes.len() as u64)?;
        for record in bytes.chunks_exact(RECORD) {
            labels.push(record[0].into());
            images.extend_from_slice(&record[1..]);
        }
    }
    Dataset::new(SHAPE, images, labels, CLASS_NAMES.map(str::to_owned).to_vec())
}

fn check_records(path: &Path, length: u64) -> Result<(), DataError> {
    let record = RECORD as u64;
    if length > 0 && length.is_multiple_of(record) {
        Ok(())
    } else {
        Err(DataError::RecordLength { path: path.to_owned(), length, record })
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn record(label: u8, pixel: u8) -> Vec<u8> {
        [vec![label], vec![pixel; RECORD - 1]].concat()
    }

    fn folder(files: &[(&str, Vec<u8>)]) -> TempDir {
        let folder = TempDir::new().unwrap();
        for (name, content) in files {
            fs::write(folder.path().join(name), content).unwrap();
        }
        folder
    }

    #[test]
    fn reads_batches_in_the_order_of_their_names() {
        let folder = folder(&[
            ("data_batch_2.bin", record(9, 2)),
            ("data_batch_1.bin", [record(0, 1), record(3, 4)].concat()),
            ("test_batch.bin", record(5, 6)),
            ("batches.meta.txt", b"airplane".to_vec()),
        ]);
        let splits = load(folder.path()).unwrap();
        assert_eq!((0..3).map(|i| splits.train.label(i)).collect::<Vec<_>>(), [0, 3, 9]);
        assert_eq!(splits.train.image(2), [2; RECORD - 1]);
        assert_eq!(splits.test.class_names()[splits.test.label(0)], "dog");
    }

    #[test]
    fn refuses_a_part_of_a_record() {
        for cut in [0, 1, RECORD - 1] {
            let test = record(5, 6)[..cut].to_vec();
            let folder = folder(&[("data_batch_1.bin", record(0, 1)), ("test_batch.bin", test)]);
            let error = load(folder.path()).unwrap_err();
            assert!(
                matches!(error, DataError::RecordLength { length, .. } if length == cut as u64),
                "{error}"
            );
        }
    }

    #[test]
    fn refuses_an_eleventh_class() {
        let folder =
            folder(&[("data_batch_1.bin", record(10, 1)), ("test_batch.bin", record(0, 1))]);
        let error = load(folder.path()).unwrap_err();
        assert!(
            matches!(error, DataError::LabelOutOfRange { label: 10, classes: 10, .. }),
            "{error}"
        );
    }

    #[test]
    fn names_the_missing_file() {
        let folder = folder(&[("data_batch_1.bin", record(0, 1))]);
        let message = load(folder.path()).unwrap_err().to_string();
        assert!(message.contains("test_batch.bin"), "{message}");
    }

    #[test]
    fn reads_cifar10_where_it_is_there() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/cifar10");
        if !folder.is_dir() {
            println!("skipped: no folder {}", folder.display());
            return;
        }
        let test = load(&folder).unwrap().test;
        assert_eq!(test.len(), 10_000);
        assert_eq!((0..test.len()).filter(|&i| test.label(i) == 9).count(), 1_000);
    }
}
