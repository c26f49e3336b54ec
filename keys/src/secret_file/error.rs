//! What can go wrong with a file that holds a secret.

use super::v1::V1Error;
use crate::{RecordError, SecretError};

/// Why a file gives no secret, or cannot be written with one. No message has a line of the file in
/// it, nor any other text that could be a secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// The text is no such file, or a damaged one.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The text is a damaged key file of version 1.
    #[error(transparent)]
    V1(#[from] V1Error),
    /// A label is empty, too long, padded with blanks, or has control characters.
    #[error(
        "not a usable label; \
         give one line of 1 to {limit} bytes, without blanks at its ends or characters that turn \
         the direction of text"
    )]
    Label {
        /// The most bytes a label may have.
        limit: usize,
    },
    /// The public half that a file states belongs to another secret.
    #[error(
        "the file says {stated} but holds {derived}; \
         restore it from a backup, or correct the line if you edited it"
    )]
    PublicHalf {
        /// What stands in the file.
        stated: String,
        /// What the secret in the file has.
        derived: String,
    },
    /// A secret is sealed, and no passphrase was given.
    #[error(
        "the file is sealed with a passphrase, which was not given; give it, or a file that is not \
         sealed"
    )]
    Sealed,
    /// The passphrase does not open the file. Coarse, because an authenticated cipher only tells
    /// that it failed: a wrong passphrase and a changed file look alike to it, and saying more would
    /// help whoever guesses.
    #[error("the passphrase does not open the file; try again")]
    WrongPassphrase,
    /// A passphrase is empty or too long.
    #[error("a passphrase has 1 to {limit} bytes; choose another")]
    PassphraseLength {
        /// The most bytes it may have.
        limit: usize,
    },
    /// There are no random bytes to seal with.
    #[error(transparent)]
    Secret(#[from] SecretError),
}
