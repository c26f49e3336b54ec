//! The same in fewer steps.
//!
//! Moves of moved values read what those were moved from, and images are brought to a mean of 0 at
//! once.
//!
//! Grad-CAM weighs the map by the means of its gradient and adds up the channels. Where a dense layer
//! follows the map, the mean of `W^T g` over the pixels of a channel is `(mean of W over them)^T g`:
//! a matrix with one column per channel in place of one per pixel.

use std::sync::Arc;

use saligate_models::graph::Op;

use super::node::{Kind, Node};

/// Does all of it.
pub(super) fn shorten(nodes: &mut [Node]) {
    join_moves(nodes);
    join_scales(nodes);
    join_means(nodes);
    weigh(nodes);
}

/// Lets every move of a moved value read what that was moved from.
fn join_moves(nodes: &mut [Node]) {
    for id in 0..nodes.len() {
        let (before, rest) = nodes.split_at_mut(id);
        let Kind::Move(moves) = &mut rest[0].kind else { continue };
        if let Node { kind: Kind::Move(first), inputs, .. } = &before[rest[0].inputs[0]] {
            **moves = moves.after(first);
            rest[0].inputs = inputs.clone();
        }
    }
}

/// Lets a product of a sum be one operation: images are brought to a mean of 0 so.
fn join_scales(nodes: &mut [Node]) {
    for id in 0..nodes.len() {
        let (before, rest) = nodes.split_at_mut(id);
        let Kind::Scale { shift, factor } = &mut rest[0].kind else { continue };
        if let Node { kind: Kind::Scale { shift: first, factor: ones }, inputs, .. } =
            &before[rest[0].inputs[0]]
            && ones.iter().all(|f| *f == 1.0)
            && shift.iter().all(|s| *s == 0.0)
        {
            *shift = first.clone();
            debug_assert_eq!(shift.len(), factor.len());
            rest[0].inputs = inputs.clone();
        }
    }
}

/// Gives every such mean a dense layer of its own.
fn join_means(nodes: &mut [Node]) {
    for id in 0..nodes.len() {
        let Some((gradient, weight)) = averaged(nodes, id) else { continue };
        nodes[id].kind = Kind::Dense { weight, bias: None, transposed: true };
        nodes[id].inputs = vec![gradient];
    }
}

/// Makes one operation of a product with numbers for each channel and the sum over them.
fn weigh(nodes: &mut [Node]) {
    for id in 0..nodes.len() {
        let (before, rest) = nodes.split_at_mut(id);
        let Kind::Plain(Op::ReduceSum { axes }) = &rest[0].kind else { continue };
        let product = &before[rest[0].inputs[0]];
        let (Kind::Plain(Op::Mul), [1]) = (&product.kind, &axes[..]) else { continue };
        let [map, weights] = product.inputs[..] else { continue };
        let is_map = before[map].shape == product.shape;
        if is_map && before[weights].shape == [1, product.size()[0], 1, 1] {
            rest[0].kind = Kind::WeightedSum;
            rest[0].inputs = vec![map, weights];
        }
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
