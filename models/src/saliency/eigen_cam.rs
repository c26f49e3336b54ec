//! Eigen-CAM.

use super::{Layer, Method, node};
use crate::graph::{Graph, GraphError, Op, ValueId};

/// How often the matrix is squared: to the power of `2^SQUARINGS`, nothing is left of an eigenvalue
/// that is a hundredth below the largest.
const SQUARINGS: usize = 12;
/// Below the square of what counts as nothing, so that a constant layer has a map of zeros.
const NOTHING: f32 = 1e-30;

/// The ReLU of a layer's first principal component: its pixels are the samples, its channels the
/// features, whose means over the pixels are taken off. A component has no sign of its own; this one
/// is positive where the channels' mean activation is above its mean.
///
/// M. B. Muhammad, M. Yeasin, "Eigen-CAM: Class Activation Map using Principal Components", IJCNN
/// 2020, section III, with centred features as pytorch-grad-cam has them. The singular vector is
/// found by squaring the Gram matrix of the shorter side again and again.
///
/// # Shapes
/// For a layer `[n, channel, row, column]` the result is `[n, 1, row, column]`, at the layer's
/// resolution.
pub(super) fn attribution(graph: &mut Graph, layer: &Layer) -> Result<ValueId, GraphError> {
    let layer = layer.map(graph, Method::EigenCam)?;
    let &[_, channels, rows, columns] = graph.shape(layer) else {
        return Err(GraphError::Layers {
            method: Method::EigenCam.name(),
            reason: "reads a layer with rows and columns".to_owned(),
        });
    };
    let pixels = rows * columns;
    let mut pen = Pen { graph };
    let mean = pen.add("mean", Op::GlobalAveragePool, &[layer])?;
    let centred = pen.add("centred", Op::Sub, &[layer, mean])?;
    let matrix = Op::Reshape { shape: vec![1, channels, pixels] };
    // [n, 1, channel, pixel]
    let own = pen.add("features", matrix, &[centred])?;
    let features = pen.normalized(own)?;
    let turned = || Op::Transpose { order: vec![1, 3, 2] };
    let samples = pen.add("samples", turned(), &[features])?;
    // [n, 1, pixel, 1]
    let sum = pen.add("direction", Op::ReduceSum { axes: vec![2] }, &[features])?;
    let column = Op::Reshape { shape: vec![1, pixels, 1] };
    let direction = pen.add("direction", column, &[sum])?;
    let weights = if pixels <= channels {
        let gram = pen.add("gram", Op::MatMul, &[samples, features])?;
        let projector = pen.projector(gram)?;
        let vector = pen.add("vector", Op::MatMul, &[projector, direction])?;
        pen.add("weights", Op::MatMul, &[features, vector])?
    } else {
        let gram = pen.add("gram", Op::MatMul, &[features, samples])?;
        let projector = pen.projector(gram)?;
        let weights = pen.add("weights", Op::MatMul, &[features, direction])?;
        pen.add("weights", Op::MatMul, &[projector, weights])?
    };
    let weights = pen.normalized(weights)?;
    let samples = pen.add("samples", turned(), &[own])?;
    let component = pen.add("component", Op::MatMul, &[samples, weights])?;
    let image = Op::Reshape { shape: vec![1, rows, columns] };
    let map = pen.add("image", image, &[component])?;
    pen.add("map", Op::Relu, &[map])
}

struct Pen<'a> {
    graph: &'a mut Graph,
}

impl Pen<'_> {
    fn add(&mut self, part: &str, op: Op, operands: &[ValueId]) -> Result<ValueId, GraphError> {
        node(self.graph, Method::EigenCam, part, op, operands)
    }

    /// A matrix over the root of the sum of its squares.
    fn normalized(&mut self, matrix: ValueId) -> Result<ValueId, GraphError> {
        let nothing = self.graph.constant(&[1, 1, 1, 1], NOTHING)?;
        let squares = self.add("squares", Op::Mul, &[matrix, matrix])?;
        let sum = self.add("size", Op::ReduceSum { axes: vec![2, 3] }, &[squares])?;
        let some = self.add("size", Op::Add, &[sum, nothing])?;
        let scale = self.add("scale", Op::Power { exponent: -0.5 }, &[some])?;
        self.add("normalized", Op::Mul, &[matrix, scale])
    }

    /// What is left of a symmetric matrix, taken to a high power: the projector on the eigenvector
    /// of its largest eigenvalue.
    fn projector(&mut self, gram: ValueId) -> Result<ValueId, GraphError> {
        let mut power = self.normalized(gram)?;
        for _ in 0..SQUARINGS {
            let square = self.add("square", Op::MatMul, &[power, power])?;
            power = self.normalized(square)?;
        }
        Ok(power)
    }
}
