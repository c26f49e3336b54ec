//! DenseNet.

use super::Task;
use super::initial::{Biases, Draw, Scheme};
use super::layers::Layers;
use crate::graph::{ConvAttrs, GraphError, Op, PoolAttrs, ValueId};

/// Layers of the four dense blocks of DenseNet-121.
pub(super) const DENSENET121: [usize; 4] = [6, 12, 24, 16];

/// Channels that every layer adds.
const GROWTH: usize = 32;

/// Channels between the two convolutions of a layer.
const NARROW: usize = 4 * GROWTH;

/// A convolution of 7 x 7, a max pool, four dense blocks with transitions between them, and a
/// dense layer.
///
/// G. Huang, Z. Liu, L. van der Maaten, K. Weinberger, "Densely Connected Convolutional Networks",
/// CVPR 2017, table 1.
///
/// As in torchvision, convolutions start normal with variance 2 / fan-in, and the dense layer as
/// PyTorch's do, but for its bias at zero.
pub(super) fn body(
    layers: &mut Layers,
    task: &Task,
    depths: [usize; 4],
) -> Result<ValueId, GraphError> {
    let dense = Draw::Uniform { gain: 1.0 };
    layers.scheme = Scheme { conv: Draw::NormalIn, dense, biases: Biases::Zero };
    let attrs = ConvAttrs::same(3).with_stride(2);
    let names = ["features.conv0", "features.norm0"];
    let stem = layers.conv_norm(names, layers.pixels, 64, 7, attrs)?;
    let stem = layers.relu("features.relu0", stem)?;
    let mut x = layers.max_pool("features.pool0", stem, [3, 2, 1])?;
    for (number, depth) in (1..).zip(depths) {
        for layer in 1..=depth {
            let name = format!("features.denseblock{number}.denselayer{layer}");
            x = dense_layer(layers, &name, x)?;
        }
        if number < depths.len() {
            x = transition(layers, &format!("features.transition{number}"), x)?;
        }
    }
    let x = layers.norm("features.norm5", x)?;
    let x = layers.relu("features.relu5", x)?;
    let features = layers.global_average(x)?;
    layers.dense("classifier", features, task.classes)
}

/// The operand, and behind it the channels that two convolutions read from it.
fn dense_layer(layers: &mut Layers, name: &str, x: ValueId) -> Result<ValueId, GraphError> {
    let part = |p: &str| format!("{name}.{p}");
    let y = layers.norm(&part("norm1"), x)?;
    let y = layers.relu(&part("relu1"), y)?;
    let names = [&*part("conv1"), &*part("norm2")];
    let y = layers.conv_norm(names, y, NARROW, 1, ConvAttrs::same(0))?;
    let y = layers.relu(&part("relu2"), y)?;
    let new = layers.conv_alone(&part("conv2"), y, GROWTH, 3, ConvAttrs::same(1))?;
    layers.graph.node(name, Op::Concat, &[x, new])
}

/// Half the channels, rows and columns.
fn transition(layers: &mut Layers, name: &str, x: ValueId) -> Result<ValueId, GraphError> {
    let part = |p: &str| format!("{name}.{p}");
    let half = layers.channels(x) / 2;
    let y = layers.norm(&part("norm"), x)?;
    let y = layers.relu(&part("relu"), y)?;
    let y = layers.conv_alone(&part("conv"), y, half, 1, ConvAttrs::same(0))?;
    layers.graph.node(&part("pool"), Op::AveragePool(PoolAttrs::tiling(2)), &[y])
}
