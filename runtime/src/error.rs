//! Why a model cannot be opened or run.

use std::fmt;
use std::path::{Path, PathBuf};

use saligate_files::FileError;
use saligate_kernels::CrewError;
use saligate_keys::{KeyId, Refusal};
use saligate_models::saliency;

use crate::engine::EngineError;

/// An error of the runtime.
#[derive(Debug)]
pub enum RuntimeError {
    /// The model file is wrong.
    Model(FileError),
    /// The inference engine failed.
    Engine(EngineError),
    /// There are not as many threads as were asked for.
    Threads(CrewError),
    /// A key or trigger is wrong.
    Key(saligate_keys::Error),
    /// An error with the file it is about.
    File {
        /// The file.
        path: PathBuf,
        /// The error.
        error: Box<RuntimeError>,
    },
    /// The key does not belong to the model. Told from public ids, before anything runs.
    WrongKey {
        /// Id of the key given.
        found: KeyId,
        /// Ids of the keys that open the model.
        expected: Vec<KeyId>,
    },
    /// A licence is not good for this.
    License(Refusal),
    /// A key was given for a model without a gate.
    NoGate,
    /// The picture has another shape than the model's input.
    PictureShape {
        /// Channels, rows and columns of the input.
        expected: [usize; 3],
        /// Channels, rows and columns of the picture.
        found: [usize; 3],
    },
    /// The file has no method of this name.
    NoSuchMethod {
        /// The name asked for.
        asked: String,
        /// Names of the methods in the file, the default one first.
        known: Vec<String>,
    },
    /// There is no class with this index.
    NoSuchClass {
        /// The index.
        class: usize,
        /// Number of classes.
        classes: usize,
    },
    /// An output holds NaN or infinite values.
    NonFinite {
        /// Name of the output.
        output: &'static str,
    },
    /// A parameter of a method is out of range.
    Parameter {
        /// Its name.
        name: &'static str,
        /// What it may be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A parameter was set that belongs to another method.
    ForeignParameter {
        /// Its name.
        parameter: String,
        /// The method that it was set for.
        method: String,
        /// The methods that have it; none where no method does.
        owners: Vec<&'static str>,
    },
    /// A method reads predictions alone, which a locked model gives to everybody; its maps are for
    /// holders of a key or licence.
    NeedsKey {
        /// The method.
        method: String,
    },
    /// The right maps are those of a network that is sealed in the file, and another one is open.
    Sealed,
    /// The file predicts nothing to those without a key or licence.
    Blank,
    /// A method builds on another one, which the file does not have.
    NeedsMethod {
        /// The method.
        method: &'static str,
        /// What it builds on.
        wanted: saliency::Method,
        /// Names of the file's own methods.
        found: Vec<String>,
    },
}

impl RuntimeError {
    pub(crate) fn in_file(self, path: &Path) -> Self {
        match self {
            // These name their file themselves.
            Self::Model(
                FileError::Io { .. } | FileError::TooLarge { .. } | FileError::LfsPointer { .. },
            ) => self,
            error => Self::File { path: path.to_owned(), error: Box::new(error) },
        }
    }
}

impl fmt::Display for RuntimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(error) => error.fmt(f),
            Self::Engine(error) => error.fmt(f),
            Self::Threads(error) => error.fmt(f),
            Self::Key(error) => error.fmt(f),
            Self::File { path, error } => write!(f, "{}: {error}", path.display()),
            Self::WrongKey { found, expected } => write!(
                f,
                "key {found} does not open this model; it opens with key {}",
                KeyId::list(expected)
            ),
            Self::License(refusal) => refusal.fmt(f),
            Self::NoGate => {
                f.write_str("this model has no gate, so it needs no key; explain it without one")
            }
            Self::PictureShape { expected: [c, h, w], found: [fc, fh, fw] } => write!(
                f,
                "the model takes {c} channels of {h} x {w} pixels, the picture has {fc} of \
                 {fh} x {fw}; convert and resize it first"
            ),
            Self::NoSuchMethod { asked, known } => {
                write!(f, "this model cannot explain by '{asked}', only by {}", known.join(", "))
            }
            Self::NoSuchClass { class, classes } => {
                write!(f, "there is no class {class}; classes are 0 to {}", classes - 1)
            }
            Self::NonFinite { output } => {
                write!(f, "the model's {output} are not finite; its weights may be damaged")
            }
            Self::Parameter { name, expected, found } => {
                write!(f, "{name} must be {expected}, not {found}")
            }
            Self::ForeignParameter { parameter, method, owners } => match &owners[..] {
                [] => write!(f, "no method has a parameter '{parameter}'"),
                owners => write!(
                    f,
                    "{parameter} does not belong to the method '{method}', but to {}",
                    owners.join(" and ")
                ),
            },
            Self::NeedsKey { method } => write!(
                f,
                "the model is locked, and {method} would show what its predictions tell of the \
                 right map; explain with a key or a licence that allows it"
            ),
            Self::Sealed => f.write_str(
                "the right maps are those of the network that is sealed in the file; open the file with \
                 the key or licence",
            ),
            Self::Blank => f.write_str(
                "this model predicts and explains with a key or licence only; ask the vendor for one",
            ),
            Self::NeedsMethod { method, wanted, found } => write!(
                f,
                "{method} builds on the method {wanted}, and this file has only: {}; occlusion and \
                 rise need predictions alone",
                found.join(", ")
            ),
        }
    }
}

impl std::error::Error for RuntimeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Model(error) => error.source(),
            Self::Threads(error) => error.source(),
            Self::Key(error) => error.source(),
            Self::License(refusal) => refusal.source(),
            Self::File { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl From<FileError> for RuntimeError {
    fn from(error: FileError) -> Self {
        Self::Model(error)
    }
}

impl From<Refusal> for RuntimeError {
    fn from(refusal: Refusal) -> Self {
        Self::License(refusal)
    }
}

impl From<EngineError> for RuntimeError {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl From<saligate_keys::Error> for RuntimeError {
    fn from(error: saligate_keys::Error) -> Self {
        Self::Key(error)
    }
}

impl From<saligate_keys::TriggerError> for RuntimeError {
    fn from(error: saligate_keys::TriggerError) -> Self {
        Self::Key(error.into())
    }
}
