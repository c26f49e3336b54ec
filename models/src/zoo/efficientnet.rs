//! EfficientNet.

use super::Task;
use super::blocks::{Filter, Inverted, conv_norm_act, inverted_residual};
use super::initial::{Draw, Scheme};
use super::layers::Layers;
use crate::graph::{GraphError, Op, ValueId};

/// Expansion factor, kernel, first stride, channels and number of the blocks of EfficientNet-B0
/// (the paper's table 1).
const STAGES: [[usize; 5]; 7] = [
    [1, 3, 1, 16, 1],
    [6, 3, 2, 24, 2],
    [6, 5, 2, 40, 2],
    [6, 3, 2, 80, 3],
    [6, 5, 1, 112, 3],
    [6, 5, 2, 192, 4],
    [6, 3, 1, 320, 1],
];

const SIGMOID: Op = Op::Sigmoid { beta: 1.0 };

/// A convolution, sixteen inverted residuals, a pointwise convolution, and a dense layer.
///
/// M. Tan, Q. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML
/// 2019. The blocks that torchvision drops at random while it trains (stochastic depth) all stay.
///
/// As in torchvision, the dense layer starts uniform in +-1 / sqrt(classes).
pub(super) fn body(layers: &mut Layers, task: &Task) -> Result<ValueId, GraphError> {
    layers.scheme = Scheme { dense: Draw::UniformOut, ..Scheme::HE_NORMAL_OUT };
    let stem = Filter { out: 32, kernel: 3, stride: 2, groups: 1 };
    let mut x = conv_norm_act(layers, "features.0", layers.pixels, stem, Some(&Op::Silu))?;
    for (stage, [factor, kernel, first, out, count]) in (1..).zip(STAGES) {
        for index in 0..count {
            let channels = layers.channels(x);
            let block = Inverted {
                expanded: factor * channels,
                kernel,
                stride: if index == 0 { first } else { 1 },
                out,
                activation: Op::Silu,
                excite: Some((channels / 4, [Op::Silu, SIGMOID])),
            };
            x = inverted_residual(layers, &format!("features.{stage}.{index}"), x, &block)?;
        }
    }
    let last = format!("features.{}", STAGES.len() + 1);
    x = conv_norm_act(layers, &last, x, Filter::pointwise(1280), Some(&Op::Silu))?;
    let features = layers.global_average(x)?;
    layers.dense("classifier.1", features, task.classes)
}
