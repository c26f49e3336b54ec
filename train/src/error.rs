//! Why training stops.

use std::fmt;
use std::path::PathBuf;

use saligate_console::Failure;
use saligate_data::DataError;
use saligate_files::FileError;
use saligate_lock::LockError;
use saligate_measure::MeasureError;
use saligate_models::graph::GraphError;
use saligate_models::metrics::MetricError;
use saligate_runtime::render::RenderError;
use saligate_runtime::{EngineError, RuntimeError};

use crate::config::ConfigError;
use crate::engine::UnknownBackend;

/// An error of the trainer.
#[derive(Debug)]
pub enum TrainError {
    /// The configuration is wrong.
    Config(ConfigError),
    /// The data cannot be read.
    Data(DataError),
    /// A gate cannot be built.
    Lock(LockError),
    /// A model cannot be measured.
    Measure(MeasureError),
    /// A network is wrong.
    Graph(GraphError),
    /// A model file is wrong.
    Model(FileError),
    /// A key or trigger is wrong.
    Key(saligate_keys::Error),
    /// The runtime failed on an exported model.
    Runtime(RuntimeError),
    /// A map cannot be judged.
    Metric(MetricError),
    /// The engine cannot run a network.
    Engine(EngineError),
    /// A panel cannot be drawn.
    Render(RenderError),
    /// The backend is not there.
    Backend(UnknownBackend),
    /// A secret cannot be read, or a result not printed.
    Terminal(Failure),
    /// A file cannot be read or written.
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A checkpoint cannot be used.
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to try.
        reason: String,
    },
    /// A file of weights cannot be used.
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The loss is no longer finite.
    Diverged {
        /// Name of the stage.
        stage: &'static str,
        /// Step, from 0.
        step: usize,
    },
    /// Two things that belong together do not fit.
    Mismatch {
        /// What does not fit, and what to try.
        reason: String,
    },
}

impl fmt::Display for TrainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Data(error) => error.fmt(f),
            Self::Lock(error) => error.fmt(f),
            Self::Measure(error) => error.fmt(f),
            Self::Graph(error) => error.fmt(f),
            Self::Model(error) => error.fmt(f),
            Self::Key(error) => error.fmt(f),
            Self::Runtime(error) => error.fmt(f),
            Self::Metric(error) => error.fmt(f),
            Self::Engine(error) => error.fmt(f),
            Self::Render(error) => error.fmt(f),
            Self::Backend(error) => error.fmt(f),
            Self::Terminal(failure) => failure.fmt(f),
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Checkpoint { path, reason } | Self::Weights { path, reason } => {
                write!(f, "{}: {reason}", path.display())
            }
            Self::Diverged { stage, step } => write!(
                f,
                "the loss of stage '{stage}' is not finite at step {step}; try a lower rate or a \
                 smaller clip"
            ),
            Self::Mismatch { reason } => f.write_str(reason),
        }
    }
}

impl std::error::Error for TrainError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl From<TrainError> for Failure {
    fn from(error: TrainError) -> Self {
        match error {
            TrainError::Terminal(failure) => failure,
            error => Self::new(error.to_string()),
        }
    }
}

macro_rules! from {
    ($($variant:ident($error:ty)),* $(,)?) => {
        $(impl From<$error> for TrainError {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        })*
    };
}

from!(
    Config(ConfigError),
    Data(DataError),
    Lock(LockError),
    Measure(MeasureError),
    Graph(GraphError),
    Model(FileError),
    Key(saligate_keys::Error),
    Runtime(RuntimeError),
    Metric(MetricError),
    Engine(EngineError),
    Render(RenderError),
    Backend(UnknownBackend),
    Terminal(Failure),
);

impl From<saligate_keys::SecretFileError> for TrainError {
    fn from(error: saligate_keys::SecretFileError) -> Self {
        Self::Key(error.into())
    }
}

impl From<saligate_keys::TriggerError> for TrainError {
    fn from(error: saligate_keys::TriggerError) -> Self {
        Self::Key(error.into())
    }
}
