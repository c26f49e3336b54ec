//! MobileNetV2.

use super::Task;
use super::blocks::{Filter, conv_norm_act, residual};
use super::initial::Scheme;
use super::layers::Layers;
use crate::graph::{ConvAttrs, GraphError, Op, ValueId};

/// Expansion factor, channels, number and first stride of the blocks (the paper's table 2).
const STAGES: [[usize; 4]; 7] = [
    [1, 16, 1, 1],
    [6, 24, 2, 2],
    [6, 32, 3, 2],
    [6, 64, 4, 2],
    [6, 96, 3, 1],
    [6, 160, 3, 2],
    [6, 320, 1, 1],
];

const RELU6: Op = Op::Clip { low: 0.0, high: 6.0 };

/// A convolution, seventeen inverted residuals, a pointwise convolution, and a dense layer.
///
/// M. Sandler, A. Howard, M. Zhu, A. Zhmoginov, L. Chen, "MobileNetV2: Inverted Residuals and
/// Linear Bottlenecks", CVPR 2018.
pub(super) fn body(layers: &mut Layers, task: &Task) -> Result<ValueId, GraphError> {
    layers.scheme = Scheme::HE_NORMAL_OUT;
    let stem = Filter { out: 32, kernel: 3, stride: 2, groups: 1 };
    let mut x = conv_norm_act(layers, "features.0", layers.pixels, stem, Some(&RELU6))?;
    let mut index = 1;
    for [factor, channels, count, first] in STAGES {
        for block in 0..count {
            let stride = if block == 0 { first } else { 1 };
            let name = format!("features.{index}");
            x = inverted_residual(layers, &name, x, factor, channels, stride)?;
            index += 1;
        }
    }
    let last = Filter::pointwise(1280);
    x = conv_norm_act(layers, &format!("features.{index}"), x, last, Some(&RELU6))?;
    let features = layers.global_average(x)?;
    layers.dense("classifier.1", features, task.classes)
}

/// As in [`super::blocks`], but torchvision names the parts in another way.
fn inverted_residual(
    layers: &mut Layers,
    name: &str,
    x: ValueId,
    factor: usize,
    channels: usize,
    stride: usize,
) -> Result<ValueId, GraphError> {
    let mut index = 0..;
    let mut next = || format!("{name}.conv.{}", index.next().unwrap_or_default());
    let expanded = factor * layers.channels(x);
    let mut y = x;
    if factor != 1 {
        y = conv_norm_act(layers, &next(), y, Filter::pointwise(expanded), Some(&RELU6))?;
    }
    let filter = Filter::depthwise(expanded, 3, stride);
    y = conv_norm_act(layers, &next(), y, filter, Some(&RELU6))?;
    y = layers.conv_norm([&next(), &next()], y, channels, 1, ConvAttrs::same(0))?;
    residual(layers, name, x, y, stride)
}
