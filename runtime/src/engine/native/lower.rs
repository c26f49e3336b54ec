//! From a graph to nodes.

use std::collections::HashMap;

use saligate_models::graph::{Graph, Op, ValueId};

use super::meaning::{Meaning, Reader};
use super::node::{Id, Kind, Node, Then};

/// The nodes of a graph, and which of them are its outputs, in order.
///
/// # Errors
/// A value is no batch of one; the error names it.
pub(super) fn lower(graph: &Graph) -> Result<(Vec<Node>, Vec<Id>), String> {
    let reader = Reader::new(graph);
    let meanings = reader.needed();
    reader.check_batches(&meanings)?;
    let mut nodes: Vec<Node> = Vec::new();
    let mut ids: HashMap<ValueId, Id> = HashMap::new();
    let mut uses = vec![0usize; meanings.len()];
    for operand in meanings.iter().flatten().flat_map(Meaning::operands) {
        uses[operand.index()] += 1;
    }
    graph.outputs().iter().for_each(|o| uses[o.index()] += 1);

    for (value, meaning) in meanings.into_iter().enumerate().filter_map(|(i, m)| Some((i, m?))) {
        let (value, shape) = reader.value(value);
        let id = |v: &ValueId| ids[v];
        let then = Then {
            residual: meaning.residual.as_ref().map(id),
            bounds: meaning.bounds,
            mask: meaning.mask.as_ref().map(|(v, bounds)| (id(v), *bounds)),
        };
        let single = |v: &ValueId| uses[v.index()] == 1;
        let merged = match meaning.kind {
            Kind::Finish => {
                let x = &meaning.inputs[0];
                let swapped = Then { residual: Some(id(x)), ..then };
                let other = meaning.residual.filter(|r| r != x);
                let pairs = [(Some(*x), then), (other, swapped)];
                // The later one first: the earlier one is there by then, and need not wait.
                let mut pairs: Vec<_> =
                    pairs.into_iter().filter_map(|(v, t)| Some((v?, t))).collect();
                pairs.sort_by_key(|(v, _)| std::cmp::Reverse(ids[v]));
                pairs.into_iter().find_map(|(v, then)| {
                    let made = &nodes[ids[&v]];
                    let both = made.then.followed_by(&then).filter(|_| single(&v))?;
                    made.takes_more().then_some((ids[&v], both))
                })
            }
            _ => None,
        };
        let node = match merged {
            Some((first, then)) => {
                // What made the operand makes this one instead.
                let gone = Node {
                    kind: Kind::Finish,
                    inputs: vec![],
                    then: Then::NOTHING,
                    shape: shape.clone(),
                };
                Node { then, ..std::mem::replace(&mut nodes[first], gone) }
            }
            None => Node {
                kind: meaning.kind,
                inputs: meaning.inputs.iter().map(id).collect(),
                then,
                shape,
            },
        };
        ids.insert(value, nodes.len());
        nodes.push(node);
    }
    let outputs = graph.outputs().iter().map(|o| ids[o]).collect();
    mark_sparse(&mut nodes);
    Ok(compact(nodes, outputs))
}

/// Takes out what was merged into later nodes.
fn compact(nodes: Vec<Node>, outputs: Vec<Id>) -> (Vec<Node>, Vec<Id>) {
    let mut moved = vec![usize::MAX; nodes.len()];
    let mut kept: Vec<Node> = Vec::new();
    for (old, mut node) in nodes.into_iter().enumerate() {
        if matches!(node.kind, Kind::Finish) && node.inputs.is_empty() {
            continue;
        }
        node.inputs.iter_mut().for_each(|id| *id = moved[*id]);
        node.then.residual = node.then.residual.map(|id| moved[id]);
        node.then.mask = node.then.mask.map(|(id, bounds)| (moved[id], bounds));
        moved[old] = kept.len();
        kept.push(node);
    }
    let outputs = outputs.into_iter().map(|id| moved[id]).collect();
    (kept, outputs)
}

/// Marks convolutions whose input comes from the class weights channel by channel: all but the
/// explained class are zeros.
fn mark_sparse(nodes: &mut [Node]) {
    let mut sparse = vec![false; nodes.len()];
    for id in 0..nodes.len() {
        let from_sparse = nodes[id].inputs.iter().any(|&i| sparse[i]);
        let is_row = nodes[id].shape.len() == 2;
        sparse[id] = match &mut nodes[id].kind {
            Kind::Input(_) => is_row,
            Kind::Conv(linear) => {
                linear.sparse = from_sparse;
                false
            }
            Kind::Plain(Op::OneHotArgMax) => true,
            Kind::Plain(Op::Reshape { .. } | Op::Flatten) | Kind::Spread(_) | Kind::Finish => {
                from_sparse
            }
            Kind::Zip(_) | Kind::Each(_) | Kind::Plain(Op::Mul | Op::Add | Op::Sub) => {
                is_row && from_sparse
            }
            _ => false,
        };
    }
}
