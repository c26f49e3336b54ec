//! LayerCAM.

use super::{Layer, Method, Places, node};
use crate::graph::{Graph, GraphError, Op, ValueId};

/// `ReLU(sum_c ReLU(d (seed . logits) / d A_c) A_c)` of a layer A, element by element: a weight per
/// pixel, where Grad-CAM has one per channel, so that early layers have maps of their own.
///
/// P.-T. Jiang, C.-B. Zhang, Q. Hou, M.-M. Cheng, Y. Wei, "LayerCAM: Exploring Hierarchical Class
/// Activation Maps for Localization", IEEE Transactions on Image Processing 30, 2021, equations 5
/// to 7.
///
/// # Shapes
/// For a layer `[n, channel, row, column]` the result is `[n, 1, row, column]`, at the layer's
/// resolution.
pub(super) fn attribution(
    graph: &mut Graph,
    at: &Places,
    layer: &Layer,
) -> Result<ValueId, GraphError> {
    let gradient = layer.slope(graph, Method::LayerCam, at)?;
    let layer = layer.map(graph, Method::LayerCam)?;
    let mut add =
        |part, op, operands: &[ValueId]| node(graph, Method::LayerCam, part, op, operands);
    let weights = add("weights", Op::Relu, &[gradient])?;
    let weighted = add("weighted", Op::Mul, &[layer, weights])?;
    let sum = add("sum", Op::ReduceSum { axes: vec![1] }, &[weighted])?;
    add("map", Op::Relu, &[sum])
}
