//! Grad-CAM++.

use super::{Layer, Method, Places, node};
use crate::graph::{Graph, GraphError, Op, ValueId};

/// Added to the denominator of the pixels' weights, as pytorch-grad-cam does. It counts: where
/// gradients are well below its root, weights shrink with them.
const EPSILON: f32 = 1e-6;

/// `ReLU(sum_c w_c A_c)` of a layer A, where `w_c` is the sum over rows and columns of
/// `alpha ReLU(g)`, g is `d (seed . logits) / d A_c`, and `alpha = g^2 / (2 g^2 + g^3 sum A_c)`.
///
/// A. Chattopadhay, A. Sarkar, P. Howlader, V. N. Balasubramanian, "Grad-CAM++: Generalized
/// Gradient-based Visual Explanations for Deep Convolutional Networks", WACV 2018, equations 7 and
/// 19, for the exponential of a score, whose derivatives are the powers of g.
///
/// # Shapes
/// For a layer `[n, channel, row, column]` the result is `[n, 1, row, column]`, at the layer's
/// resolution.
pub(super) fn attribution(
    graph: &mut Graph,
    at: &Places,
    layer: &Layer,
) -> Result<ValueId, GraphError> {
    let gradient = layer.slope(graph, Method::GradCamPlusPlus, at)?;
    let layer = layer.map(graph, Method::GradCamPlusPlus)?;
    let two = graph.constant(&[1, 1, 1, 1], 2.0)?;
    let epsilon = graph.constant(&[1, 1, 1, 1], EPSILON)?;
    let mut add =
        |part, op, operands: &[ValueId]| node(graph, Method::GradCamPlusPlus, part, op, operands);
    let pixels = Op::ReduceSum { axes: vec![2, 3] };
    let square = add("square", Op::Mul, &[gradient, gradient])?;
    let cube = add("cube", Op::Mul, &[square, gradient])?;
    let all = add("all", pixels.clone(), &[layer])?;
    let third = add("third", Op::Mul, &[cube, all])?;
    let second = add("second", Op::Mul, &[square, two])?;
    let below = add("below", Op::Add, &[second, third])?;
    let below = add("below", Op::Add, &[below, epsilon])?;
    let inverse = add("inverse", Op::Power { exponent: -1.0 }, &[below])?;
    let alpha = add("alpha", Op::Mul, &[square, inverse])?;
    let positive = add("positive", Op::Relu, &[gradient])?;
    let parts = add("parts", Op::Mul, &[positive, alpha])?;
    let weights = add("weights", pixels, &[parts])?;
    let weighted = add("weighted", Op::Mul, &[layer, weights])?;
    let sum = add("sum", Op::ReduceSum { axes: vec![1] }, &[weighted])?;
    add("map", Op::Relu, &[sum])
}
