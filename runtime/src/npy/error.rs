//! Why an array could not be read or written.

use std::path::PathBuf;
use std::{error, fmt, io};

use super::MAX_AXES;

/// A `.npy` file that cannot be read or written.
#[derive(Debug)]
pub enum NpyError {
    /// The file cannot be read.
    Read {
        /// The file.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// The file cannot be written.
    Write {
        /// The file.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// The file is longer than what is read.
    FileTooLong {
        /// Most bytes that are read.
        limit: u64,
    },
    /// The bytes do not start like a `.npy` file.
    Magic,
    /// The bytes end within the header.
    CutOff,
    /// A format version other than 1.0.
    Version {
        /// Major version.
        major: u8,
        /// Minor version.
        minor: u8,
    },
    /// The header is not what the format prescribes.
    Header {
        /// What was expected.
        expected: &'static str,
        /// Where in the header, in bytes.
        at: usize,
    },
    /// Elements other than `f32` and `f64`.
    ElementType {
        /// NumPy's name of the type found.
        found: String,
    },
    /// More axes than [`MAX_AXES`].
    Axes {
        /// Number of axes found.
        found: usize,
    },
    /// The number of values is not the product of the shape.
    Length {
        /// The shape.
        shape: Vec<usize>,
        /// The number of values found.
        found: usize,
    },
    /// The data end within a value.
    PartOfAValue {
        /// Length of the data.
        bytes: usize,
        /// Length of a value.
        size: usize,
    },
}

impl fmt::Display for NpyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, source } => write!(f, "cannot read {}: {source}", path.display()),
            Self::Write { path, source } => write!(f, "cannot write {}: {source}", path.display()),
            Self::FileTooLong { limit } => write!(f, "the array file is longer than {limit} bytes"),
            Self::Magic => write!(f, "not a .npy file"),
            Self::CutOff => write!(f, "the .npy file ends within its header"),
            Self::Version { major, minor } => {
                write!(f, "expected .npy version 1.0, found {major}.{minor}")
            }
            Self::Header { expected, at } => {
                write!(f, ".npy header: expected {expected} at byte {at}")
            }
            Self::ElementType { found } => {
                write!(f, "expected elements of type f4 or f8, found {found}")
            }
            Self::Axes { found } => write!(f, "expected at most {MAX_AXES} axes, found {found}"),
            Self::Length { shape, found } => {
                write!(f, "shape {shape:?} does not hold {found} values")
            }
            Self::PartOfAValue { bytes, size } => {
                write!(f, "{bytes} bytes of data are no whole number of values of {size} bytes")
            }
        }
    }
}

impl error::Error for NpyError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Read { source, .. } | Self::Write { source, .. } => Some(source),
            _ => None,
        }
    }
}
