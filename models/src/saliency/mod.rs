//! Saliency methods: functions from a classifier to a larger graph with more outputs.
//!
//! A classifier has the input [`IMAGE`] and the output [`LOGITS`]. [`attach`] adds the input
//! [`TARGET`] and one output per method. A method is one file here and one line in [`Method`].

mod activation;
mod attention;
mod deep_lift;
mod eigen_cam;
mod grad_cam;
mod grad_cam_plus_plus;
mod gradient;
mod guided_backprop;
mod hires_cam;
mod input_x_gradient;
mod layer_cam;
mod layers;
mod lrp;
mod map;
mod method;
mod resize;
mod sight;
#[cfg(test)]
mod tests;
mod vbp;

pub use layers::Attachment;
pub use map::{Reduction, saliency_map};
pub use method::{Method, UnknownMethod};
pub use resize::bilinear;

use self::layers::Layer;
use crate::graph::{Graph, GraphError, Op, ValueId};
use crate::names::{ATTRIBUTION, IMAGE, LOGITS, METHOD, SEED, TARGET};

/// Name of the output of a method that stands at `position` in the list of methods.
pub fn output_name(position: usize, method: Method) -> String {
    match position {
        0 => ATTRIBUTION.to_owned(),
        _ => format!("{ATTRIBUTION}/{method}"),
    }
}

/// What a gradient method starts from.
struct Places {
    image: ValueId,
    logits: ValueId,
    /// Class weights of the explained score.
    seed: ValueId,
}

/// The classifier with the attributions of `methods` as further outputs, in that order, behind
/// [`LOGITS`]; [`output_name`] says how they are called. All explain the same [`TARGET`].
///
/// Whatever else the graph computes is dropped first, so methods can be attached to a graph that
/// had some attached before.
///
/// # Errors
/// The graph has no [`IMAGE`] or [`LOGITS`], a method is listed twice or cannot read its layers, or
/// an operation on the way back has no rule.
pub fn attach(classifier: &Graph, methods: &[Attachment]) -> Result<Graph, GraphError> {
    let mut graph = classifier.extract(&[LOGITS])?;
    let (image, logits) = (graph.find(IMAGE)?, graph.find(LOGITS)?);
    let seed = seed(&mut graph, logits)?;
    let places = Places { image, logits, seed };
    let mut outputs = vec![logits];
    for (position, attachment) in methods.iter().enumerate() {
        let method = attachment.method;
        if methods[..position].iter().any(|m| m.method == method) {
            return Err(GraphError::DuplicateName { name: method.name().to_owned() });
        }
        let attribution = attribution(&mut graph, &places, attachment)?;
        graph.rename(attribution, &output_name(position, method))?;
        outputs.push(attribution);
    }
    graph.set_outputs(&outputs);
    Ok(graph)
}

fn attribution(
    graph: &mut Graph,
    at: &Places,
    attachment: &Attachment,
) -> Result<ValueId, GraphError> {
    let layers = attachment.resolve(graph, at.image)?;
    let one = || layers.first().ok_or_else(|| attachment.wrong("reads one layer".to_owned()));
    match attachment.method {
        Method::Gradient => gradient::attribution(graph, at),
        Method::InputXGradient => input_x_gradient::attribution(graph, at),
        Method::GuidedBackprop => guided_backprop::attribution(graph, at),
        Method::GradCam => grad_cam::attribution(graph, at, one()?),
        Method::VisualBackProp => {
            let layers: Vec<ValueId> = layers.iter().map(|layer| layer.value).collect();
            vbp::attribution(graph, &layers)
        }
        Method::LayerCam => layer_cam::attribution(graph, at, one()?),
        Method::HiResCam => hires_cam::attribution(graph, at, one()?),
        Method::GradCamPlusPlus => grad_cam_plus_plus::attribution(graph, at, one()?),
        Method::EigenCam => eigen_cam::attribution(graph, one()?),
        Method::LrpEpsilon => lrp::attribution(graph, at, lrp::Composite::Epsilon),
        Method::LrpComposite => lrp::attribution(graph, at, lrp::Composite::EpsilonPlusFlat),
        Method::DeepLift => deep_lift::attribution(graph, at),
        Method::Activation => activation::attribution(graph, one()?),
        Method::AttentionRollout => attention::attribution(graph, at, attention::Weighing::Rollout),
        Method::GradientAttention => {
            attention::attribution(graph, at, attention::Weighing::Gradient)
        }
    }
}

/// A node of a method.
fn node(
    graph: &mut Graph,
    method: Method,
    part: &str,
    op: Op,
    operands: &[ValueId],
) -> Result<ValueId, GraphError> {
    let name = graph.fresh_name(&format!("{METHOD}{method}/{part}"));
    graph.node(&name, op, operands)
}

/// Class weights of the explained score: the target row, or the predicted class where it is zero.
fn seed(graph: &mut Graph, logits: ValueId) -> Result<ValueId, GraphError> {
    let classes = graph.shape(logits).to_vec();
    let target = graph.input(TARGET, &classes)?;
    let part = |name: &str| format!("{SEED}/{name}");
    let predicted = graph.node(&part("predicted"), Op::OneHotArgMax, &[logits])?;
    let chosen = graph.node(&part("chosen"), Op::ReduceSum { axes: vec![1] }, &[target])?;
    let own = graph.node(&part("own"), Op::Mul, &[predicted, chosen])?;
    let open = graph.node(&part("open"), Op::Sub, &[predicted, own])?;
    graph.node(SEED, Op::Add, &[open, target])
}
