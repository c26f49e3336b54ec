//! IDX files: MNIST, Fashion-MNIST and their relatives.
//!
//! A folder holds four files, plain or with `.gz` appended (the plain one is read where both are there):
//!
//! | file | content |
//! |---|---|
//! | `train-images-idx3-ubyte`, `t10k-images-idx3-ubyte` | magic `0x00000803`, count, rows, columns, then `u8` pixels |
//! | `train-labels-idx1-ubyte`, `t10k-labels-idx1-ubyte` | magic `0x00000801`, count, then one `u8` a label |
//!
//! All numbers are 32 bits, big-endian. The files do not name their classes: `classes.txt`, one name a line, does where the
//! folder has one, and otherwise they are `0` to `9`. A folder's own name is never taken as a hint.

mod file;

use std::fs;
use std::io;
use std::path::Path;

use super::{DataError, Dataset, Shape, Splits, checked_size};
use file::IdxFile;

const IMAGE_MAGIC: u32 = 0x0000_0803;
const LABEL_MAGIC: u32 = 0x0000_0801;
/// Longest image side accepted: such sets are small pictures, and a wild header should not pass for one.
const MAX_SIDE: usize = 1024;
const EXPECTED: &str = "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and \
                        t10k-labels-idx1-ubyte, each plain or with .gz appended";

/// Reads the folder's training (`train-*`) and test (`t10k-*`) images, one channel each.
///
/// # Errors
/// A [`DataError`] for a missing folder or file, another magic number, a file shorter or longer than its header says, images
/// without label or the reverse, sizes beyond the limits, and labels without a class name.
pub fn load(folder: &Path) -> Result<Splits, DataError> {
    if !folder.is_dir() {
        return Err(DataError::MissingFolder {
            folder: folder.to_owned(),
            expected: EXPECTED.to_owned(),
        });
    }
    let class_names = class_names(folder)?;
    let train = load_split(folder, "train", &class_names)?;
    let test = load_split(folder, "t10k", &class_names)?;
    if train.shape() != test.shape() {
        let sides = |set: &Dataset| [set.shape().channels, set.shape().height, set.shape().width];
        return Err(DataError::SplitMismatch { train: sides(&train), test: sides(&test) });
    }
    Ok(Splits { train, test })
}

fn class_names(folder: &Path) -> Result<Vec<String>, DataError> {
    let path = folder.join("classes.txt");
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text
            .lines()
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Ok((0..10).map(|digit| digit.to_string()).collect())
        }
        Err(error) => Err(DataError::io(&path)(error)),
    }
}

