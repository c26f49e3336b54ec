//! The errors of all rooms as one, for whoever works with files.

use std::path::PathBuf;
use std::{fmt, io};

use crate::{
    FileError, IdentityError, LedgerError, LicenseError, RecordError, SecretError, SecretFileError,
    TriggerError, VendorError,
};

/// What went wrong in one of the rooms of this crate, and with which file.
///
/// The message has two parts: what happened, and after the semicolon what to try. Messages never
/// contain a line of a key file or any other text that could be a secret, not even where it was
/// given in place of something public.
#[derive(Debug)]
pub enum Error {
    /// There is no such secret or key id.
    Secret(SecretError),
    /// Nothing can be wrapped for a recipient.
    Identity(IdentityError),
    /// A key file or identity file gives no secret, or cannot be written.
    SecretFile(SecretFileError),
    /// There is no such trigger, or it does not fit.
    Trigger(TriggerError),
    /// A vendor's name or signature is wrong.
    Vendor(VendorError),
    /// There is no such licence.
    License(LicenseError),
    /// A ledger is damaged, or has no such entry or key.
    Ledger(LedgerError),
    /// A file cannot be read or written.
    File(FileError),
    /// An error about the file at a path.
    At {
        /// The file.
        path: PathBuf,
        /// The error; the message of this one already contains its message.
        error: Box<Error>,
    },
}

impl Error {
    /// The error without the file that it is about.
    pub fn reason(&self) -> &Self {
        match self {
            Self::At { error, .. } => error.reason(),
            error => error,
        }
    }

    /// Whether a file is of the right kind but was changed, or is not signed as it should be: for a
    /// licence or signature, the answer is no. A file of another kind or version, one that is far too
    /// large, or one that cannot be read leaves the question open.
    pub fn is_refusal(&self) -> bool {
        match self.reason() {
            Self::License(LicenseError::Signature)
            | Self::Vendor(
                VendorError::Signature
                | VendorError::SignedByAnother { .. }
                | VendorError::SignedFile,
            ) => true,
            Self::License(LicenseError::Record(record))
            | Self::Vendor(VendorError::Record(record))
            | Self::Ledger(LedgerError::Record(record))
            | Self::SecretFile(SecretFileError::Record(record)) => {
                matches!(record, RecordError::Malformed { .. })
            }
            _ => false,
        }
    }

    /// Wraps an error in the path of the file it is about.
    pub(crate) fn at(self, path: impl Into<PathBuf>) -> Self {
        Self::At { path: path.into(), error: Box::new(self) }
    }

    /// The error of the room.
    fn room(&self) -> &(dyn std::error::Error + 'static) {
        match self {
            Self::Secret(error) => error,
            Self::Identity(error) => error,
            Self::SecretFile(error) => error,
            Self::Trigger(error) => error,
            Self::Vendor(error) => error,
            Self::License(error) => error,
            Self::Ledger(error) => error,
            Self::File(error) => error,
            Self::At { error, .. } => error.room(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At { path, error } => write!(f, "{}: {error}", path.display()),
            error => fmt::Display::fmt(error.room(), f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The message repeats that of the room, so the chain goes on behind it.
        self.room().source()
    }
}

macro_rules! from {
    ($($room:ident($error:ty)),* $(,)?) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::$room(error)
            }
        })*
    };
}

from!(
    Secret(SecretError),
    Identity(IdentityError),
    SecretFile(SecretFileError),
    Trigger(TriggerError),
    Vendor(VendorError),
    License(LicenseError),
    Ledger(LedgerError),
    File(FileError),
);

impl From<io::Error> for Error {
    fn from(source: io::Error) -> Self {
        Self::File(source.into())
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;
    use crate::{LineFault, V1Error};

    #[test]
    fn messages_say_what_happened_and_what_to_try() {
        let error = V1Error::Line { line: 4, fault: LineFault::Checksum };
        assert_eq!(
            Error::from(SecretFileError::from(error)).at("my.key").to_string(),
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

    #[test]
    fn what_was_changed_is_refused_and_what_is_something_else_is_not() {
        let damage =
            || RecordError::Malformed { what: "license", line: 3, fault: crate::Fault::CutOff };
        let other = || RecordError::OtherKind { expected: "license", found: None };
        assert!(Error::from(LicenseError::from(damage())).at("1.license").is_refusal());
        assert!(Error::from(VendorError::from(damage())).is_refusal());
        assert!(Error::from(VendorError::SignedFile).is_refusal());
        assert!(!Error::from(LicenseError::from(other())).is_refusal());
        assert!(!Error::from(LedgerError::NoFreeKey).at("ledger").is_refusal());
    }
}
