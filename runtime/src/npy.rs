//! NumPy's `.npy` files, as far as attributions need them: `f32`, little-endian, C order, format
//! version 1.0.
//!
//! ```text
//! 0x93 "NUMPY"   magic, 6 bytes
//! 1 0            version
//! u16            length of the header, little-endian
//! {'descr': '<f4', 'fortran_order': False, 'shape': (3, 224, 224), }   padded, line feed last
//! f32 …          the values, last axis fastest
//! ```
//! Magic to line feed is a multiple of 64 bytes long, so that the values can be mapped into memory.

mod error;
mod header;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use saligate_files::atomic::write_atomic;

pub use error::NpyError;

/// Longest file that is read, 1 GiB: far above any attribution, far below what exhausts a device by
/// mistake.
pub const MAX_FILE_BYTES: u64 = 1 << 30;
/// Most axes of an array, as in NumPy 1.
pub const MAX_AXES: usize = 32;

/// An array of `f32`.
#[derive(Clone, Debug, PartialEq)]
pub struct NpyArray {
    /// Length of each axis, slowest first; empty for a single number.
    pub shape: Vec<usize>,
    /// The values in C order: the last axis varies fastest.
    pub values: Vec<f32>,
}

/// Writes `values` of this `shape` to a `.npy` file, whole or not at all. Values that are not
/// finite are written too.
///
/// # Errors
/// [`NpyError`] for a length other than the product of `shape`, more than [`MAX_AXES`] axes, and a
/// file that cannot be written; what was at the path is then still there.
pub fn write_npy(path: &Path, shape: &[usize], values: &[f32]) -> Result<(), NpyError> {
    let bytes = encode(shape, values)?;
    write_atomic(path, &bytes).map_err(|source| NpyError::Write { path: path.to_owned(), source })
}

/// Reads a `.npy` file of `f32` in C order.
///
/// # Errors
/// [`NpyError`] for a file that cannot be read or exceeds [`MAX_FILE_BYTES`], and those of
/// [`decode`].
pub fn read_npy(path: &Path) -> Result<NpyArray, NpyError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|source| NpyError::Read { path: path.to_owned(), source })?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(NpyError::FileTooLong { limit: MAX_FILE_BYTES });
    }
    decode(&bytes)
}

/// The bytes of a `.npy` file.
///
/// # Errors
/// [`NpyError::Length`] for a length other than the product of `shape`, [`NpyError::Axes`] for more
/// than [`MAX_AXES`].
pub fn encode(shape: &[usize], values: &[f32]) -> Result<Vec<u8>, NpyError> {
    check_length(shape, values.len())?;
    let mut bytes = header::encode(shape);
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    Ok(bytes)
}

/// Reads the bytes of a `.npy` file. Every byte must be accounted for.
///
/// # Errors
/// [`NpyError`] for bytes that are no `.npy` file, another version, another element type or order,
/// a header that cannot be understood, and more or fewer values than the shape calls for.
pub fn decode(bytes: &[u8]) -> Result<NpyArray, NpyError> {
    let (shape, data) = header::decode(bytes)?;
    let (numbers, rest) = data.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(NpyError::PartOfAValue { bytes: data.len() });
    }
    check_length(&shape, numbers.len())?;
    let values = numbers.iter().map(|&number| f32::from_le_bytes(number)).collect();
    Ok(NpyArray { shape, values })
}

