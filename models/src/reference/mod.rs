//! The reference engine: plain loops in f64, one definition per operation, no tricks.
//!
//! It is the oracle that the gradient rules, the trainer and the exported files are tested
//! against. It is slow.

mod elementwise;
mod layout;
mod linear;
mod pool;
mod slopes;

use ndarray::ArrayD;
pub use slopes::slopes;

use crate::graph::{Graph, GraphError, Op, Source};

/// An array of f64 with named-by-position axes, as in [`Graph`].
pub type Array = ArrayD<f64>;

/// Computes the outputs of `graph`, in order, from its inputs, in order.
///
/// # Shapes
/// Every input is `[n, ...]` as in the graph with the batch axis replaced by any n.
///
/// # Errors
/// Another number of inputs than the graph has, or an input whose shape behind the batch axis
/// differs.
pub fn run(graph: &Graph, inputs: &[Array]) -> Result<Vec<Array>, GraphError> {
    let mut values: Vec<Array> = Vec::new();
    let mut given = inputs.iter();
    for (_, value) in graph.values() {
        let array = match &value.source {
            Source::Input => {
                let array = given.next().filter(|a| a.shape().get(1..) == value.shape.get(1..));
                array.cloned().ok_or_else(|| GraphError::Shape {
                    node: value.name.clone(),
                    op: "Input",
                    operands: inputs.iter().map(|a| a.shape().to_vec()).collect(),
                    reason: format!("needs [n, {:?}]", &value.shape[1..]),
                })?
            }
            Source::Param(data) => {
                let data = data.iter().map(|&v| f64::from(v)).collect();
                ArrayD::from_shape_vec(value.shape.as_slice(), data)
                    .expect("a graph holds only parameters whose length fits their shape")
            }
            Source::Node { op, operands } => {
                let operands: Vec<&Array> = operands.iter().map(|o| &values[o.index()]).collect();
                apply(op, &operands)
            }
        };
        values.push(array);
    }
    Ok(graph.outputs().iter().map(|o| values[o.index()].clone()).collect())
}

fn apply(op: &Op, operands: &[&Array]) -> Array {
    let x = operands[0];
    match op {
        Op::Conv(attrs) => linear::conv(attrs, x, operands[1], operands.get(2).copied()),
        Op::ConvTranspose { conv, output_padding } => {
            linear::conv_transpose(conv, *output_padding, x, operands[1])
        }
        Op::Gemm { transposed } => {
            linear::gemm(*transposed, x, operands[1], operands.get(2).copied())
        }
        Op::MatMul => linear::mat_mul(x, operands[1]),
        Op::BatchNorm { epsilon } => linear::batch_norm(f64::from(*epsilon), operands),
        Op::Relu => x.mapv(|v| v.max(0.0)),
        Op::LeakyRelu { alpha } => x.mapv(|v| if v > 0.0 { v } else { f64::from(*alpha) * v }),
        Op::Silu => x.mapv(|v| v * elementwise::sigmoid(v)),
        Op::HardSigmoid { alpha, beta } => {
            x.mapv(|v| (f64::from(*alpha) * v + f64::from(*beta)).clamp(0.0, 1.0))
        }
        Op::HardSwish => x.mapv(|v| v * (v / 6.0 + 0.5).clamp(0.0, 1.0)),
        Op::Softplus { beta } => x.mapv(|v| elementwise::softplus(v, f64::from(*beta))),
        Op::Sigmoid { beta } => x.mapv(|v| elementwise::sigmoid(v * f64::from(*beta))),
        Op::Sign => x.mapv(elementwise::sign),
        Op::Hat { width } => x.mapv(|v| elementwise::hat(v, f64::from(*width))),
        Op::Round => x.mapv(f64::round_ties_even),
        Op::Exp => x.mapv(f64::exp),
        Op::Log => x.mapv(f64::ln),
        Op::Power { exponent } => x.mapv(|v| v.powf(f64::from(*exponent))),
        Op::Erf => x.mapv(elementwise::erf),
        Op::Clip { low, high } => x.mapv(|v| v.clamp(f64::from(*low), f64::from(*high))),
        Op::MaxPool(attrs) => pool::max(attrs, x),
        Op::AveragePool(attrs) => pool::average(attrs, x),
        Op::GlobalAveragePool => pool::global_average(x),
        Op::Add => elementwise::binary(x, operands[1], |a, b| a + b),
        Op::Sub => elementwise::binary(x, operands[1], |a, b| a - b),
        Op::Mul => elementwise::binary(x, operands[1], |a, b| a * b),
        Op::Concat => layout::concat(operands),
        Op::Flatten => layout::reshape(x, &[x.len() / x.shape()[0]]),
        Op::Reshape { shape } => layout::reshape(x, shape),
        Op::Transpose { order } => layout::transpose(x, order),
        Op::Pad { pads, value } => layout::pad(x, pads, f64::from(*value)),
        Op::Slice { ranges } => layout::slice(x, ranges),
        Op::DepthToSpace { block } => layout::depth_to_space(x, *block),
        Op::ReduceSum { axes } => axes.iter().fold(x.clone(), |x, &axis| {
            x.sum_axis(ndarray::Axis(axis)).insert_axis(ndarray::Axis(axis))
        }),
        Op::OneHotArgMax => elementwise::one_hot_arg_max(x),
    }
}
