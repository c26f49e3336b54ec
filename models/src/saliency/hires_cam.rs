//! HiResCAM.

use super::{Layer, Method, Places, node};
use crate::graph::{Graph, GraphError, Op, ValueId};

/// `ReLU(sum_c A_c d (seed . logits) / d A_c)` of a layer A, element by element: Grad-CAM without the
/// mean over the gradients. In front of a single dense layer the sum, before the ReLU, adds up to the
/// logit less its bias.
///
/// R. L. Draelos, L. Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of
/// convolutional neural networks", arXiv 2011.08891, 2020, section 3.2.
///
/// # Shapes
/// For a layer `[n, channel, row, column]` the result is `[n, 1, row, column]`, at the layer's
/// resolution.
pub(super) fn attribution(
    graph: &mut Graph,
    at: &Places,
    layer: &Layer,
) -> Result<ValueId, GraphError> {
    let gradient = layer.slope(graph, Method::HiResCam, at)?;
    let layer = layer.map(graph, Method::HiResCam)?;
    let mut add =
        |part, op, operands: &[ValueId]| node(graph, Method::HiResCam, part, op, operands);
    let weighted = add("weighted", Op::Mul, &[layer, gradient])?;
    let sum = add("sum", Op::ReduceSum { axes: vec![1] }, &[weighted])?;
    add("map", Op::Relu, &[sum])
}
