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

use super::epilogue::Epilogue;
use super::node::{Id, Kind, Node};
use super::rewrite::revise;

/// Does all of it; where the weights are to change, nothing that is made of several of them.
pub(super) fn shorten(nodes: &mut [Node], learns: bool) {
    join_moves(nodes);
    join_parts(nodes);
    join_scales(nodes);
    if !learns {
        join_means(nodes);
    }
    weigh(nodes);
}

/// Lets every move of a moved value read what that was moved from.
fn join_moves(nodes: &mut [Node]) {
    revise(nodes, |before, node| {
        let Kind::Move(moves) = &mut node.kind else { return };
        if let Node { kind: Kind::Move(first), inputs, .. } = &before[node.inputs[0]] {
            **moves = moves.after(first);
            node.inputs = inputs.clone();
        }
    });
}

/// Lets values that were each put among zeros, and added up, stand one behind the other: the gradient of
/// what was split.
fn join_parts(nodes: &mut [Node]) {
    revise(nodes, |before, node| {
        let Some(parts) = parts(before, node) else { return };
        node.kind = Kind::Concat;
        node.inputs = parts;
        node.epilogue = Epilogue::NOTHING;
    });
}

/// The values that fill all channels of a sum, in order.
fn parts(before: &[Node], sum: &Node) -> Option<Vec<Id>> {
    let mut terms = added(sum)?.to_vec();
    let mut parts: Vec<(usize, usize, Id)> = Vec::new();
    while let Some(term) = terms.pop() {
        match &before[term].kind {
            Kind::Move(moves) => {
                let part = before[term].inputs[0];
                let (first, count) = moves.among_channels(before[part].size())?;
                parts.push((first, count, part));
            }
            _ => terms.extend(added(&before[term])?),
        }
    }
    parts.sort_unstable();
    let end =
        parts.iter().try_fold(0, |end, &(first, count, _)| (first == end).then_some(end + count));
    let fills = sum.shape.len() == 4 && end == Some(sum.size()[0]);
    fills.then(|| parts.into_iter().map(|(_, _, part)| part).collect())
}

/// The two values that a node adds, where it does nothing else.
fn added(node: &Node) -> Option<[Id; 2]> {
    let Kind::Epilogue = node.kind else { return None };
    let residual = node.epilogue.residual?;
    (node.epilogue == Epilogue::adding(residual)).then(|| [node.inputs[0], residual])
}

/// Lets a product of a sum be one operation: images are brought to a mean of 0 so.
fn join_scales(nodes: &mut [Node]) {
    revise(nodes, |before, node| {
        let Kind::Scale { shift, factor } = &mut node.kind else { return };
        if let Node { kind: Kind::Scale { shift: first, factor: ones }, inputs, .. } =
            &before[node.inputs[0]]
            && ones.iter().all(|f| *f == 1.0)
            && shift.iter().all(|s| *s == 0.0)
        {
            *shift = first.clone();
            debug_assert_eq!(shift.len(), factor.len());
            node.inputs = inputs.clone();
        }
    });
}

/// Gives every such mean a dense layer of its own.
fn join_means(nodes: &mut [Node]) {
    revise(nodes, |before, node| {
        let Some((gradient, weight)) = averaged(before, node) else { return };
        node.kind = Kind::Dense { weight, bias: None, transposed: true };
        node.inputs = vec![gradient];
    });
}

/// Makes one operation of a product with numbers for each channel and the sum over them.
fn weigh(nodes: &mut [Node]) {
    revise(nodes, |before, node| {
        let Kind::Plain(Op::ReduceSum { axes }) = &node.kind else { return };
        let product = &before[node.inputs[0]];
        let (Kind::Plain(Op::Mul), [1]) = (&product.kind, &axes[..]) else { return };
        let [map, weights] = product.inputs[..] else { return };
        let is_map = before[map].shape == product.shape;
        if is_map && before[weights].shape == [1, product.size()[0], 1, 1] {
            node.kind = Kind::WeightedSum;
            node.inputs = vec![map, weights];
        }
    });
}

/// The gradient that a mean comes from, and the weights from it to the mean.
fn averaged(before: &[Node], node: &Node) -> Option<(Id, Arc<[f32]>)> {
    let Kind::Mean = node.kind else { return None };
    let map = &before[node.inputs[0]];
    let (Kind::Plain(Op::Reshape { .. }), [_, channels, rows, columns]) =
        (&map.kind, &map.shape[..])
    else {
        return None;
    };
    let dense = &before[map.inputs[0]];
    let Kind::Dense { weight, bias: None, transposed: true } = &dense.kind else { return None };
    let pixels = rows * columns;
    let mean =
        |cells: &[f32]| (cells.iter().map(|&w| f64::from(w)).sum::<f64>() / pixels as f64) as f32;
    let means: Vec<f32> = weight.chunks_exact(pixels).map(mean).collect();
    debug_assert_eq!(means.len() % channels, 0);
    Some((dense.inputs[0], means.into()))
}
