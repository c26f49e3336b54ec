//! The small plain CNN.

use super::Task;
use super::initial::Draw;
use super::layers::Layers;
use crate::graph::{ConvAttrs, GraphError, Op, ValueId};

/// Channels of the four convolutions and units of the two hidden dense layers.
pub type Widths = [usize; 6];

/// The widths where a task names none.
pub const DEFAULT_WIDTHS: Widths = [16, 32, 32, 64, 128, 64];

/// Strides of the four convolutions.
const STRIDES: [usize; 4] = [1, 2, 1, 2];

/// Four 3x3 convolutions, two of them with stride 2, and three dense layers.
///
/// The dense head sees where things are, so that a fixed picture can be learned as a decoy.
pub(super) fn body(
    layers: &mut Layers,
    task: &Task,
    widths: &Widths,
) -> Result<ValueId, GraphError> {
    let mut x = layers.pixels;
    for (position, stride) in STRIDES.into_iter().enumerate() {
        let name = format!("conv{}", position + 1);
        let attrs = ConvAttrs::same(1).with_stride(stride);
        let y = layers.conv(&name, x, widths[position], 3, attrs)?;
        x = layers.relu(&format!("{name}.relu"), y)?;
    }
    x = layers.graph.node("features", Op::Flatten, &[x])?;
    for (name, units) in [("dense1", widths[4]), ("dense2", widths[5])] {
        let y = layers.dense(name, x, units)?;
        x = layers.relu(&format!("{name}.relu"), y)?;
    }
    layers.scheme.dense = Draw::Uniform { gain: 1.0 };
    layers.dense("dense3", x, task.classes)
}
