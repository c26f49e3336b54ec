//! Why an archive cannot be used.

use std::fmt;

use super::ARCHIVE_VERSION;

/// An error in reading an archive.
#[derive(Debug)]
pub enum ArchiveError {
    /// The bytes are no archive.
    Magic,
    /// Written by another version.
    Version {
        /// The version found.
        found: u32,
    },
    /// A length does not fit the file: it is truncated, or has more than it says.
    Length,
    /// The bytes are not those that were written.
    Damaged,
    /// The outline is no JSON, or says something else.
    Outline(serde_json::Error),
    /// A value uses one that does not come before it.
    Position,
}

impl fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => f.write_str("this is no compiled model"),
            Self::Version { found } => write!(
                f,
                "the compiled model has version {found}, this program reads {ARCHIVE_VERSION}; \
                 was it made by a newer saligate?"
            ),
            Self::Length => f.write_str("the compiled model is truncated, or has too much in it"),
            Self::Damaged => f.write_str("the compiled model is damaged: its SHA-256 differs"),
            Self::Outline(error) => write!(f, "the compiled model's outline is malformed: {error}"),
            Self::Position => f.write_str("the compiled model uses a value before it is there"),
        }
    }
}

impl std::error::Error for ArchiveError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Outline(error) => Some(error),
            Self::Magic | Self::Version { .. } | Self::Length | Self::Damaged | Self::Position => {
                None
            }
        }
    }
}
