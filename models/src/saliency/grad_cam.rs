//! Grad-CAM.

use super::{Layer, Method, Places};
use crate::graph::{Graph, GraphError, Op, ValueId};
use crate::names::GRAD_CAM;

/// `ReLU(sum_c w_c A_c)` of a layer A, where `w_c` is the mean over rows and columns of
/// `d (seed . logits) / d A_c`.
///
/// R. R. Selvaraju, M. Cogswell, A. Das, R. Vedantam, D. Parikh, D. Batra, "Grad-CAM: Visual
/// Explanations from Deep Networks via Gradient-based Localization", ICCV 2017, equations 1 and 2.
///
/// # Shapes
/// For a layer `[n, channel, row, column]` the result is `[n, 1, row, column]`, at the layer's
/// resolution.
pub(super) fn attribution(
    graph: &mut Graph,
    at: &Places,
    layer: &Layer,
) -> Result<ValueId, GraphError> {
    let gradient = layer.slope(graph, Method::GradCam, at)?;
    let layer = layer.map(graph, Method::GradCam)?;
    let mut add = |part: &str, op, operands: &[ValueId]| {
        let name = graph.fresh_name(&format!("{GRAD_CAM}{part}"));
        graph.node(&name, op, operands)
    };
    let weights = add("weights", Op::GlobalAveragePool, &[gradient])?;
    let weighted = add("weighted", Op::Mul, &[layer, weights])?;
    let sum = add("sum", Op::ReduceSum { axes: vec![1] }, &[weighted])?;
    add("map", Op::Relu, &[sum])
}