fn check_length(shape: &[usize], found: usize) -> Result<(), NpyError> {
    if shape.len() > MAX_AXES {
        return Err(NpyError::Axes { found: shape.len() });
    }
    let expected = shape.iter().try_fold(1, |product: usize, &axis| product.checked_mul(axis));
    if expected != Some(found) {
        return Err(NpyError::Length { shape: shape.to_vec(), found });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `numpy.lib.format.write_array(f, numpy.array([[1, -2.5]], '<f4'), version=(1, 0))`, NumPy 2.
    const FROM_NUMPY: &[u8] = b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, \
        'shape': (1, 2), }                                                          \n\
        \x00\x00\x80\x3f\x00\x00\x20\xc0";

    fn with_header(header: &str, data: &[u8]) -> Vec<u8> {
        let length = (header.len() as u16).to_le_bytes();
        [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
    }

    #[test]
    fn bytes_agree_with_numpy() {
        assert_eq!(encode(&[1, 2], &[1.0, -2.5]).unwrap(), FROM_NUMPY);
        assert_eq!(
            decode(FROM_NUMPY).unwrap(),
            NpyArray { shape: vec![1, 2], values: vec![1.0, -2.5] }
        );
    }

    #[test]
    fn every_shape_and_every_bit_survives() {
        for shape in [&[][..], &[1], &[0], &[5, 0, 2], &[2, 3, 4], &[1; 32], &[100_000]] {
            let count = shape.iter().product();
            let values: Vec<f32> = (0..count)
                .map(|i: usize| f32::from_bits((i as u32).wrapping_mul(0x9E37_79B9)))
                .collect();
            let bytes = encode(shape, &values).unwrap();
            assert_eq!((bytes.len() - 4 * count) % 64, 0, "values are not aligned");
            let array = decode(&bytes).unwrap();
            assert_eq!(array.shape, shape);
            assert!(
                array
                    .values
                    .iter()
                    .map(|value| value.to_bits())
                    .eq(values.iter().map(|value| value.to_bits()))
            );
        }
    }

    #[test]
    fn files_are_written_and_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("map.npy");
        write_npy(&path, &[2, 1], &[0.5, -0.5]).unwrap();
        assert_eq!(
            read_npy(&path).unwrap(),
            NpyArray { shape: vec![2, 1], values: vec![0.5, -0.5] }
        );
        assert!(matches!(read_npy(&folder.path().join("none.npy")), Err(NpyError::Read { .. })));
        assert!(matches!(
            write_npy(&folder.path().join("no/map.npy"), &[], &[1.0]),
            Err(NpyError::Write { .. })
        ));
    }

    #[test]
    fn a_shape_that_does_not_fit_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("map.npy");
        assert!(matches!(
            write_npy(&path, &[2, 2], &[1.0]),
            Err(NpyError::Length { found: 1, .. })
        ));
        assert!(matches!(write_npy(&path, &[1; 33], &[1.0]), Err(NpyError::Axes { found: 33 })));
        assert!(matches!(write_npy(&path, &[usize::MAX, 2], &[]), Err(NpyError::Length { .. })));
        assert!(!path.exists());
    }

    #[test]
    fn headers_may_differ_in_order_and_space() {
        for header in [
            "{'shape':(2,),'fortran_order':False,'descr':'<f4'}\n",
            "{\"descr\": \"<f4\", 'fortran_order' : False , 'shape' : ( 2 , ) , }   \n",
        ] {
            assert_eq!(decode(&with_header(header, &[0; 8])).unwrap().shape, [2], "{header}");
        }
    }

    #[test]
    fn other_kinds_of_arrays_are_named() {
        let header = |text: &str| decode(&with_header(text, &[0; 8])).unwrap_err().to_string();
        let double = header("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }\n");
        assert!(double.contains("<f8"), "{double}");
        let fortran = header("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2), }\n");
        assert!(fortran.contains("Fortran"), "{fortran}");
        let version = decode(b"\x93NUMPY\x02\x00\x00\x00").unwrap_err().to_string();
        assert!(version.contains("2.0"), "{version}");
    }

    #[test]
    fn broken_headers_are_errors() {
        for header in [
            "",
            "{",
            "{}",
            "{'descr': '<f4', 'fortran_order': False}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (2)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'more': 1}",
            "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} x",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999,)}",
            "{'descr': '<f4', 'fortran_order': Falsehood, 'shape': (2,)}",
        ] {
            let error = decode(&with_header(header, &[0; 8])).unwrap_err();
            assert!(matches!(error, NpyError::Header { .. }), "{header}: {error}");
        }
    }

    #[test]
    fn every_truncation_and_a_byte_too_many_are_errors() {
        for end in 0..FROM_NUMPY.len() {
            assert!(decode(&FROM_NUMPY[..end]).is_err(), "cut to {end} bytes");
        }
        assert!(decode(&[FROM_NUMPY, &[0]].concat()).is_err());
        assert!(decode(&[FROM_NUMPY, &[0; 4]].concat()).is_err());
    }
}
