//! What went wrong, what to try, and the exit code.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use saligate_files::FileError;
use saligate_files::import::ImportError;
use saligate_files::onnx::OnnxError;
use saligate_models::graph::GraphError;
use saligate_runtime::RuntimeError;
use saligate_runtime::method::nearest;
use saligate_runtime::npy::NpyError;
use saligate_runtime::picture::PictureError;
use saligate_runtime::render::RenderError;

use crate::print::printable;

/// How a failed command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It ran, and the answer is no.
    No,
    /// It could not run.
    Error,
    /// Nobody reads standard output any more.
    ReaderGone,
}

/// The one error of a program: what happened, what to try, and how the command ended.
#[derive(Debug)]
pub struct Failure {
    message: String,
    hint: Option<String>,
    outcome: Outcome,
}

/// Prints a failure of a program and turns it into the exit code: 0 where a reader has seen enough,
/// 1 where the answer is no, 2 for an error.
pub fn exit_code(program: &str, failure: &Failure) -> ExitCode {
    match failure.outcome {
        // A reader that has seen enough is no error.
        Outcome::ReaderGone => ExitCode::SUCCESS,
        outcome => {
            eprintln!("{program}: {}", printable(&failure.to_string()));
            ExitCode::from(if outcome == Outcome::No { 1 } else { 2 })
        }
    }
}

impl Failure {
    /// An error without a hint.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, outcome: Outcome::Error }
    }

    /// The same error with what to try.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The same error, of a file.
    pub fn in_file(self, path: &Path) -> Self {
        Self { message: format!("{}: {}", path.display(), self.message), ..self }
    }

    /// The answer is no.
    pub fn no(message: impl Into<String>) -> Self {
        Self { outcome: Outcome::No, ..Self::new(message) }
    }

    /// How the command ended.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  try: {hint}"),
            None => Ok(()),
        }
    }
}

impl From<RuntimeError> for Failure {
    fn from(error: RuntimeError) -> Self {
        match error {
            RuntimeError::WrongKey { .. }
            | RuntimeError::NoGate
            | RuntimeError::NeedsKey { .. }
            | RuntimeError::Sealed
            | RuntimeError::Blank
            | RuntimeError::License(_) => Self::no(error.to_string()),
            RuntimeError::NoSuchMethod { asked, known } => {
                let meant = nearest(&asked, known.iter().map(String::as_str));
                let meant = meant.map_or_else(String::new, |m| format!("; did you mean '{m}'?"));
                Self::new(format!("this model cannot explain by '{asked}'{meant}"))
                    .hint(format!("--method {}", known.join(" or ")))
            }
            RuntimeError::ForeignParameter { parameter, method, owners } if !owners.is_empty() => {
                Self::new(format!("--{parameter} does not belong to the method '{method}'"))
                    .hint(format!("--method {}", owners.join(" or ")))
            }
            error => Self::new(error.to_string()),
        }
    }
}

impl From<PictureError> for Failure {
    fn from(error: PictureError) -> Self {
        Self::new(error.to_string()).hint(error.hint())
    }
}

impl From<io::Error> for Failure {
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
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::new(error.to_string())
            }
        })*
    };
}

impl From<saligate_keys::Error> for Failure {
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
        $(impl From<saligate_keys::$error> for Failure {
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

impl From<saligate_keys::Refusal> for Failure {
    fn from(refusal: saligate_keys::Refusal) -> Self {
        Self::no(refusal.to_string())
    }
}

plain!(
    RenderError,
    NpyError,
    FileError,
    OnnxError,
    ImportError,
    GraphError,
    saligate_models::metrics::MetricError
);
