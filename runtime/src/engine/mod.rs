//! What runs a network: the project's own engine, or another one that is lent from outside.

mod native;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use saligate_kernels::{Crew, Isa};
use saligate_models::graph::Graph;
use saligate_models::names::{KEY_FOUND, LOGITS};

use crate::explanation::StepTime;

pub(crate) use self::native::Learning;
pub use self::native::Times;
use self::native::{Plan, Schedule, State};

/// Which engine runs a model. All compute the same network; they differ in speed and in the last
/// bits.
#[derive(Clone, Copy, Debug, Default)]
pub enum EngineKind {
    /// This project's own, with the best instructions of the processor.
    #[default]
    Native,
    /// The same with others of the instructions that [`Isa::available`] finds; for comparison.
    NativeOn(Isa),
    /// Another engine: a second opinion.
    Other(&'static dyn OtherEngine),
}

/// An engine from outside.
pub trait OtherEngine: Send + Sync {
    /// Prepares some outputs of a network, which are named in the order in which they are wanted.
    ///
    /// # Errors
    /// The engine cannot run the network.
    fn plan(&self, graph: &Graph, outputs: &[&str]) -> Result<Box<dyn OtherPlan>, EngineError>;
}

impl fmt::Debug for dyn OtherEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OtherEngine")
    }
}

/// What an engine from outside made of a network.
pub trait OtherPlan: Send + Sync {
    /// Computes the outputs, row-major, for pixels `[channel, row, column]` in [0, 1] and a row of
    /// class weights, which is empty where none of the outputs is an attribution.
    ///
    /// # Errors
    /// The run fails.
    fn run(&self, pixels: &[f32], target: &[f32]) -> Result<Vec<Vec<f32>>, EngineError>;
}

/// An error inside an engine.
#[derive(Debug)]
pub struct EngineError(Box<dyn std::error::Error + Send + Sync>);

impl EngineError {
    /// An error for a reason.
    pub fn new(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(reason.into())
    }
}

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
pub(crate) enum Network {
    Native(Arc<Plan>),
    Other(&'static dyn OtherEngine, Box<Graph>),
}

impl Network {
    /// A network, with the outputs that the caller has set.
    pub(crate) fn new(graph: Graph, kind: EngineKind) -> Result<Self, EngineError> {
        let native = |isa| match Plan::new(&graph, isa) {
            Ok(plan) => Ok(Self::Native(Arc::new(plan))),
            Err(reason) => Err(EngineError::new(reason)),
        };
        match kind {
            EngineKind::Native => native(Isa::best()),
            EngineKind::NativeOn(isa) => native(isa),
            EngineKind::Other(engine) => Ok(Self::Other(engine, Box::new(graph))),
        }
    }
}

/// What runs some outputs of a network, from any number of threads at once.
pub(crate) enum Engine {
    Native(NativeEngine),
    Other(Box<dyn OtherPlan>),
}

impl Engine {
    pub(crate) fn new(network: &Network, outputs: Outputs<'_>) -> Result<Self, EngineError> {
        match network {
            Network::Native(plan) => NativeEngine::new(plan, outputs).map(Self::Native),
            Network::Other(engine, graph) => engine.plan(graph, &outputs.names()).map(Self::Other),
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
            Self::Other(plan) => plan.run(pixels, target),
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
            Self::Other(_) => Err(EngineError::new("this engine does not tell the times of steps")),
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

    /// An engine for all outputs of a graph that need not be a whole model.
    pub(crate) fn of_graph(graph: &Graph) -> Result<Self, EngineError> {
        let plan = Plan::new(graph, Isa::best()).map_err(|reason| EngineError(reason.into()))?;
        let outputs = graph.outputs().iter();
        let names: Vec<&str> = outputs.map(|o| graph.value(*o).name.as_str()).collect();
        let schedule = plan.schedule(&names);
        let schedule = schedule.ok_or_else(|| EngineError("the graph has no outputs".into()))?;
        Ok(Self { plan: Arc::new(plan), schedule, states: Mutex::new(Vec::new()) })
    }

    /// Computes all outputs from the inputs, in the order of the graph.
    pub(crate) fn outputs(&self, crew: &Crew, inputs: &[&[f32]]) -> Vec<Vec<f32>> {
        self.run_inputs(crew, inputs, false)
    }

    fn run(&self, crew: &Crew, pixels: &[f32], target: &[f32], wipe: bool) -> Vec<Vec<f32>> {
        self.run_inputs(crew, &[pixels, target], wipe)
    }

    fn run_inputs(&self, crew: &Crew, inputs: &[&[f32]], wipe: bool) -> Vec<Vec<f32>> {
        let waiting = self.states.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut state = waiting.unwrap_or_else(|| State::new(&self.schedule));
        let outputs = self.plan.run(&self.schedule, &mut state, crew, inputs, wipe);
        self.states.lock().unwrap_or_else(PoisonError::into_inner).push(state);
        outputs
    }
}
