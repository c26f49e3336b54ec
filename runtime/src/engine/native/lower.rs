//! From a graph to nodes.

use std::collections::HashMap;

use saligate_models::graph::{Graph, Op, ValueId};

use super::epilogue::Epilogue;
use super::node::{Id, Kind, Node};
use super::operation::{Operation, Reader};
use super::rewrite::{push, rewrite};

/// The nodes of a graph, and which of them are its outputs, in order. Where it learns, the weights are to
/// change, and stay as they are.
///
/// # Errors
/// A value is no batch of one; the error names it.
pub(super) fn lower(graph: &Graph, learns: bool) -> Result<(Vec<Node>, Vec<Id>), String> {
    let reader = Reader::new(graph, learns);
    let operations = reader.needed();
    reader.check_batches(&operations)?;
    let mut nodes: Vec<Node> = Vec::new();
    let mut ids: HashMap<ValueId, Id> = HashMap::new();
    let mut uses = vec![0usize; operations.len()];
    for operand in operations.iter().flatten().flat_map(Operation::operands) {
        uses[operand.index()] += 1;
    }
    graph.outputs().iter().for_each(|o| uses[o.index()] += 1);

    for (value, operation) in operations.into_iter().enumerate().filter_map(|(i, m)| Some((i, m?)))
    {
        let (value, shape) = reader.value(value);
        let id = |v: &ValueId| ids[v];
        let epilogue = operation.epilogue.map(|v| ids[&v]);
        let single = |v: &ValueId| uses[v.index()] == 1;
        let merged = match operation.kind {
            Kind::Epilogue => {
                let x = &operation.inputs[0];
                let swapped = Epilogue { residual: Some(id(x)), ..epilogue };
                let other = operation.epilogue.residual.filter(|r| r != x);
                let pairs = [(Some(*x), epilogue), (other, swapped)];
                // The later one first: the earlier one is there by then, and need not wait.
                let mut pairs: Vec<_> =
                    pairs.into_iter().filter_map(|(v, e)| Some((v?, e))).collect();
                pairs.sort_by_key(|(v, _)| std::cmp::Reverse(ids[v]));
                pairs.into_iter().find_map(|(v, epilogue)| {
                    let made = &nodes[ids[&v]];
                    let both = made.epilogue.followed_by(&epilogue).filter(|_| single(&v))?;
                    made.takes_epilogue().then_some((ids[&v], both))
                })
            }
            _ => None,
        };
        let operation = match operation.kind {
            Kind::Patches { linear, block } => {
                let [_, channels, rows, columns] = shape[..] else {
                    unreachable!("patches are of maps")
                };
                let size = [1, channels * block * block, rows / block, columns / block];
                let inputs = operation.inputs.iter().map(id).collect();
                let cells = push(&mut nodes, Node::new(Kind::Conv(linear), inputs, size.to_vec()));
                let set_apart = Kind::Plain(Op::DepthToSpace { block });
                ids.insert(value, push(&mut nodes, Node::new(set_apart, vec![cells], shape)));
                continue;
            }
            _ => operation,
        };
        let node = match merged {
            Some((first, epilogue)) => {
                // What made the operand makes this one instead.
                let gone = Node::new(Kind::Epilogue, vec![], shape);
                Node { epilogue, ..std::mem::replace(&mut nodes[first], gone) }
            }
            None => Node {
                kind: operation.kind,
                inputs: operation.inputs.iter().map(id).collect(),
                epilogue,
                shape,
            },
        };
        ids.insert(value, push(&mut nodes, node));
    }
    let outputs = graph.outputs().iter().map(|o| ids[o]).collect();
    mark_sparse(&mut nodes);
    Ok(compact(nodes, outputs))
}

/// Takes out what was merged into later nodes.
fn compact(nodes: Vec<Node>, outputs: Vec<Id>) -> (Vec<Node>, Vec<Id>) {
    rewrite(nodes, outputs, |kept, _, node| {
        let is_gone = matches!(node.kind, Kind::Epilogue) && node.inputs.is_empty();
        (!is_gone).then(|| push(kept, node))
    })
}

/// Marks convolutions whose input comes from the class weights channel by channel: all but the
/// explained class are zeros.
fn mark_sparse(nodes: &mut [Node]) {
    let mut sparse = vec![false; nodes.len()];
    for id in 0..nodes.len() {
        let from_sparse = nodes[id].inputs.iter().any(|&i| sparse[i]);
        let is_row = nodes[id].shape.len() == 2;
        sparse[id] = match &mut nodes[id].kind {
            Kind::Input(number) => *number == 1 && is_row,
            Kind::Conv(linear) => {
                linear.sparse = from_sparse;
                false
            }
            Kind::Plain(Op::OneHotArgMax) => true,
            Kind::Plain(Op::Reshape { .. } | Op::Flatten) | Kind::Spread(_) | Kind::Epilogue => {
                from_sparse
            }
            Kind::Zip(_) | Kind::Each(_) | Kind::Plain(Op::Mul | Op::Add | Op::Sub) => {
                is_row && from_sparse
            }
            _ => false,
        };
    }
}
