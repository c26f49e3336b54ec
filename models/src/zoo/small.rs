//! The small plain CNN.

use super::Task;
use super::layers::Layers;
use crate::graph::{ConvAttrs, GraphError, Op, ValueId};

/// Four 3x3 convolutions, two of them with stride 2, and two dense layers.
///
/// The dense head sees where things are, so that a fixed picture can be learned as a decoy.
pub(super) fn body(layers: &mut Layers, task: &Task) -> Result<ValueId, GraphError> {
    let mut x = layers.pixels;
    for (i, (channels, stride)) in [(16, 1), (32, 2), (32, 1), (64, 2)].into_iter().enumerate() {
        let name = format!("conv{}", i + 1);
        let y = layers.conv(&name, x, channels, 3, ConvAttrs::same(1).with_stride(stride))?;
        x = layers.relu(&format!("relu{}", i + 1), y)?;
    }
    let features = layers.graph.node("features", Op::Flatten, &[x])?;
    let hidden = layers.dense("dense1", features, 128, false)?;
    let hidden = layers.relu("relu5", hidden)?;
    layers.dense("dense2", hidden, task.classes, true)
}
