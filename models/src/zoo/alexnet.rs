//! AlexNet.

use super::Task;
use super::initial::Scheme;
use super::layers::Layers;
use super::vgg::head;
use crate::graph::{ConvAttrs, GraphError, ValueId};

/// Position in `features`, channels, kernel, stride and padding of the convolutions.
const CONVS: [[usize; 5]; 5] = [
    [0, 64, 11, 4, 2],
    [3, 192, 5, 1, 2],
    [6, 384, 3, 1, 1],
    [8, 256, 3, 1, 1],
    [10, 256, 3, 1, 1],
];

/// Positions of the max pools of 3 x 3 every 2 pixels.
const POOLS: [usize; 3] = [2, 5, 12];

/// Five convolutions and three dense layers.
///
/// A. Krizhevsky, "One weird trick for parallelizing convolutional neural networks", arXiv
/// 1404.5997, 2014: the form in one column that torchvision has.
pub(super) fn body(layers: &mut Layers, task: &Task) -> Result<ValueId, GraphError> {
    layers.scheme = Scheme::PYTORCH;
    let mut x = layers.pixels;
    for [index, channels, kernel, stride, pad] in CONVS {
        let attrs = ConvAttrs::same(pad).with_stride(stride);
        let y = layers.conv(&format!("features.{index}"), x, channels, kernel, attrs)?;
        x = layers.relu(&format!("features.{}", index + 1), y)?;
        if POOLS.contains(&(index + 2)) {
            x = layers.max_pool(&format!("features.{}", index + 2), x, [3, 2, 0])?;
        }
    }
    head(layers, x, 6, [1, 4, 6], task.classes)
}
