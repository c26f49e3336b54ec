//! What went wrong, what to try, and the exit code.

use std::fmt;
use std::io;
use std::path::Path;

use saligate_models::graph::GraphError;
use saligate_models::import::ImportError;
use saligate_models::onnx::OnnxError;
use saligate_runtime::RuntimeError;
use saligate_runtime::npy::NpyError;
use saligate_runtime::picture::PictureError;
use saligate_runtime::render::RenderError;

/// How a failed command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It ran, and the answer is no.
    No,
    /// It could not run.
    Error,
    /// Nobody reads standard output any more.
    ReaderGone,
}

/// The one error of the program.
#[derive(Debug)]
pub(crate) struct CliError {
    message: String,
    hint: Option<String>,
    pub(crate) outcome: Outcome,
}

impl CliError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, outcome: Outcome::Error }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The same error, of a file.
    pub(crate) fn in_file(self, path: &Path) -> Self {
        Self { message: format!("{}: {}", path.display(), self.message), ..self }
    }

    /// The answer is no.
    pub(crate) fn no(message: impl Into<String>) -> Self {
        Self { outcome: Outcome::No, ..Self::new(message) }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  try: {hint}"),
            None => Ok(()),
        }
    }
}

impl From<RuntimeError> for CliError {
    fn from(error: RuntimeError) -> Self {
        match error {
            RuntimeError::WrongKey { .. } | RuntimeError::NoGate | RuntimeError::License(_) => {
                Self::no(error.to_string())
            }
            RuntimeError::NoSuchMethod { ref known, .. } => {
                let hint = format!("--method {}", known.join(" or "));
                Self::new(error.to_string()).hint(hint)
            }
            error => Self::new(error.to_string()),
        }
    }
}

impl From<PictureError> for CliError {
    fn from(error: PictureError) -> Self {
        Self::new(error.to_string()).hint(error.hint())
    }
}

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        let outcome = match error.kind() {
            io::ErrorKind::BrokenPipe => Outcome::ReaderGone,
            _ => Outcome::Error,
        };
        Self { outcome, ..Self::new(format!("cannot write to standard output: {error}")) }
    }
}

macro_rules! plain {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for CliError {
            fn from(error: $error) -> Self {
                Self::new(error.to_string())
            }
        })*
    };
}

impl From<saligate_keys::Error> for CliError {
    fn from(error: saligate_keys::Error) -> Self {
        use saligate_keys::{
            Error as Key, LedgerError, LicenseError, SecretFileError, VendorError,
        };
        match error.reason() {
            Key::SecretFile(SecretFileError::WrongPassphrase)
            | Key::License(LicenseError::Signature)
            | Key::Vendor(
                VendorError::Signature
                | VendorError::SignedByAnother { .. }
                | VendorError::SignedFile,
            )
            | Key::Ledger(
                LedgerError::NoKey { .. }
                | LedgerError::NoFreeKey
                | LedgerError::Serial { .. }
                | LedgerError::AlreadyRevoked { .. },
            ) => Self::no(error.to_string()),
            Key::License(LicenseError::RenewsExpired { .. }) => {
                Self::new(error.to_string()).hint("--expires DATE, or --expires never")
            }
            _ => Self::new(error.to_string()),
        }
    }
}

macro_rules! keys {
    ($($error:ident),* $(,)?) => {
        $(impl From<saligate_keys::$error> for CliError {
            fn from(error: saligate_keys::$error) -> Self {
                Self::from(saligate_keys::Error::from(error))
            }
        })*
    };
}

keys!(
    FileError,
    LedgerError,
    LicenseError,
    SecretError,
    SecretFileError,
    TriggerError,
    VendorError,
);

impl From<saligate_keys::Refusal> for CliError {
    fn from(refusal: saligate_keys::Refusal) -> Self {
        Self::no(refusal.to_string())
    }
}

plain!(
    RenderError,
    NpyError,
    OnnxError,
    ImportError,
    GraphError,
    saligate_models::metrics::MetricError
);
