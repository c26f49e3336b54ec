//! CIFAR ResNets.

use super::Task;
use super::initial::Draw;
use super::layers::Layers;
use crate::graph::{ConvAttrs, GraphError, Op, Range, ValueId};

/// Three stages of `depth` basic blocks with 16, 32 and 64 channels: 6 `depth` + 2 layers.
///
/// K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition", CVPR 2016,
/// section 4.2, with its parameter-free shortcuts (option A).
pub(super) fn body(layers: &mut Layers, task: &Task, depth: usize) -> Result<ValueId, GraphError> {
    let stem = layers.conv_norm(["conv1", "bn1"], layers.pixels, 16, 3, ConvAttrs::same(1))?;
    let mut x = layers.relu("relu1", stem)?;
    for (stage, channels) in [(1, 16), (2, 32), (3, 64)] {
        for block in 0..depth {
            let stride = if stage > 1 && block == 0 { 2 } else { 1 };
            x = basic_block(layers, &format!("layer{stage}.{block}"), x, channels, stride)?;
        }
    }
    let features = layers.global_average(x)?;
    layers.scheme.dense = Draw::Uniform { gain: 1.0 };
    layers.dense("linear", features, task.classes)
}

fn basic_block(
    layers: &mut Layers,
    name: &str,
    x: ValueId,
    channels: usize,
    stride: usize,
) -> Result<ValueId, GraphError> {
    let part = |p: &str| format!("{name}.{p}");
    let attrs = ConvAttrs::same(1);
    let first = [&*part("conv1"), &*part("bn1")];
    let y = layers.conv_norm(first, x, channels, 3, attrs.with_stride(stride))?;
    let y = layers.relu(&part("relu1"), y)?;
    let y = layers.conv_norm([&part("conv2"), &part("bn2")], y, channels, 3, attrs)?;
    let short = if stride == 1 { x } else { shortcut(layers, &part("shortcut"), x, channels)? };
    let sum = layers.graph.node(&part("sum"), Op::Add, &[y, short])?;
    layers.relu(&part("relu2"), sum)
}

/// Option A: every second pixel, and zeros for the new channels, half before and half behind.
fn shortcut(
    layers: &mut Layers,
    name: &str,
    x: ValueId,
    channels: usize,
) -> Result<ValueId, GraphError> {
    let &[_, c, h, w] = layers.graph.shape(x) else { unreachable!("x is an image") };
    let every_second = |end| Range { start: 0, end, step: 2 };
    let ranges = [Range { start: 0, end: c, step: 1 }, every_second(h), every_second(w)];
    let half = layers.graph.node(&format!("{name}.half"), Op::Slice { ranges }, &[x])?;
    let new = (channels - c) / 2;
    let pads = [[new, channels - c - new], [0, 0], [0, 0]];
    layers.graph.node(name, Op::Pad { pads, value: 0.0 }, &[half])
}
