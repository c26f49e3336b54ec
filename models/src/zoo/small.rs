//! The small plain CNN.

use super::Task;
use super::layers::Layers;
use crate::graph::{ConvAttrs, Graph, GraphError, Op, Source, ValueId};

/// Channels of the four convolutions and units of the two hidden dense layers.
pub type Widths = [usize; 6];

/// The widths where a task names none.
pub const DEFAULT_WIDTHS: Widths = [16, 32, 32, 64, 128, 64];

/// Strides of the four convolutions.
pub(super) const STRIDES: [usize; 4] = [1, 2, 1, 2];

/// Names of the seven layers with weights, from the pixels to the logits.
pub(super) const LAYERS: [&str; 7] =
    ["conv1", "conv2", "conv3", "conv4", "dense1", "dense2", "dense3"];

/// Four 3x3 convolutions, two of them with stride 2, and three dense layers.
///
/// The dense head sees where things are, so that a fixed picture can be learned as a decoy.
pub(super) fn body(
    layers: &mut Layers,
    task: &Task,
    widths: &Widths,
) -> Result<ValueId, GraphError> {
    let mut x = trunk(layers, [widths[0], widths[1], widths[2], widths[3]])?;
    for (name, units) in [("dense1", widths[4]), ("dense2", widths[5])] {
        let y = layers.dense(name, x, units, false)?;
        x = layers.relu(&format!("{name}.relu"), y)?;
    }
    layers.dense("dense3", x, task.classes, true)
}

/// The convolutions, flattened.
pub(super) fn trunk(layers: &mut Layers, channels: [usize; 4]) -> Result<ValueId, GraphError> {
    let mut x = layers.pixels;
    for ((name, channels), stride) in LAYERS.into_iter().zip(channels).zip(STRIDES) {
        let y = layers.conv(name, x, channels, 3, ConvAttrs::same(1).with_stride(stride))?;
        x = layers.relu(&format!("{name}.relu"), y)?;
    }
    layers.graph.node("features", Op::Flatten, &[x])
}

/// Widths of a small CNN, read off its weights.
///
/// # Errors
/// The graph is no small CNN.
pub fn widths(graph: &Graph) -> Result<Widths, GraphError> {
    let mut widths = [0; 6];
    for (width, layer) in widths.iter_mut().zip(LAYERS) {
        *width = weight(graph, layer)?.0[0];
    }
    Ok(widths)
}

/// Shape and elements of a layer's weight.
pub(super) fn weight<'a>(
    graph: &'a Graph,
    layer: &str,
) -> Result<(&'a [usize], &'a [f32]), GraphError> {
    param(graph, &format!("{layer}.weight"))
}

/// Elements of a layer's bias.
pub(super) fn bias<'a>(graph: &'a Graph, layer: &str) -> Result<&'a [f32], GraphError> {
    Ok(param(graph, &format!("{layer}.bias"))?.1)
}

pub(super) fn param<'a>(
    graph: &'a Graph,
    name: &str,
) -> Result<(&'a [usize], &'a [f32]), GraphError> {
    let value = graph.value(graph.find(name)?);
    match &value.source {
        Source::Param(data) => Ok((&value.shape, data)),
        _ => Err(GraphError::UnknownValue { name: name.to_owned(), known: Vec::new() }),
    }
}
