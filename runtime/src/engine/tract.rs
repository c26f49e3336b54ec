//! The one module that knows tract.
//!
//! An [`Engine`] is a plan with concrete shapes for one image. Runs share the plan and take a state
//! each from a pool, so one engine serves any number of threads.

use std::sync::{Arc, Mutex, PoisonError};

use saligate_files::onnx::to_bytes;
use saligate_models::graph::Graph;
use saligate_models::names::{IMAGE, LOGITS, TARGET};
use tract_core::plan::SimpleState;
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;

use super::{EngineError, Outputs};

type State = SimpleState<TypedFact, Box<dyn TypedOp>>;

impl From<TractError> for EngineError {
    fn from(error: TractError) -> Self {
        Self(error.into())
    }
}

/// A decoded ONNX file.
pub(crate) struct Source {
    proto: ModelProto,
    image: [usize; 4],
    classes: usize,
    optimize: bool,
}

impl Source {
    pub(super) fn new(graph: &Graph, optimize: bool) -> Result<Self, EngineError> {
        let bytes = to_bytes(graph, None);
        let mut proto = onnx().proto_model_for_read(&mut bytes.as_slice())?;
        // tract takes an input with an initializer for a constant; here it is a default.
        if let Some(network) = &mut proto.graph {
            network.initializer.retain(|tensor| tensor.name != TARGET);
        }
        let shape = |name| match graph.find(name) {
            Ok(id) => Ok(graph.shape(id)),
            Err(error) => Err(EngineError(error.into())),
        };
        let (&[batch, channels, height, width], &[_, classes]) = (shape(IMAGE)?, shape(LOGITS)?)
        else {
            return Err(EngineError("the network takes no image, or gives no scores".into()));
        };
        Ok(Self { proto, image: [batch, channels, height, width], classes, optimize })
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
    pub(super) fn new(source: &Source, outputs: Outputs<'_>) -> Result<Self, EngineError> {
        let &Source { ref proto, image, classes, optimize } = source;
        let reader = onnx().with_ignore_output_shapes(true);
        let mut model = reader.model_for_proto_model(proto)?;
        let explains = outputs.attribution.is_some();
        let inputs = if explains { &[IMAGE, TARGET][..] } else { &[IMAGE] };
        model.select_inputs_by_name(inputs)?;
        model.select_outputs_by_name(outputs.names())?;
        model.set_input_fact(0, f32::fact(image).into())?;
        if explains {
            model.set_input_fact(1, f32::fact([1, classes]).into())?;
        }
        let typed = if optimize { model.into_optimized()? } else { model.into_typed()? };
        let plan = TypedSimplePlan::new(typed)?;
        Ok(Self { plan, explains, image, classes, states: Mutex::new(Vec::new()) })
    }

    /// As [`super::Engine::run`].
    pub(super) fn run(&self, pixels: &[f32], target: &[f32]) -> Result<Vec<Vec<f32>>, EngineError> {
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
