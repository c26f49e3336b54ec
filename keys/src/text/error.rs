//! What can go wrong with a file, whatever it says.

use std::{fmt, io};

/// Why a text is no file of this crate, or not a whole one.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The text is a file of another kind.
    #[error("this is no saligate {expected} file{}; check the path", but(*.found))]
    OtherKind {
        /// The kind it should be of.
        expected: &'static str,
        /// The kind it says it is of, if it is one of this crate's.
        found: Option<&'static str>,
    },
    /// The text is of another version of the format.
    #[error(
        "the {what} file has version {found}, this program reads version {newest}; {}",
        if found > newest {
            "made by a newer program? then update this one"
        } else {
            "no program wrote such a file: get it again from where it came"
        }
    )]
    Version {
        /// The kind of file.
        what: &'static str,
        /// The version that it states.
        found: u32,
        /// The newest one that is read.
        newest: u32,
    },
    /// The text is larger than any that this program writes.
    #[error("more than {limit} bytes, so no {what} file; check the path")]
    TooLarge {
        /// The kind of file.
        what: &'static str,
        /// The most bytes that one may have.
        limit: usize,
    },
    /// The text is damaged.
    #[error("the {what} file was changed or damaged: line {line} {fault}")]
    Malformed {
        /// The kind of file.
        what: &'static str,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        fault: Fault,
    },
}

fn but(found: Option<&str>) -> String {
    found.map(|found| format!(" but a {found} file")).unwrap_or_default()
}

/// What is wrong with a line of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The line is not UTF-8, or has control characters, among them the line ends of Windows.
    Encoding,
    /// The text ends before its end.
    CutOff,
    /// A line of this name should stand there.
    Expected(&'static str),
    /// The value of this name is none that was ever written, or does not agree with the rest.
    Value(&'static str),
    /// Something stands behind the end.
    TooMuch,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encoding => {
                f.write_str("is not plain text with Unix line ends; copy the file again, as it is")
            }
            Self::CutOff => f.write_str("is cut off; copy the file again, to its end"),
            Self::Expected(name) => {
                write!(f, "should be '{name}: ...'; get the file again from where it came")
            }
            Self::Value(name) => {
                write!(f, "has a wrong or unusual '{name}'; get the file again from where it came")
            }
            Self::TooMuch => f.write_str("is too much; copy the file again, and nothing else"),
        }
    }
}

/// Why a file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is a file of that name, and it is not overwritten.
    #[error("the file exists and is not overwritten; choose another name")]
    Exists,
    /// The operating system refused.
    #[error("{source}; check the path, its permissions and the free space")]
    Io {
        /// Its reason.
        #[from]
        source: io::Error,
    },
}

/// A text that should be a [`Timestamp`](crate::Timestamp) is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a date; write 2026-11-23, or with the time of day in UTC 2026-11-23T14:31:21Z")]
pub struct TimeError;
