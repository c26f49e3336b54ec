//! Everything that can go wrong in this crate.

use std::path::PathBuf;
use std::{fmt, io};

use crate::{ImageShape, KeyId, TriggerSpec};

/// What went wrong.
///
/// The message has two parts: what happened, and after the semicolon what to try. Messages never
/// contain a line of a key file or any other text that could be a secret, not even where it was
/// given in place of something public.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The operating system gave no random bytes. Coarse on purpose: the library below does not say
    /// more.
    Random,
    /// A text that should be a [`KeyId`] is none.
    KeyIdSyntax,
    /// A label of a key file is empty, too long, padded with blanks, or has control characters.
    Label {
        /// The most bytes a label may have.
        limit: usize,
    },

    /// The side of a tile or patch is out of range.
    Size {
        /// The side in pixels.
        found: u16,
    },
    /// The amplitude of a trigger is out of range.
    Amplitude {
        /// The amplitude in 8-bit steps.
        found: u8,
    },
    /// No image of these sizes is supported.
    Shape {
        /// Number of channels.
        channels: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// A tile or patch does not fit into the image.
    LargerThanImage {
        /// The side of the tile or patch in pixels.
        size: u16,
        /// The image.
        shape: ImageShape,
    },
    /// A slice of pixels has not the length of the image that the trigger was derived for.
    PixelCount {
        /// The image that the trigger was derived for.
        shape: ImageShape,
        /// The length of the slice.
        found: usize,
    },
    /// A trigger has no such sign cell.
    Cell {
        /// The index that was asked for.
        cell: usize,
        /// How many cells there are.
        cells: usize,
    },
    /// A patch has neither signs nor an amplitude.
    NotAdditive,

    /// A key file is larger than any this program writes.
    KeyFileTooLarge {
        /// The most bytes a key file may have.
        limit: usize,
    },
    /// A line of a key file is damaged.
    KeyFileLine {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        fault: LineFault,
    },
    /// A key file of another format version.
    KeyFileVersion {
        /// Counted from 1.
        line: usize,
        /// The version that the file states.
        found: u16,
    },
    /// The key id that a key file states belongs to another secret.
    KeyFileKeyId {
        /// The key id in the comment.
        stated: KeyId,
        /// The key id of the secret in the file.
        derived: KeyId,
    },
    /// A key file without a secret.
    KeyFileEmpty,
    /// There is a file of that name; keys are never overwritten.
    KeyFileExists,
    /// The operating system refused to read or write.
    Io {
        /// Its reason.
        source: io::Error,
    },
    /// An error about the file at a path.
    File {
        /// The file.
        path: PathBuf,
        /// The error; the message of this one already contains its message.
        error: Box<Error>,
    },
}

/// What is wrong with a line of a key file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LineFault {
    /// Not UTF-8, or it has control characters.
    Encoding,
    /// Neither a comment nor a well-formed secret.
    Syntax,
    /// The secret and its checksum disagree.
    Checksum,
    /// A second secret.
    SecondSecret,
    /// A second key id or a second label.
    SecondField,
    /// The stated key id is not 16 lowercase hex digits.
    KeyId,
    /// The label is not one that this program writes.
    Label,
}

impl Error {
    /// Wraps an error in the path of the file it is about.
    pub(crate) fn at(self, path: impl Into<PathBuf>) -> Self {
        Self::File { path: path.into(), error: Box::new(self) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random => f.write_str(
                "the system gave no random bytes; \
                 try again, or look for a sandbox that withholds them",
            ),
            Self::KeyIdSyntax => f.write_str(
                "not a key id; \
                 give the 16 lowercase hex digits that the key file and the manifest show",
            ),
            Self::Label { limit } => write!(
                f,
                "not a usable label; \
                 give one line of 1 to {limit} bytes without blanks at its ends"
            ),
            Self::Size { found } => write!(
                f,
                "trigger size {found} is out of range; give 1 to {} pixels",
                TriggerSpec::MAX_SIZE
            ),
            Self::Amplitude { found } => write!(
                f,
                "trigger amplitude {found} is out of range; give 1 to {} steps of 1/255",
                TriggerSpec::MAX_AMPLITUDE
            ),
            Self::Shape { channels, height, width } => write!(
                f,
                "images of {channels}x{height}x{width} (channels x height x width) are not \
                 supported; use 1 to {} channels and sides of 1 to {} pixels",
                ImageShape::MAX_CHANNELS,
                ImageShape::MAX_SIDE
            ),
            Self::LargerThanImage { size, shape } => write!(
                f,
                "a trigger of {size}x{size} pixels does not fit into an image of {shape}; \
                 use a smaller size or larger images"
            ),
            Self::PixelCount { shape, found } => write!(
                f,
                "found {found} values, but an image of {shape} has {}; \
                 pass one image in [channel, row, column] order",
                shape.values()
            ),
            Self::Cell { cell, cells } => {
                write!(f, "there is no cell {cell} in a trigger of {cells}; count from 0")
            }
            Self::NotAdditive => f.write_str(
                "a patch has no signs or amplitude to change; use a tile or full trigger",
            ),
            Self::KeyFileTooLarge { limit } => {
                write!(f, "more than {limit} bytes, so no key file; check the path")
            }
            Self::KeyFileLine { line, fault } => write!(f, "line {line} {fault}"),
            Self::KeyFileVersion { line, found } => write!(
                f,
                "line {line} has key format version {found}; \
                 made by a newer program? then update this one"
            ),
            Self::KeyFileKeyId { stated, derived } => write!(
                f,
                "the file says key {stated} but holds key {derived}; \
                 restore it from a backup, or correct the comment if you edited it"
            ),
            Self::KeyFileEmpty => {
                f.write_str("there is no secret in the key file; restore it from a backup")
            }
            Self::KeyFileExists => {
                f.write_str("the file exists and keys are never overwritten; choose another name")
            }
            Self::Io { source } => {
                write!(f, "{source}; check the path, its permissions and the free space")
            }
            Self::File { path, error } => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl fmt::Display for LineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Encoding => "is not plain text; check the path",
            Self::Syntax => {
                "is neither a comment nor a well-formed secret; \
                 restore the file from a backup, or check the path"
            }
            Self::Checksum => {
                "has a secret with a wrong checksum; \
                 copy it again, or restore the file from a backup"
            }
            Self::SecondSecret => "has a second secret; keep each in a file of its own",
            Self::SecondField => "repeats a field; remove one of the two",
            Self::KeyId => {
                "states a malformed key id; \
                 restore the file from a backup, or remove the line"
            }
            Self::Label => "has an unusable label; shorten or remove it",
        })
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source } => Some(source),
            // The message repeats that of the wrapped error, so the chain goes on behind it.
            Self::File { error, .. } => error.source(),
            _ => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(source: io::Error) -> Self {
        Self::Io { source }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn messages_say_what_happened_and_what_to_try() {
        let error = Error::KeyFileLine { line: 4, fault: LineFault::Checksum };
        assert_eq!(
            error.at("my.key").to_string(),
            "my.key: line 4 has a secret with a wrong checksum; \
             copy it again, or restore the file from a backup"
        );
    }

    #[test]
    fn the_source_is_kept_through_the_path() {
        let error = Error::from(io::Error::from(io::ErrorKind::NotFound)).at("my.key");
        let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
        assert_eq!(source.kind(), io::ErrorKind::NotFound);
    }
}
