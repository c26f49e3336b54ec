//! Why a sealed part cannot be used.

use std::fmt;

use saligate_keys::{KeyId, SealError};

use super::VERSION;

/// An error in reading or writing a sealed part.
#[derive(Debug)]
pub enum SealedError {
    /// The bytes are no sealed part.
    Magic,
    /// Written by another version.
    Version {
        /// The version found.
        found: u32,
    },
    /// A length is out of its limits or does not fit the file: it is truncated, or has more than it
    /// says.
    Length,
    /// The manifest is not the one that was written with the sealed part, or is spelled otherwise.
    Manifest,
    /// The manifest says that something is sealed, and nothing is; or the other way round.
    Missing,
    /// The file has no key of this id.
    NoKey {
        /// The id.
        found: KeyId,
        /// Those that it has.
        known: Vec<KeyId>,
    },
    /// The vendor named in the manifest did not sign this sealed part.
    Signature,
    /// The manifest names no vendor, whose signature could be checked.
    NoVendor,
    /// The true network contradicts what the file says of it.
    Other {
        /// What differs.
        what: &'static str,
    },
    /// A model with a sealed part was to be changed, which the sealed part is bound against.
    Bound,
    /// A model cannot be sealed.
    Unfit {
        /// Why.
        reason: &'static str,
    },
    /// A cipher does not open.
    Seal(SealError),
}

impl fmt::Display for SealedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => f.write_str("this is no sealed part of a model"),
            Self::Version { found } => write!(
                f,
                "the sealed part has version {found}, this program reads {VERSION}; was it made by \
                 a newer saligate?"
            ),
            Self::Length => f.write_str(
                "the sealed part is truncated, or has too much in it; get the file again from where \
                 it came",
            ),
            Self::Manifest => f.write_str(
                "the manifest was changed after the model was sealed, or the sealed part is that of \
                 another file; get the file again from where it came",
            ),
            Self::Missing => f.write_str(
                "the manifest and the file do not agree whether something is sealed in it; get the \
                 file again from where it came",
            ),
            Self::NoKey { found, known } => {
                write!(f, "key {found} does not open the sealed part; it opens with key ")?;
                f.write_str(&KeyId::list(known))
            }
            Self::Signature => f.write_str(
                "the sealed part is not the one that the vendor signed; get the file again from \
                 where it came",
            ),
            Self::NoVendor => f.write_str("the manifest names no vendor who signed the sealed part"),
            Self::Other { what } => write!(
                f,
                "the sealed network has another {what} than the file says; ask the vendor for the \
                 file again"
            ),
            Self::Bound => f.write_str(
                "a sealed model cannot be changed: what is sealed is bound to it; lock the clean model \
                 anew with --sealed",
            ),
            Self::Unfit { reason } => f.write_str(reason),
            Self::Seal(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SealedError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Seal(error) => Some(error),
            _ => None,
        }
    }
}

impl From<SealError> for SealedError {
    fn from(error: SealError) -> Self {
        Self::Seal(error)
    }
}
