//! What the way back needs to know of the way there, in as little memory as it takes.
//!
//! The mask of an activation is one bit per element, and a max pool is traced by one bit per cell of
//! each window; both are kept while the value is made. So the activations themselves are let go as
//! soon as the next layer has read them.

use std::collections::HashMap;

use super::node::{Id, Kind, Node};
use super::rewrite::{push, rewrite};

/// Puts a node for the bits of every masked value right behind it, and one for the winners of every
/// max pool that is traced back.
pub(super) fn remember(nodes: Vec<Node>, outputs: Vec<Id>) -> (Vec<Node>, Vec<Id>) {
    let mut masked: HashMap<Id, Vec<[f32; 2]>> = HashMap::new();
    let mut traced = vec![false; nodes.len()];
    for node in &nodes {
        if let Some((id, bounds)) = node.epilogue.mask {
            let wanted = masked.entry(id).or_default();
            if !wanted.contains(&bounds) {
                wanted.push(bounds);
            }
        }
        if let (Kind::PoolBack(_) | Kind::PoolGather(_), [_, _, result]) =
            (&node.kind, &node.inputs[..])
        {
            traced[*result] = true;
        }
    }
    let mut bits: HashMap<(Id, [u32; 2]), Id> = HashMap::new();
    let mut winners: HashMap<Id, Id> = HashMap::new();
    rewrite(nodes, outputs, |made, old, mut node| {
        if let (Kind::PoolBack(_) | Kind::PoolGather(_), &[gradient, _, result]) =
            (&node.kind, &node.inputs[..])
        {
            node.inputs = vec![gradient, winners[&result]];
        }
        if let Some((id, bounds)) = &mut node.epilogue.mask {
            *id = bits[&(*id, key(*bounds))];
        }
        let (shape, takes_epilogue) = (node.shape.clone(), node.takes_epilogue());
        let traced = match &node.kind {
            Kind::Pool(window) if traced[old] => Some(*window),
            _ => None,
        };
        let own = push(made, node);
        let mut push = |kind, input| push(made, Node::new(kind, vec![input], shape.clone()));
        if let Some(window) = traced {
            winners.insert(own, push(Kind::Winners(window), own));
        }
        for (number, bounds) in masked.remove(&old).into_iter().flatten().enumerate() {
            // Bits are kept while a value is made; others are made once more.
            let kept = number == 0 && takes_epilogue;
            let value = if kept { own } else { push(Kind::Epilogue, own) };
            bits.insert((own, key(bounds)), push(Kind::Inside(bounds), value));
        }
        Some(own)
    })
}

fn key(bounds: [f32; 2]) -> [u32; 2] {
    bounds.map(f32::to_bits)
}
