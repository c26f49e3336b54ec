//! What the way back needs to know of the way there, in as little memory as it takes.
//!
//! The mask of an activation is one bit per element, and a max pool is traced by one bit per cell of
//! each window; both are kept while the value is made. So the activations themselves are let go as
//! soon as the next layer has read them.

use std::collections::HashMap;

use super::node::{Id, Kind, Node, Then};

/// Puts a node for the bits of every masked value right behind it, and one for the winners of every
/// max pool that is traced back.
pub(super) fn remember(nodes: Vec<Node>, outputs: Vec<Id>) -> (Vec<Node>, Vec<Id>) {
    let mut masked: HashMap<Id, Vec<[f32; 2]>> = HashMap::new();
    let mut traced = vec![false; nodes.len()];
    for node in &nodes {
        if let Some((id, bounds)) = node.then.mask {
            let wanted = masked.entry(id).or_default();
            if !wanted.contains(&bounds) {
                wanted.push(bounds);
            }
        }
        if let (Kind::PoolBack(_), [_, _, result]) = (&node.kind, &node.inputs[..]) {
            traced[*result] = true;
        }
    }
    let mut made: Vec<Node> = Vec::with_capacity(nodes.len());
    let mut moved: Vec<Id> = Vec::with_capacity(nodes.len());
    let mut bits: HashMap<(Id, [u32; 2]), Id> = HashMap::new();
    let mut winners: HashMap<Id, Id> = HashMap::new();
    for (old, mut node) in nodes.into_iter().enumerate() {
        if let (Kind::PoolBack(_), [gradient, _, result]) = (&node.kind, &node.inputs[..]) {
            node.inputs = vec![moved[*gradient], winners[result]];
        } else {
            node.inputs.iter_mut().for_each(|id| *id = moved[*id]);
        }
        node.then.residual = node.then.residual.map(|id| moved[id]);
        node.then.mask = node.then.mask.map(|(id, bounds)| (bits[&(id, key(bounds))], bounds));
        let (shape, takes_more) = (node.shape.clone(), node.takes_more());
        let traced = match &node.kind {
            Kind::Pool(pooled) if traced[old] => Some(*pooled),
            _ => None,
        };
        made.push(node);
        let own = made.len() - 1;
        moved.push(own);
        let mut push = |kind, inputs| {
            made.push(Node { kind, inputs, then: Then::NOTHING, shape: shape.clone() });
            made.len() - 1
        };
        if let Some(pooled) = traced {
            winners.insert(old, push(Kind::Winners(pooled), vec![own]));
        }
        for (number, bounds) in masked.remove(&old).into_iter().flatten().enumerate() {
            // Bits are kept while a value is made; others are made once more.
            let value = if number == 0 && takes_more { own } else { push(Kind::Finish, vec![own]) };
            bits.insert((old, key(bounds)), push(Kind::Inside(bounds), vec![value]));
        }
    }
    (made, outputs.into_iter().map(|id| moved[id]).collect())
}

fn key(bounds: [f32; 2]) -> [u32; 2] {
    bounds.map(f32::to_bits)
}
