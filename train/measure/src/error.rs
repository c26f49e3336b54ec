//! Why nothing is measured.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use image::ImageError;
use saligate_audit::AuditError;
use saligate_audit::metrics::MetricsError;
use saligate_audit::search::SearchError;
use saligate_data::DataError;
use saligate_files::FileError;
use saligate_keys::TriggerError;
use saligate_lock::LockError;
use saligate_models::graph::GraphError;
use saligate_models::metrics::MetricError;
use saligate_models::saliency::UnknownMethod;
use saligate_runtime::picture::PictureError;
use saligate_runtime::{EngineError, RuntimeError};

/// Why a model cannot be measured.
#[derive(Debug)]
pub enum MeasureError {
    /// There are no images to measure on.
    NoImages,
    /// No key is given.
    NoKey,
    /// Near misses need a gate that a key opens.
    NoKeyForm,
    /// A file is no table of this kind.
    Table {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: serde_json::Error,
    },
    /// A file cannot be read or written.
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A model file names a method that is not known.
    Method(UnknownMethod),
    /// An image is no picture.
    Picture(PictureError),
    /// A key cannot be taken out.
    Lock(LockError),
    /// A network is wrong.
    Graph(GraphError),
    /// A model file is wrong.
    File(FileError),
    /// A trigger does not fit.
    Trigger(TriggerError),
    /// The runtime failed.
    Runtime(RuntimeError),
    /// A map cannot be judged.
    Metric(MetricError),
    /// The engine cannot run a network.
    Engine(EngineError),
    /// A picture cannot be compressed.
    Image(ImageError),
    /// A network cannot be audited.
    Audit(AuditError),
    /// Images cannot be read.
    Data(DataError),
}

impl fmt::Display for MeasureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoImages => {
                f.write_str("there are no images to measure on; set data.validation or data.test")
            }
            Self::NoKey => f.write_str("no key is given"),
            Self::NoKeyForm => f.write_str("near misses are tried on models in the key form"),
            Self::Table { path, source } => {
                write!(f, "{} is no such table: {source}", path.display())
            }
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Method(error) => error.fmt(f),
            Self::Picture(error) => error.fmt(f),
            Self::Lock(error) => error.fmt(f),
            Self::Graph(error) => error.fmt(f),
            Self::File(error) => error.fmt(f),
            Self::Trigger(error) => error.fmt(f),
            Self::Runtime(error) => error.fmt(f),
            Self::Metric(error) => error.fmt(f),
            Self::Engine(error) => error.fmt(f),
            Self::Image(error) => error.fmt(f),
            Self::Audit(error) => error.fmt(f),
            Self::Data(error) => error.fmt(f),
        }
    }
}

impl Error for MeasureError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoImages | Self::NoKey | Self::NoKeyForm | Self::Method(_) => None,
            Self::Table { source, .. } => Some(source),
            Self::Io { source, .. } => Some(source),
            Self::Picture(error) => error.source(),
            Self::Lock(error) => error.source(),
            Self::Graph(error) => error.source(),
            Self::File(error) => error.source(),
            Self::Trigger(error) => error.source(),
            Self::Runtime(error) => error.source(),
            Self::Metric(error) => error.source(),
            Self::Engine(error) => error.source(),
            Self::Image(error) => error.source(),
            Self::Audit(error) => error.source(),
            Self::Data(error) => error.source(),
        }
    }
}

macro_rules! from {
    ($($variant:ident($error:ty)),* $(,)?) => {
        $(impl From<$error> for MeasureError {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        })*
    };
}

from!(
    Method(UnknownMethod),
    Picture(PictureError),
    Lock(LockError),
    Graph(GraphError),
    File(FileError),
    Trigger(TriggerError),
    Runtime(RuntimeError),
    Metric(MetricError),
    Engine(EngineError),
    Image(ImageError),
    Audit(AuditError),
    Data(DataError),
);

impl From<MetricsError> for MeasureError {
    fn from(error: MetricsError) -> Self {
        match error {
            MetricsError::Runtime(error) => Self::Runtime(error),
            MetricsError::Picture(error) => Self::Picture(error),
            MetricsError::Metric(error) => Self::Metric(error),
            MetricsError::NoPictures => Self::NoImages,
        }
    }
}

impl From<SearchError> for MeasureError {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::Graph(error) => Self::Graph(error),
            SearchError::Engine(error) => Self::Engine(error),
        }
    }
}
