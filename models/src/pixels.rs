//! Pixels: as numbers, and what is done to them before the first layer of a network.

use crate::graph::{Graph, GraphError, Op, Range, ValueId};

/// 8-bit pixels in [0, 1].
pub fn scaled(bytes: &[u8]) -> Vec<f32> {
    bytes.iter().map(|&b| f32::from(b) / 255.0).collect()
}

/// Appends the three channels of an image in the opposite order.
///
/// # Shapes
/// `image` and the result are `[n, 3, row, column]`.
///
/// # Errors
/// The image has other channels, or the graph has had its channels reversed before.
pub fn reversed_channels(graph: &mut Graph, image: ValueId) -> Result<ValueId, GraphError> {
    let &[_, 3, rows, columns] = graph.shape(image) else {
        return Err(GraphError::Shape {
            node: graph.value(image).name.clone(),
            op: "Slice",
            operands: vec![graph.shape(image).to_vec()],
            reason: "has no three channels to put into the opposite order".to_owned(),
        });
    };
    let mut planes = Vec::with_capacity(3);
    for (channel, name) in ["pixels.red", "pixels.green", "pixels.blue"].into_iter().enumerate() {
        let ranges = [
            Range { start: channel, end: channel + 1, step: 1 },
            Range::whole(rows),
            Range::whole(columns),
        ];
        planes.insert(0, graph.node(name, Op::Slice { ranges }, &[image])?);
    }
    graph.node("pixels.reversed", Op::Concat, &planes)
}
