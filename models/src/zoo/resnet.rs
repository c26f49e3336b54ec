//! ResNets for ImageNet.

use super::Task;
use super::initial::{Draw, Scheme};
use super::layers::Layers;
use crate::graph::{ConvAttrs, GraphError, Op, ValueId};

/// Channels of the four stages.
const CHANNELS: [usize; 4] = [64, 128, 256, 512];

/// What a stage is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    /// Two convolutions of 3 x 3.
    Basic,
    /// 1 x 1, 3 x 3 with the stride, and 1 x 1 to four times the channels.
    Bottleneck,
}

/// A convolution of 7 x 7, a max pool, four stages of residual blocks, and a dense layer.
///
/// K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition", CVPR 2016,
/// table 1, with projections where the shape changes (option B). The stride of a bottleneck stands
/// in its 3 x 3 convolution, as in torchvision, not in the first.
///
/// As in torchvision, convolutions start normal with variance 2 / fan-out, and the dense layer as
/// PyTorch's do.
pub(super) fn body(
    layers: &mut Layers,
    task: &Task,
    block: Block,
    depths: [usize; 4],
) -> Result<ValueId, GraphError> {
    layers.scheme = Scheme { conv: Draw::NormalOut, ..Scheme::PYTORCH };
    let attrs = ConvAttrs::same(3).with_stride(2);
    let stem = layers.conv_norm(["conv1", "bn1"], layers.pixels, 64, 7, attrs)?;
    let stem = layers.relu("relu", stem)?;
    let mut x = layers.max_pool("maxpool", stem, [3, 2, 1])?;
    for (stage, (channels, depth)) in CHANNELS.into_iter().zip(depths).enumerate() {
        for index in 0..depth {
            let stride = if stage > 0 && index == 0 { 2 } else { 1 };
            let name = format!("layer{}.{index}", stage + 1);
            x = residual_block(layers, &name, x, block, channels, stride)?;
        }
    }
    let features = layers.global_average(x)?;
    layers.dense("fc", features, task.classes)
}

fn residual_block(
    layers: &mut Layers,
    name: &str,
    x: ValueId,
    block: Block,
    channels: usize,
    stride: usize,
) -> Result<ValueId, GraphError> {
    let part = |p: &str| format!("{name}.{p}");
    // Channels, kernel and stride.
    let (convs, out) = match block {
        Block::Basic => (vec![[channels, 3, stride], [channels, 3, 1]], channels),
        Block::Bottleneck => {
            let out = 4 * channels;
            (vec![[channels, 1, 1], [channels, 3, stride], [out, 1, 1]], out)
        }
    };
    let last = convs.len();
    let mut y = x;
    for (number, [channels, kernel, stride]) in (1..).zip(convs) {
        let names = [&*part(&format!("conv{number}")), &*part(&format!("bn{number}"))];
        let attrs = ConvAttrs::same(kernel / 2).with_stride(stride);
        y = layers.conv_norm(names, y, channels, kernel, attrs)?;
        if number < last {
            y = layers.relu(&part(&format!("relu{number}")), y)?;
        }
    }
    let short = if stride == 1 && layers.channels(x) == out {
        x
    } else {
        let names = [&*part("downsample.0"), &*part("downsample.1")];
        layers.conv_norm(names, x, out, 1, ConvAttrs::same(0).with_stride(stride))?
    };
    let sum = layers.graph.node(&part("sum"), Op::Add, &[y, short])?;
    layers.relu(&part(&format!("relu{last}")), sum)
}
