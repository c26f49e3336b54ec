//! The one module that knows tract.
//!
//! An [`Engine`] is a plan with concrete shapes for a batch of fixed size. Runs share the plan and
//! take a state each from a pool, so one engine serves any number of threads.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use saligate_models::saliency::{IMAGE, LOGITS, TARGET};
use tract_core::plan::SimpleState;
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;

type State = SimpleState<TypedFact, Box<dyn TypedOp>>;

/// What an engine computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outputs<'a> {
    /// The logits alone: half the work.
    Logits,
    /// The logits and the attribution of this name.
    LogitsAnd(&'a str),
}

/// How far tract may rewrite the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Optimization {
    /// As it stands in the file; for comparison.
    None,
    /// Everything that tract knows.
    Full,
}

/// An error inside the inference engine.
#[derive(Debug)]
pub struct EngineError(TractError);

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the inference engine failed: {:#}", self.0)
    }
}

impl std::error::Error for EngineError {}

impl From<TractError> for EngineError {
    fn from(error: TractError) -> Self {
        Self(error)
    }
}

/// Decoded bytes of an ONNX file.
pub(crate) struct Source(ModelProto);

impl Source {
    pub(crate) fn new(bytes: &[u8]) -> Result<Self, EngineError> {
        let mut proto = onnx().proto_model_for_read(&mut &*bytes)?;
        // tract takes an input with an initializer for a constant; here it is a default.
        if let Some(graph) = &mut proto.graph {
            graph.initializer.retain(|tensor| tensor.name != TARGET);
        }
        Ok(Self(proto))
    }
}

/// A plan that is ready to run.
pub(crate) struct Engine {
    plan: Arc<TypedSimplePlan>,
    explains: bool,
    image: [usize; 4],
    classes: usize,
    states: Mutex<Vec<State>>,
}

impl Engine {
    /// Plans the network for `image`: batch, channels, rows and columns, all positive.
    pub(crate) fn new(
        source: &Source,
        outputs: Outputs<'_>,
        image: [usize; 4],
        classes: usize,
        optimization: Optimization,
    ) -> Result<Self, EngineError> {
        let reader = onnx().with_ignore_output_shapes(true);
        let mut model = reader.model_for_proto_model(&source.0)?;
        let explains = outputs != Outputs::Logits;
        match outputs {
            Outputs::Logits => {
                model.select_inputs_by_name([IMAGE])?;
                model.select_outputs_by_name([LOGITS])?;
            }
            Outputs::LogitsAnd(attribution) => {
                model.select_inputs_by_name([IMAGE, TARGET])?;
                model.select_outputs_by_name([LOGITS, attribution])?;
            }
        }
        model.set_input_fact(0, f32::fact(image).into())?;
        if explains {
            model.set_input_fact(1, f32::fact([1, classes]).into())?;
        }
        let typed = match optimization {
            Optimization::None => model.into_typed()?,
            Optimization::Full => model.into_optimized()?,
        };
        let plan = TypedSimplePlan::new(typed)?;
        Ok(Self { plan, explains, image, classes, states: Mutex::new(Vec::new()) })
    }

    /// Runs a full batch of images `[batch, channel, row, column]`, meant for [0, 1], with one row
    /// of class weights for all of them; returns the outputs `[batch, ...]` in the order of
    /// [`Outputs`], row-major.
    pub(crate) fn run(&self, pixels: &[f32], target: &[f32]) -> Result<Vec<Vec<f32>>, EngineError> {
        let mut inputs = tvec![Tensor::from_shape(&self.image, pixels)?.into_tvalue()];
        if self.explains {
            inputs.push(Tensor::from_shape(&[1, self.classes], target)?.into_tvalue());
        }
        let mut state = match self.pool().pop() {
            Some(state) => state,
            None => self.plan.spawn()?,
        };
        // A state whose run has failed is dropped, not used again.
        let outputs = state.run(inputs)?;
        let arrays =
            outputs.iter().map(|output| Ok(output.try_as_plain_ram()?.as_slice::<f32>()?.to_vec()));
        let arrays = arrays.collect::<TractResult<_>>()?;
        drop(outputs);
        self.pool().push(state);
        Ok(arrays)
    }

    fn pool(&self) -> std::sync::MutexGuard<'_, Vec<State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
