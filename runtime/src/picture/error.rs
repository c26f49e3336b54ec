//! Why a picture could not be read, made or written.

use std::path::PathBuf;
use std::{error, fmt, io};

use super::{FORMATS, MAX_PIXELS, MAX_SIDE};

/// A picture that cannot be read, made or written. The message says what happened,
/// [`hint`](Self::hint) what to try.
#[derive(Debug)]
pub enum PictureError {
    /// The file cannot be read.
    Read {
        /// The file.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// The file is longer than any picture within the limits.
    FileTooLong {
        /// The file.
        path: PathBuf,
        /// Most bytes that are read.
        limit: u64,
    },
    /// The content is in none of the [`FORMATS`].
    NotAPicture {
        /// The file.
        path: PathBuf,
    },
    /// The content ends before the last pixel.
    CutOff {
        /// The file.
        path: PathBuf,
    },
    /// The content breaks the rules of its format, or uses a part of the format that is not
    /// supported.
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        source: Box<dyn error::Error + Send + Sync>,
    },
    /// The picture exceeds [`MAX_SIDE`] or [`MAX_PIXELS`].
    TooLarge {
        /// The file, unless the size was asked for by the caller.
        path: Option<PathBuf>,
        /// Number of rows.
        height: usize,
        /// Number of columns.
        width: usize,
    },
    /// A side of the picture is 0.
    Empty {
        /// Number of rows.
        height: usize,
        /// Number of columns.
        width: usize,
    },
    /// The resized picture is smaller than what is to be cut out of it.
    SmallerThanCut {
        /// Rows and columns of the resized picture.
        resized: (usize, usize),
        /// Rows and columns to cut out.
        size: (usize, usize),
    },
    /// A number of channels other than 1 and 3.
    Channels {
        /// The number asked for.
        found: usize,
    },
    /// The number of pixel values does not match the shape.
    Length {
        /// `channels · height · width`.
        expected: usize,
        /// The number given.
        found: usize,
    },
    /// The file cannot be written.
    Write {
        /// The file.
        path: PathBuf,
        /// What the encoder or the file system said.
        source: io::Error,
    },
}

impl PictureError {
    /// What the user may try.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "check the spelling of the path"
            }
            Self::Read { .. } => "check that the path is a file and that you may read it",
            Self::NotAPicture { .. } => "convert the file to PNG or JPEG",
            Self::CutOff { .. } => "copy or download the file again",
            Self::Damaged { .. } => "open the file in an image editor and save it again as PNG",
            Self::FileTooLong { .. } | Self::TooLarge { .. } => "shrink or crop the picture first",
            Self::Empty { .. } | Self::Length { .. } => {
                "give as many pixel values as the shape calls for, at least one"
            }
            Self::SmallerThanCut { .. } => {
                "resize the shorter side to more pixels, or take a smaller size"
            }
            Self::Channels { .. } => "ask for 1 channel (grey) or 3 (red, green, blue)",
            Self::Write { .. } => "check that the folder exists, is writable and has space left",
        }
    }
}

impl fmt::Display for PictureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, source } => write!(f, "cannot read {}: {source}", path.display()),
            Self::FileTooLong { path, limit } => {
                write!(f, "{} is longer than {limit} bytes", path.display())
            }
            Self::NotAPicture { path } => {
                let (last, others) = FORMATS.split_last().expect("there are formats");
                let others = others.join(", ");
                write!(f, "{} is neither a {others} nor a {last} picture", path.display())
            }
            Self::CutOff { path } => {
                write!(f, "{} ends in the middle of the picture", path.display())
            }
            Self::Damaged { path, source } => {
                write!(f, "cannot decode {}: {source}", path.display())
            }
            Self::TooLarge { path, height, width } => {
                match path {
                    Some(path) => write!(f, "{} has", path.display())?,
                    None => write!(f, "a picture would have")?,
                }
                write!(
                    f,
                    " {width} x {height} pixels; the limits are {MAX_SIDE} a side, {MAX_PIXELS} in all"
                )
            }
            Self::Empty { height, width } => {
                write!(f, "a picture of {width} x {height} pixels has no pixel")
            }
            Self::SmallerThanCut { resized, size } => {
                write!(
                    f,
                    "a picture resized to {} x {} pixels is smaller than the {} x {} that are cut out",
                    resized.1, resized.0, size.1, size.0
                )
            }
            Self::Channels { found } => write!(f, "a picture has 1 or 3 channels, not {found}"),
            Self::Length { expected, found } => {
                write!(f, "expected {expected} pixel values, found {found}")
            }
            Self::Write { path, source } => write!(f, "cannot write {}: {source}", path.display()),
        }
    }
}

impl error::Error for PictureError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Read { source, .. } | Self::Write { source, .. } => Some(source),
            Self::Damaged { source, .. } => Some(source.as_ref()),
            _ => None,
        }
    }
}