fn load_split(folder: &Path, split: &str, class_names: &[String]) -> Result<Dataset, DataError> {
    let mut images = IdxFile::open(folder, &format!("{split}-images-idx3-ubyte"))?;
    let [count, height, width] = images.header(IMAGE_MAGIC)?;
    if !(1..=MAX_SIDE).contains(&height) || !(1..=MAX_SIDE).contains(&width) {
        return Err(DataError::Side { height, width, limit: MAX_SIDE });
    }
    let shape = Shape { channels: 1, height, width };
    let pixels = images.body(checked_size(count as u64, shape.bytes() as u64)?)?;

    let mut labels = IdxFile::open(folder, &format!("{split}-labels-idx1-ubyte"))?;
    let [label_count] = labels.header(LABEL_MAGIC)?;
    if label_count != count {
        let origin = format!("the {split} files of {}", folder.display());
        return Err(DataError::CountMismatch { images: count, labels: label_count, origin });
    }
    let labels = labels.body(count as u64)?.into_iter().map(u16::from).collect();
    Dataset::new(shape, pixels, labels, class_names.to_vec())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};
    use tempfile::TempDir;

    use super::*;

    fn images(count: u32) -> Vec<u8> {
        let header = [IMAGE_MAGIC, count, 2, 3].map(u32::to_be_bytes).concat();
        [header, (0..count as u8 * 6).collect()].concat()
    }

    fn labels(values: &[u8]) -> Vec<u8> {
        let header = [LABEL_MAGIC, values.len() as u32].map(u32::to_be_bytes).concat();
        [header, values.to_vec()].concat()
    }

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// A folder of two training and two test images, with `name` replaced or added.
    fn load_with(name: &str, content: &[u8]) -> Result<Splits, DataError> {
        let folder = TempDir::new().unwrap();
        let write =
            |name: &str, content: &[u8]| fs::write(folder.path().join(name), content).unwrap();
        for split in ["train", "t10k"] {
            write(&format!("{split}-images-idx3-ubyte"), &images(2));
            write(&format!("{split}-labels-idx1-ubyte.gz"), &gz(&labels(&[7, 1])));
        }
        write(name, content);
        load(folder.path())
    }

    #[test]
    fn reads_plain_and_compressed_files() {
        let splits = load_with("unrelated", b"").unwrap();
        for set in [&splits.train, &splits.test] {
            assert_eq!(set.shape(), Shape { channels: 1, height: 2, width: 3 });
            assert_eq!(set.image(1), [6, 7, 8, 9, 10, 11]);
            assert_eq!((set.label(0), set.label(1)), (7, 1));
            assert_eq!(set.class_names()[7], "7");
            assert_eq!(set.mask(0), None);
        }
    }

    #[test]
    fn takes_class_names_from_the_folder() {
        let names = "a\r\nb\n\nc\nd\ne\nf\ng\nankle boot";
        assert_eq!(
            load_with("classes.txt", names.as_bytes()).unwrap().test.class_names()[7],
            "ankle boot"
        );
    }

    #[test]
    fn refuses_a_label_without_a_name() {
        assert!(matches!(
            load_with("classes.txt", b"a\nb"),
            Err(DataError::LabelOutOfRange { label: 7, .. })
        ));
    }

    #[test]
    fn refuses_a_truncated_file() {
        let bytes = images(2);
        for length in [0, 3, 15, bytes.len() - 1] {
            let result = load_with("train-images-idx3-ubyte", &bytes[..length]);
            assert!(matches!(result, Err(DataError::Truncated { .. })), "{length}: {result:?}");
        }
    }

    #[test]
    fn refuses_a_truncated_stream() {
        let bytes = gz(&labels(&[7, 1]));
        let result = load_with("train-labels-idx1-ubyte.gz", &bytes[..bytes.len() - 12]);
        assert!(matches!(result, Err(DataError::Truncated { .. })), "{result:?}");
    }

    #[test]
    fn refuses_a_stream_without_its_checksum() {
        let bytes = gz(&labels(&[7, 1]));
        let result = load_with("train-labels-idx1-ubyte.gz", &bytes[..bytes.len() - 4]);
        assert!(matches!(result, Err(DataError::Io { .. })), "{result:?}");
    }

    #[test]
    fn refuses_trailing_bytes() {
        for name in ["train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"] {
            let result = load_with(name, &[labels(&[7, 1]), vec![0]].concat());
            assert!(
                matches!(result, Err(DataError::TrailingBytes { expected: 10, .. })),
                "{result:?}"
            );
        }
    }

    #[test]
    fn refuses_labels_where_images_belong() {
        let result = load_with("train-images-idx3-ubyte", &labels(&[7, 1]));
        assert!(matches!(
            result,
            Err(DataError::WrongMagic { expected: IMAGE_MAGIC, found: LABEL_MAGIC, .. })
        ));
    }

    #[test]
    fn refuses_other_counts() {
        let result = load_with("t10k-labels-idx1-ubyte", &labels(&[1]));
        assert!(
            matches!(result, Err(DataError::CountMismatch { images: 2, labels: 1, .. })),
            "{result:?}"
        );
    }

    #[test]
    fn refuses_sizes_beyond_the_limits_before_reading() {
        let header = |extents: [u32; 3]| {
            let [count, height, width] = extents;
            [IMAGE_MAGIC, count, height, width].map(u32::to_be_bytes).concat()
        };
        let many = load_with("train-images-idx3-ubyte", &header([u32::MAX, 1024, 1024]));
        assert!(matches!(many, Err(DataError::SizeLimit { .. })), "{many:?}");
        let wide = load_with("train-images-idx3-ubyte", &header([1, 28, u32::MAX]));
        assert!(matches!(wide, Err(DataError::Side { height: 28, .. })), "{wide:?}");
    }

    #[test]
    fn reads_fashion_mnist_where_it_is_there() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/fashion-mnist");
        if !folder.is_dir() {
            println!("skipped: no folder {}", folder.display());
            return;
        }
        let splits = load(&folder).unwrap();
        assert_eq!((splits.train.len(), splits.test.len()), (60_000, 10_000));
        assert_eq!(splits.train.label(0), 9);
    }
}
