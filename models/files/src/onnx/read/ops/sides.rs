//! Rows and columns that are made of others: borders that repeat a map, and other sizes of it.
//!
//! Both are linear along each side, so each is a product with a constant matrix.

use super::super::super::OnnxError;
use super::super::super::node::Node;
use super::super::builder::Builder;
use saligate_models::graph::{Op, ValueId};

/// For every row or column of the result, the shares of those that it is made of.
pub(super) type Side = Vec<Vec<(usize, f32)>>;

/// A map with borders of `[before, behind]` rows and columns that repeat it.
pub(super) fn padded(
    b: &mut Builder,
    node: &Node<'_>,
    x: ValueId,
    mode: &[u8],
    pads: [[usize; 2]; 3],
) -> Result<ValueId, OnnxError> {
    let &[_, _, rows, columns] = b.graph.shape(x) else {
        return Err(node.error("needs an operand [batch, channel, row, column]"));
    };
    if pads[0] != [0, 0] {
        return Err(node.error("repeats channels, which is not supported"));
    }
    let source = |at: isize, size: usize| -> Option<usize> {
        let size = size as isize;
        let place = match mode {
            b"reflect" => {
                let at = at.abs();
                if at < size { at } else { 2 * (size - 1) - at }
            }
            b"edge" => at.clamp(0, size - 1),
            b"wrap" => at.rem_euclid(size),
            _ => return None,
        };
        usize::try_from(place).ok().filter(|&place| place < size as usize)
    };
    let side = |size: usize, [before, behind]: [usize; 2]| {
        let (before, length) = (before as isize, (before + size + behind) as isize);
        (0..length)
            .map(|at| Some(vec![(source(at - before, size)?, 1.0)]))
            .collect::<Option<Side>>()
    };
    match (side(rows, pads[1]), side(columns, pads[2])) {
        (Some(down), Some(across)) => made_of(b, node, x, [down, across]),
        _ => Err(node.error("has an unknown mode, or a border that is wider than the map")),
    }
}

/// A map whose rows and columns are made of those of x.
pub(super) fn made_of(
    b: &mut Builder,
    node: &Node<'_>,
    x: ValueId,
    [down, across]: [Side; 2],
) -> Result<ValueId, OnnxError> {
    let &[_, _, rows, columns] = b.graph.shape(x) else {
        return Err(node.error("needs an operand [batch, channel, row, column]"));
    };
    let same = |side: &Side, size: usize| {
        side.len() == size && side.iter().enumerate().all(|(at, from)| from[..] == [(at, 1.0)])
    };
    let last = |node: &Node<'_>| format!("{}/across", node.output());
    let mut found = x;
    let both = !same(&across, columns);
    if !same(&down, rows) {
        let shape = [1, 1, down.len(), rows];
        b.budget.charge(&shape)?;
        let mut matrix = vec![0.0; down.len() * rows];
        for (to, from) in down.iter().enumerate() {
            from.iter().for_each(|(at, share)| matrix[to * rows + at] += share);
        }
        let down = b.new_param(&format!("{}/down", node.output()), &shape, matrix.into())?;
        let part = if both { "rows" } else { "" };
        found = b.add_part(node, part, Op::MatMul, &[down, found])?;
    }
    if both {
        let shape = [1, 1, columns, across.len()];
        b.budget.charge(&shape)?;
        let mut matrix = vec![0.0; columns * across.len()];
        for (to, from) in across.iter().enumerate() {
            from.iter().for_each(|(at, share)| matrix[at * across.len() + to] += share);
        }
        let across = b.new_param(&last(node), &shape, matrix.into())?;
        found = b.add(node, Op::MatMul, &[found, across])?;
    }
    Ok(found)
}
