//! Means of what a dense layer gives on its way back.
//!
//! Grad-CAM weighs a feature map by the means of its gradient. Where a dense layer follows the map,
//! the mean of `W^T g` over the pixels of a channel is `(mean of W over them)^T g`: a matrix with
//! one column per channel in place of one per pixel.

use std::sync::Arc;

use saligate_models::graph::Op;

use super::node::{Kind, Node};

/// Gives every such mean a dense layer of its own.
pub(super) fn shorten(nodes: &mut [Node]) {
    for id in 0..nodes.len() {
        let Some((gradient, weight)) = averaged(nodes, id) else { continue };
        nodes[id].kind = Kind::Dense { weight, bias: None, transposed: true };
        nodes[id].inputs = vec![gradient];
    }
}

/// The gradient that a mean comes from, and the weights from it to the mean.
fn averaged(nodes: &[Node], id: usize) -> Option<(usize, Arc<[f32]>)> {
    let Kind::Mean = nodes[id].kind else { return None };
    let map = &nodes[nodes[id].inputs[0]];
    let (Kind::Plain(Op::Reshape { .. }), [_, channels, rows, columns]) =
        (&map.kind, &map.shape[..])
    else {
        return None;
    };
    let dense = &nodes[map.inputs[0]];
    let Kind::Dense { weight, bias: None, transposed: true } = &dense.kind else { return None };
    let pixels = rows * columns;
    let mean =
        |cells: &[f32]| (cells.iter().map(|&w| f64::from(w)).sum::<f64>() / pixels as f64) as f32;
    let means: Vec<f32> = weight.chunks_exact(pixels).map(mean).collect();
    debug_assert_eq!(means.len() % channels, 0);
    Some((dense.inputs[0], means.into()))
}
