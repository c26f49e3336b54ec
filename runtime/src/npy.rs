//! NumPy's `.npy` files, as far as attributions need them.
//!
//! Written are `f32`, little-endian, in C order, format version 1.0, byte by byte as NumPy does it.
//! Read are `f32` and `f64` of either byte order, in C or Fortran order, format version 1.0.
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
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use saligate_files::atomic::write_atomic;

pub use error::NpyError;
use header::{Element, Header};

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

/// Reads a `.npy` file of `f32` or `f64`; the latter are rounded to `f32`.
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
/// [`NpyError`] for bytes that are no `.npy` file, another version, another element type, a header
/// that cannot be understood, and more or fewer values than the shape calls for.
pub fn decode(bytes: &[u8]) -> Result<NpyArray, NpyError> {
    let (Header { element, fortran_order, shape }, data) = header::decode(bytes)?;
    let stored = match element {
        Element::F32Little => numbers(data, f32::from_le_bytes)?,
        Element::F32Big => numbers(data, f32::from_be_bytes)?,
        Element::F64Little => numbers(data, |bytes| f64::from_le_bytes(bytes) as f32)?,
        Element::F64Big => numbers(data, |bytes| f64::from_be_bytes(bytes) as f32)?,
    };
    check_length(&shape, stored.len())?;
    let values = if fortran_order { in_c_order(&shape, &stored) } else { stored };
    Ok(NpyArray { shape, values })
}

fn numbers<const SIZE: usize>(
    data: &[u8],
    number: impl Fn([u8; SIZE]) -> f32,
) -> Result<Vec<f32>, NpyError> {
    let (numbers, rest) = data.as_chunks::<SIZE>();
    if !rest.is_empty() {
        return Err(NpyError::PartOfAValue { bytes: data.len(), size: SIZE });
    }
    Ok(numbers.iter().map(|&bytes| number(bytes)).collect())
}

/// From the order in which the first axis varies fastest to that in which the last one does.
fn in_c_order(shape: &[usize], stored: &[f32]) -> Vec<f32> {
    let mut index = vec![0; shape.len()];
    let next = |_| {
        let at = index.iter().zip(shape).rev().fold(0, |at, (i, length)| at * length + i);
        for (i, &length) in index.iter_mut().zip(shape).rev() {
            *i += 1;
            if *i < length {
                break;
            }
            *i = 0;
        }
        stored[at]
    };
    (0..stored.len()).map(next).collect()
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
