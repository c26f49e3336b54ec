//! LeNet-5.

use super::Task;
use super::initial::Scheme;
use super::layers::Layers;
use crate::graph::{ConvAttrs, GraphError, Op, ValueId};

/// Two convolutions of 5 x 5 with max pools, and three dense layers.
///
/// Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-Based Learning Applied to Document
/// Recognition", Proceedings of the IEEE 86(11), 1998, section II.B, in the form that PyTorch's
/// tutorials give it: ReLU instead of the scaled tanh, max pools instead of trained averages, every
/// filter on all channels, and a dense last layer. Two pixels of padding around the image stand
/// for the paper's 32 x 32 field around a digit of 28 x 28.
pub(super) fn body(layers: &mut Layers, task: &Task) -> Result<ValueId, GraphError> {
    layers.scheme = Scheme::PYTORCH;
    let mut x = layers.pixels;
    for (number, channels, pad) in [(1, 6, 2), (2, 16, 0)] {
        let y = layers.conv(&format!("conv{number}"), x, channels, 5, ConvAttrs::same(pad))?;
        let y = layers.relu(&format!("relu{number}"), y)?;
        x = layers.max_pool(&format!("pool{number}"), y, [2, 2, 0])?;
    }
    x = layers.graph.node("features", Op::Flatten, &[x])?;
    for (number, units) in [(1, 120), (2, 84)] {
        let y = layers.dense(&format!("fc{number}"), x, units)?;
        x = layers.relu(&format!("fc{number}.relu"), y)?;
    }
    layers.dense("fc3", x, task.classes)
}
