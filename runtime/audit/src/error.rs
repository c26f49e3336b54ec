//! Why an audit is not made, and why a check has no answer.

use saligate_files::FileError;
use saligate_models::graph::GraphError;
use saligate_models::metrics::MetricError;
use saligate_runtime::EngineError;
use saligate_runtime::picture::PictureError;
use saligate_runtime::render::RenderError;
use thiserror::Error;

/// Why there is no audit.
#[derive(Debug, Error)]
pub enum AuditError {
    /// The model file is wrong.
    #[error(transparent)]
    File(#[from] FileError),
    /// The network is no classifier of pictures.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The engine cannot run the network.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A picture does not fit.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// There are not enough pictures.
    #[error("an audit compares pictures and needs at least {least}, there are {found}")]
    TooFewPictures {
        /// How many there are.
        found: usize,
        /// How many are needed.
        least: usize,
    },
    /// A picture of the report cannot be drawn.
    #[error(transparent)]
    Render(#[from] RenderError),
}

/// Why a check ended without an answer.
#[derive(Debug, Error)]
pub(crate) enum Stop {
    /// Its time is up.
    #[error("its time ran out; give --budget more seconds, or name it with --check")]
    Time,
    /// It does not apply, for this reason.
    #[error("{0}")]
    Inapplicable(String),
    /// The network cannot be changed as the check needs.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The engine cannot run what the check needs.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A number is not finite.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// A picture cannot be drawn.
    #[error(transparent)]
    Render(#[from] RenderError),
}
