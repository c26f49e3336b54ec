//! Why something could not be drawn.

use std::path::PathBuf;
use std::{error, fmt, io};

use super::canvas::MAX_PIXELS;

/// Something that cannot be drawn, encoded or saved.
#[derive(Debug)]
pub enum RenderError {
    /// There is nothing to draw: a side, a row or the number of columns is 0.
    Empty,
    /// The number of values does not match the shape.
    Length {
        /// The number that the shape calls for.
        expected: usize,
        /// The number given.
        found: usize,
    },
    /// A value of the map is NaN or infinite.
    NotFinite {
        /// Its index in the flattened map.
        index: usize,
    },
    /// A row of a panel has more or fewer cells than there are columns.
    Cells {
        /// Index of the row.
        row: usize,
        /// Number of columns.
        expected: usize,
        /// Number of cells.
        found: usize,
    },
    /// The drawing would have more pixels than a canvas may have.
    TooLarge {
        /// Number of rows of pixels.
        height: usize,
        /// Number of columns of pixels.
        width: usize,
    },
    /// The PNG encoder failed.
    Encode {
        /// What it said.
        source: io::Error,
    },
    /// The file cannot be written.
    Write {
        /// The file.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "there is nothing to draw"),
            Self::Length { expected, found } => {
                write!(f, "expected {expected} values, found {found}")
            }
            Self::NotFinite { index } => write!(f, "the map is NaN or infinite at index {index}"),
            Self::Cells { row, expected, found } => {
                write!(f, "row {row} of the panel has {found} cells for {expected} columns")
            }
            Self::TooLarge { height, width } => {
                write!(f, "a drawing of {width} x {height} pixels exceeds {MAX_PIXELS} pixels")
            }
            Self::Encode { source } => write!(f, "cannot encode the picture: {source}"),
            Self::Write { path, source } => write!(f, "cannot write {}: {source}", path.display()),
        }
    }
}

impl error::Error for RenderError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Encode { source } | Self::Write { source, .. } => Some(source),
            _ => None,
        }
    }
}
