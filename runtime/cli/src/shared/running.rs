//! How a model is run: by which engine, on how many threads, with how exact weights.

use saligate_console::Failure;
use saligate_files::ModelFile;
use saligate_files::archive::{Precision, rounded};
use saligate_runtime::{EngineKind, Model};
#[cfg(any(feature = "audit", feature = "lock"))]
use {saligate_runtime::MAX_THREADS, std::num::NonZero};

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

/// The threads that were asked for, or one for each processor.
#[cfg(any(feature = "audit", feature = "lock"))]
pub(crate) fn threads(asked: Option<NonZero<usize>>) -> NonZero<usize> {
    let most = NonZero::new(MAX_THREADS).unwrap_or(NonZero::<usize>::MIN);
    let all =
        || std::thread::available_parallelism().map_or(NonZero::<usize>::MIN, |n| n.min(most));
    asked.unwrap_or_else(all)
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
