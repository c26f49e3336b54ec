//! What runs a network: the project's own engine, or tract.

mod native;
#[cfg(feature = "tract")]
mod tract;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use saligate_kernels::{Crew, Isa};
use saligate_models::graph::Graph;
use saligate_models::names::KEY_FOUND;
use saligate_models::names::LOGITS;

use crate::explanation::StepTime;

use self::native::{Plan, Schedule, State};

/// Which engine runs a model. All compute the same network; they differ in speed and in the last
/// bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// This project's own, with the best instructions of the processor.
    #[default]
    Native,
    /// The same with instructions of the caller's choice; for comparison.
    NativeOn(Isa),
    /// tract, with everything that it knows to make the network fast: a second opinion.
    #[cfg(feature = "tract")]
    Tract,
    /// tract, with the network as it stands in the file; for comparison.
    #[cfg(feature = "tract")]
    TractPlain,
}

/// An error inside an engine.
#[derive(Debug)]
pub struct EngineError(Box<dyn std::error::Error + Send + Sync>);

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the inference engine failed: {:#}", self.0)
    }
}

impl std::error::Error for EngineError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

/// What an engine computes, beside the logits and in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outputs<'a> {
    /// The attribution of this name; without one it is half the work.
    pub(crate) attribution: Option<&'a str>,
    /// Whether the gate finds a key ([`KEY_FOUND`]).
    pub(crate) key_found: bool,
}

impl<'a> Outputs<'a> {
    fn names(self) -> Vec<&'a str> {
        let found = self.key_found.then_some(KEY_FOUND);
        [LOGITS].into_iter().chain(self.attribution).chain(found).collect()
    }
}

/// A network, made ready for one kind of engine.
pub(crate) struct Source(Kind);

enum Kind {
    Native(Arc<Plan>),
    #[cfg(feature = "tract")]
    Tract(Box<tract::Source>),
}

impl Source {
    /// The network of a file, with the outputs that the caller has set.
    pub(crate) fn new(graph: &Graph, backend: Backend) -> Result<Self, EngineError> {
        let native = |isa| match Plan::new(graph, isa) {
            Ok(plan) => Ok(Kind::Native(Arc::new(plan))),
            Err(reason) => Err(EngineError(reason.into())),
        };
        let kind = match backend {
            Backend::Native => native(Isa::best()),
            Backend::NativeOn(isa) if isa.is_available() => native(isa),
            Backend::NativeOn(isa) => {
                Err(EngineError(format!("this processor has no {isa}").into()))
            }
            #[cfg(feature = "tract")]
            Backend::Tract => Ok(Kind::Tract(Box::new(tract::Source::new(graph, true)?))),
            #[cfg(feature = "tract")]
            Backend::TractPlain => Ok(Kind::Tract(Box::new(tract::Source::new(graph, false)?))),
        };
        kind.map(Self)
    }
}

/// What runs some outputs of a network, from any number of threads at once.
pub(crate) enum Engine {
    Native(NativeEngine),
    #[cfg(feature = "tract")]
    Tract(tract::Engine),
}

impl Engine {
    pub(crate) fn new(source: &Source, outputs: Outputs<'_>) -> Result<Self, EngineError> {
        match &source.0 {
            Kind::Native(plan) => NativeEngine::new(plan, outputs).map(Self::Native),
            #[cfg(feature = "tract")]
            Kind::Tract(source) => tract::Engine::new(source, outputs).map(Self::Tract),
        }
    }

    /// Runs one image `[channel, row, column]`, meant for [0, 1], with a row of class weights;
    /// returns the outputs in the order of [`Outputs`], row-major. With `wipe`, the native engine
    /// keeps no copy of the pixels.
    pub(crate) fn run(
        &self,
        crew: &Crew,
        pixels: &[f32],
        target: &[f32],
        wipe: bool,
    ) -> Result<Vec<Vec<f32>>, EngineError> {
        match self {
            Self::Native(engine) => Ok(engine.run(crew, pixels, target, wipe)),
            #[cfg(feature = "tract")]
            Self::Tract(engine) => engine.run(pixels, target),
        }
    }
}

impl Engine {
    /// How long every step of some runs took, in order.
    pub(crate) fn times(
        &self,
        crew: &Crew,
        pixels: &[f32],
        target: &[f32],
        rounds: usize,
    ) -> Result<Vec<StepTime>, EngineError> {
        match self {
            Self::Native(NativeEngine { plan, schedule, .. }) => {
                Ok(plan.times(schedule, crew, &[pixels, target], rounds))
            }
            #[cfg(feature = "tract")]
            Self::Tract(_) => Err(EngineError("tract does not tell the times of steps".into())),
        }
    }
}

/// A schedule, and the memory of the runs that are not under way.
pub(crate) struct NativeEngine {
    plan: Arc<Plan>,
    schedule: Schedule,
    states: Mutex<Vec<State>>,
}

impl NativeEngine {
    fn new(plan: &Arc<Plan>, outputs: Outputs<'_>) -> Result<Self, EngineError> {
        let names = outputs.names();
        let schedule = plan.schedule(&names);
        let schedule =
            schedule.ok_or_else(|| EngineError(format!("no outputs {names:?}").into()))?;
        Ok(Self { plan: Arc::clone(plan), schedule, states: Mutex::new(Vec::new()) })
    }

    fn run(&self, crew: &Crew, pixels: &[f32], target: &[f32], wipe: bool) -> Vec<Vec<f32>> {
        let waiting = self.states.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut state = waiting.unwrap_or_else(|| State::new(&self.schedule));
        let outputs = self.plan.run(&self.schedule, &mut state, crew, &[pixels, target], wipe);
        self.states.lock().unwrap_or_else(PoisonError::into_inner).push(state);
        outputs
    }
}
