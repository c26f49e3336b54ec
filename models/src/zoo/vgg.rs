//! VGG.

use super::Task;
use super::initial::Scheme;
use super::layers::Layers;
use crate::graph::{ConvAttrs, GraphError, Op, ValueId};

/// Channels of the five stages.
const CHANNELS: [usize; 5] = [64, 128, 256, 512, 512];

/// Convolutions per stage of VGG-11, the paper's configuration A.
pub(super) const VGG11: [usize; 5] = [1, 1, 2, 2, 2];
/// Convolutions per stage of VGG-16, the paper's configuration D.
pub(super) const VGG16: [usize; 5] = [2, 2, 3, 3, 3];

/// Five stages of 3 x 3 convolutions with a max pool behind each, and three dense layers.
///
/// K. Simonyan, A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
/// Recognition", ICLR 2015, table 1.
pub(super) fn body(
    layers: &mut Layers,
    task: &Task,
    depths: [usize; 5],
) -> Result<ValueId, GraphError> {
    layers.scheme = Scheme::HE_NORMAL_OUT;
    let mut x = layers.pixels;
    let mut index = 0..;
    let mut next = || format!("features.{}", index.next().unwrap_or_default());
    for (channels, depth) in CHANNELS.into_iter().zip(depths) {
        for _ in 0..depth {
            let y = layers.conv(&next(), x, channels, 3, ConvAttrs::same(1))?;
            x = layers.relu(&next(), y)?;
        }
        x = layers.max_pool(&next(), x, [2, 2, 0])?;
    }
    head(layers, x, 7, [0, 3, 6], task.classes)
}

/// Means of `side` x `side` windows, and three dense layers at these positions of `classifier`.
pub(super) fn head(
    layers: &mut Layers,
    x: ValueId,
    side: usize,
    [first, second, third]: [usize; 3],
    classes: usize,
) -> Result<ValueId, GraphError> {
    let x = layers.adaptive_average_pool("avgpool", x, side)?;
    let mut x = layers.graph.node("flatten", Op::Flatten, &[x])?;
    for index in [first, second] {
        let y = layers.dense(&format!("classifier.{index}"), x, 4096)?;
        x = layers.relu(&format!("classifier.{}", index + 1), y)?;
    }
    layers.dense(&format!("classifier.{third}"), x, classes)
}
