//! MobileNetV3.

use super::Task;
use super::blocks::{Filter, Inverted, conv_norm_act, inverted_residual};
use super::initial::Scheme;
use super::layers::Layers;
use crate::graph::{GraphError, Op, ValueId};

/// Kernel, channels in the middle, channels, squeeze-and-excite (1) or none, ReLU (0) or hard-swish
/// (1), and stride of the blocks (the paper's table 2).
const BLOCKS: [[usize; 6]; 11] = [
    [3, 16, 16, 1, 0, 2],
    [3, 72, 24, 0, 0, 2],
    [3, 88, 24, 0, 0, 1],
    [5, 96, 40, 1, 1, 2],
    [5, 240, 40, 1, 1, 1],
    [5, 240, 40, 1, 1, 1],
    [5, 120, 48, 1, 1, 1],
    [5, 144, 48, 1, 1, 1],
    [5, 288, 96, 1, 1, 2],
    [5, 576, 96, 1, 1, 1],
    [5, 576, 96, 1, 1, 1],
];

const HARD_SIGMOID: Op = Op::HardSigmoid { alpha: 1.0 / 6.0, beta: 0.5 };

/// A convolution, eleven inverted residuals, a pointwise convolution, and two dense layers: the
/// small form.
///
/// A. Howard et al., "Searching for MobileNetV3", ICCV 2019. As in torchvision, batch norms add
/// 0.001 to the variance.
pub(super) fn small(layers: &mut Layers, task: &Task) -> Result<ValueId, GraphError> {
    layers.scheme = Scheme::HE_NORMAL_OUT;
    layers.epsilon = 1e-3;
    let swish = Some(&Op::HardSwish);
    let stem = Filter { out: 16, kernel: 3, stride: 2, groups: 1 };
    let mut x = conv_norm_act(layers, "features.0", layers.pixels, stem, swish)?;
    for (index, [kernel, expanded, out, excited, swished, stride]) in (1..).zip(BLOCKS) {
        let squeezed = in_eights(expanded / 4);
        let block = Inverted {
            expanded,
            kernel,
            stride,
            out,
            activation: if swished == 1 { Op::HardSwish } else { Op::Relu },
            excite: (excited == 1).then_some((squeezed, [Op::Relu, HARD_SIGMOID])),
        };
        x = inverted_residual(layers, &format!("features.{index}"), x, &block)?;
    }
    let last = Filter::pointwise(6 * layers.channels(x));
    x = conv_norm_act(layers, &format!("features.{}", BLOCKS.len() + 1), x, last, swish)?;
    let features = layers.global_average(x)?;
    let y = layers.dense("classifier.0", features, 1024)?;
    let y = layers.graph.node("classifier.1", Op::HardSwish, &[y])?;
    layers.dense("classifier.3", y, task.classes)
}

/// The nearest multiple of 8, the next one if that were below nine tenths of `channels`.
fn in_eights(channels: usize) -> usize {
    let nearest = ((channels + 4) / 8 * 8).max(8);
    if nearest * 10 < channels * 9 { nearest + 8 } else { nearest }
}
