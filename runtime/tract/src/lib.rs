//! tract as a second engine: an opinion of its own on every model.
//!
//! Models run on it where they are opened with [`OPTIMIZED`] or [`PLAIN`]. It is a crate of its own so
//! that no program links it but those that name it.

use std::sync::{Arc, Mutex, PoisonError};

use saligate_files::onnx::to_bytes;
use saligate_models::graph::Graph;
use saligate_models::names::{ATTRIBUTION, IMAGE, LOGITS, TARGET};
use saligate_runtime::{EngineError, EngineKind, OtherEngine, OtherPlan};
use tract_core::plan::SimpleState;
use tract_onnx::prelude::*;

type State = SimpleState<TypedFact, Box<dyn TypedOp>>;

/// tract, with everything that it knows to make a network fast.
pub const OPTIMIZED: EngineKind = EngineKind::Other(&Tract { optimize: true });
/// tract, with the network as it stands in the file.
pub const PLAIN: EngineKind = EngineKind::Other(&Tract { optimize: false });

struct Tract {
    optimize: bool,
}

impl OtherEngine for Tract {
    fn plan(&self, graph: &Graph, outputs: &[&str]) -> Result<Box<dyn OtherPlan>, EngineError> {
        Plan::new(graph, outputs, self.optimize).map(|plan| Box::new(plan) as _)
    }
}

/// A plan with concrete shapes for one image. Runs share it and take a state each from a pool, so one
/// plan serves any number of threads.
struct Plan {
    plan: Arc<TypedSimplePlan>,
    explains: bool,
    image: [usize; 4],
    classes: usize,
    states: Mutex<Vec<State>>,
}

impl Plan {
    fn new(graph: &Graph, outputs: &[&str], optimize: bool) -> Result<Self, EngineError> {
        let shape = |name| graph.find(name).map(|id| graph.shape(id)).map_err(EngineError::new);
        let (&[batch, channels, height, width], &[_, classes]) = (shape(IMAGE)?, shape(LOGITS)?)
        else {
            return Err(EngineError::new("the network takes no image, or gives no scores"));
        };
        let image = [batch, channels, height, width];
        // Whatever is neither a score nor a flag of the gate takes class weights.
        let explains = outputs.iter().any(|name| name.starts_with(ATTRIBUTION));
        let plan = plan(graph, outputs, image, explains.then_some(classes), optimize);
        let plan = plan.map_err(EngineError::new)?;
        Ok(Self { plan, explains, image, classes, states: Mutex::new(Vec::new()) })
    }

    fn answers(&self, pixels: &[f32], target: &[f32]) -> TractResult<Vec<Vec<f32>>> {
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

impl OtherPlan for Plan {
    fn run(&self, pixels: &[f32], target: &[f32]) -> Result<Vec<Vec<f32>>, EngineError> {
        self.answers(pixels, target).map_err(EngineError::new)
    }
}

/// What tract makes of a graph, with class weights as a second input where there are classes.
fn plan(
    graph: &Graph,
    outputs: &[&str],
    image: [usize; 4],
    classes: Option<usize>,
    optimize: bool,
) -> TractResult<Arc<TypedSimplePlan>> {
    let bytes = to_bytes(graph, None);
    let mut proto = onnx().proto_model_for_read(&mut bytes.as_slice())?;
    // tract takes an input with an initializer for a constant; here it is a default.
    if let Some(network) = &mut proto.graph {
        network.initializer.retain(|tensor| tensor.name != TARGET);
    }
    let mut model = onnx().with_ignore_output_shapes(true).model_for_proto_model(&proto)?;
    let inputs = if classes.is_some() { &[IMAGE, TARGET][..] } else { &[IMAGE] };
    model.select_inputs_by_name(inputs)?;
    model.select_outputs_by_name(outputs)?;
    model.set_input_fact(0, f32::fact(image).into())?;
    if let Some(classes) = classes {
        model.set_input_fact(1, f32::fact([1, classes]).into())?;
    }
    let typed = if optimize { model.into_optimized()? } else { model.into_typed()? };
    TypedSimplePlan::new(typed)
}
