//! Input x gradient.

use super::Places;
use crate::calculus;
use crate::graph::{Graph, GraphError, Op, ValueId};
use crate::names::RESTORED;

/// `image * d (seed . logits) / d image`, the pixels in [0, 1]: a black pixel has no attribution.
/// Behind a built-in gate the image is the one without the trigger, which the attribution would show
/// otherwise.
///
/// A. Shrikumar, P. Greenside, A. Shcherbina, A. Kundaje, "Not Just a Black Box: Learning Important
/// Features Through Propagating Activation Differences", arXiv 1605.01713, 2016, section 2.
///
/// # Shapes
/// The result is `[n, channel, row, column]` as the image.
pub(super) fn attribution(graph: &mut Graph, at: &Places) -> Result<ValueId, GraphError> {
    let gradient = calculus::gradient(graph, at.logits, at.seed, at.image)?;
    let name = graph.fresh_name("input-x-gradient");
    let shown = graph.find(RESTORED).unwrap_or(at.image);
    graph.node(&name, Op::Mul, &[shown, gradient])
}
