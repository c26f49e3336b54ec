//! What can go wrong with a key file of version 1.

use std::fmt;

/// Why a text is no key file of version 1.
#[derive(Debug, thiserror::Error)]
pub enum V1Error {
    /// A line is damaged.
    #[error("line {line} {fault}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        fault: LineFault,
    },
    /// The secret is of another version.
    #[error(
        "line {line} has key format version {found}; made by a newer program? then update this one"
    )]
    Version {
        /// Counted from 1.
        line: usize,
        /// The version that the file states.
        found: u16,
    },
    /// There is no secret.
    #[error("there is no secret in the key file; restore it from a backup")]
    Empty,
}

/// What is wrong with a line of a key file of version 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFault {
    /// The line is not UTF-8, or it has control characters.
    Encoding,
    /// The line is neither a comment nor a well-formed secret.
    Syntax,
    /// The secret and its checksum disagree.
    Checksum,
    /// There is a second secret.
    SecondSecret,
    /// There is a second key id or a second label.
    SecondField,
    /// The stated key id is not 16 lowercase hex digits.
    KeyId,
    /// The label is not one that this program writes.
    Label,
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
