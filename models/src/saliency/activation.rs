//! A layer as it is.

use super::{Layer, Method, node};
use crate::graph::{Graph, GraphError, Op, ValueId};

/// A copy of a layer: what methods of many passes read, and what tells which features a network
/// sees at all.
///
/// # Shapes
/// `[n, channel, row, column]` as the layer.
pub(super) fn attribution(graph: &mut Graph, layer: &Layer) -> Result<ValueId, GraphError> {
    let layer = layer.map(graph, Method::Activation)?;
    let one = graph.constant(&[1, 1, 1, 1], 1.0)?;
    node(graph, Method::Activation, "layer", Op::Mul, &[layer, one])
}
