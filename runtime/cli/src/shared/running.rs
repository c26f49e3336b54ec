//! How a model is run: by which engine, on how many threads, with how exact weights.

use saligate_console::Failure;
use saligate_files::ModelFile;
use saligate_files::archive::{Precision, rounded};
use saligate_runtime::{EngineKind, Model};

use crate::args::RunArgs;

/// Makes a model ready to run.
pub(crate) fn ready(model: ModelFile, args: &RunArgs) -> Result<Model, Failure> {
    let model = match args.precision {
        Precision::F32 => model,
        precision => rounded(&model, precision)?,
    };
    let model = Model::new_on(model, args.engine.into())?;
    Ok(model.with_threads(args.threads)?)
}

/// An engine, as the command line names it.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
pub(crate) enum Engine {
    /// This project's own
    #[default]
    Native,
    /// tract, a second opinion
    #[cfg(feature = "tract")]
    Tract,
}

impl From<Engine> for EngineKind {
    fn from(engine: Engine) -> Self {
        match engine {
            Engine::Native => Self::Native,
            #[cfg(feature = "tract")]
            Engine::Tract => saligate_tract::OPTIMIZED,
        }
    }
}
