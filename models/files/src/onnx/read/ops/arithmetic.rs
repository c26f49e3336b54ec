//! Sums, differences and products, broadcast as in numpy.

use super::super::super::OnnxError;
use super::super::super::constant::{self, Constant, Data};
use super::super::super::node::{Node, Operand};
use super::super::super::view::View;
use super::super::builder::{Builder, Mode};
use super::activation::{bounded, unary, unary_part};
use saligate_models::graph::Op;

pub(super) fn add(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    binary(b, node, "", Op::Add, [node.operand(0)?, node.operand(1)?])
}

pub(super) fn sub(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    binary(b, node, "", Op::Sub, [node.operand(0)?, node.operand(1)?])
}

pub(super) fn mul(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let (x, y) = (node.operand(0)?, node.operand(1)?);
    let names = &node.source.input;
    for (factor, other, name) in [(x, y, &names[1]), (y, x, &names[0])] {
        if let Operand::Factor { input, product } = factor
            && input == name
        {
            let alone = node.with(vec![Some(other.clone())]);
            return unary(b, &alone, product.clone());
        }
    }
    binary(b, node, "", Op::Mul, [x, y])
}

/// A quotient is the product with the reciprocal.
pub(super) fn div(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let Some((name, constant, data)) = b.constant(node, 1) else {
        let divisor = node.with(vec![Some(node.operand(1)?.clone())]);
        let reciprocal = unary_part(b, &divisor, "reciprocal", Op::Power { exponent: -1.0 })?;
        return binary(b, node, "", Op::Mul, [node.operand(0)?, &reciprocal]);
    };
    let reciprocals = data.iter().map(|v| v.recip()).collect::<Vec<_>>();
    b.budget.charge(&constant.shape)?;
    let constant = Constant::floats(constant.shape.clone(), reciprocals);
    let factor = Operand::Constant { name: format!("{name}.reciprocal"), constant };
    binary(b, node, "", Op::Mul, [node.operand(0)?, &factor])
}

pub(super) fn neg(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let rank = b.shape(node, node.operand(0)?)?.len();
    let minus = Operand::Value(b.repeated(&vec![1; rank], -1.0)?);
    binary(b, node, "", Op::Mul, [node.operand(0)?, &minus])
}

/// The sum of any number of operands.
pub(super) fn sum(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let mut total = node.operand(0)?.clone();
    let last = node.operands.len() - 1;
    for position in 1..=last {
        let part = if position == last { "" } else { "part" };
        total = binary(b, node, part, Op::Add, [&total, node.operand(position)?])?;
    }
    Ok(total)
}

/// Max and Min: with one number they are bounds, of several values the sum of one and of what others
/// are beyond it.
pub(super) fn bound(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let number = |position| match node.operands.get(position) {
        Some(Some(Operand::Constant {
            constant: Constant { data: Data::Floats(v), .. }, ..
        })) if v.len() == 1 => Some(v[0]),
        _ => None,
    };
    let (x, limit) = match (number(0), number(1)) {
        (Some(limit), None) => (1, limit),
        (None, Some(limit)) => (0, limit),
        _ => return extreme(b, node),
    };
    if node.operands.len() != 2 {
        return extreme(b, node);
    }
    let rank = b.shape(node, node.operand(0)?)?.len().max(b.shape(node, node.operand(1)?)?.len());
    let wide = b.widened(node, node.operand(x)?, rank)?;
    let alone = node.with(vec![Some(wide)]);
    match node.op() {
        "Max" => bounded(b, &alone, limit, f32::MAX),
        _ => bounded(b, &alone, f32::MIN, limit),
    }
}

/// `max(x, y) = x + relu(y - x)`, `min(x, y) = x - relu(x - y)`, one operand after the other.
fn extreme(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let largest = node.op() == "Max";
    let mut found = node.operand(0)?.clone();
    let last = node.operands.len().saturating_sub(1);
    for position in 1..=last {
        let other = node.operand(position)?;
        let ends = if largest { [other, &found] } else { [&found, other] };
        let beyond = binary(b, node, "beyond", Op::Sub, ends)?;
        let beyond = b.value_of(node, &beyond)?;
        let beyond = Operand::Value(b.add_part(node, "excess", Op::Relu, &[beyond])?);
        let part = if position == last { "" } else { "part" };
        let op = if largest { Op::Add } else { Op::Sub };
        found = binary(b, node, part, op, [&found, &beyond])?;
    }
    Ok(found)
}

/// Name of a node's result in the layout of the file, where the result itself has another.
pub(super) fn turned(node: &Node<'_>) -> String {
    format!("{}/turned", node.output())
}

/// Axes of the largest values of a graph.
const MAX_AXES: usize = 4;

/// Whether a computed value has lost its batch axis.
fn drops_batch(operand: &Operand) -> bool {
    matches!(operand, Operand::View(view) if view.keeps_order() && view.shape().first() != Some(&1))
}

/// The result of two operands; `part` is its name on the way to the node's result.
pub(super) fn binary(
    b: &mut Builder,
    node: &Node<'_>,
    part: &str,
    op: Op,
    [x, y]: [&Operand; 2],
) -> Result<Operand, OnnxError> {
    if b.mode == Mode::AsWritten {
        let values = [b.value_of(node, x)?, b.value_of(node, y)?];
        return Ok(Operand::Value(b.add_part(node, part, op, &values)?));
    }
    let rank = b.shape(node, x)?.len().max(b.shape(node, y)?.len());
    let pair = [b.widened(node, x, rank)?, b.widened(node, y, rank)?];
    if rank < MAX_AXES && [&pair[0], &pair[1]].iter().any(|operand| drops_batch(operand)) {
        // Where the file drops the batch axis for a while, it is put back here.
        let pair = [b.widened(node, &pair[0], rank + 1)?, b.widened(node, &pair[1], rank + 1)?];
        let made = binary(b, node, part, op, [&pair[0], &pair[1]])?;
        let shape = b.shape(node, &made)?;
        return b.reshaped(node, &made, shape[1..].to_vec());
    }
    let has_batch = |operand| Ok::<_, OnnxError>(b.shape(node, operand)?.first() == Some(&1));
    let batches = has_batch(&pair[0])? && has_batch(&pair[1])?;
    if rank == 3 || rank > MAX_AXES || !batches {
        return regrouped(b, node, part, op, pair);
    }
    for (turned, other) in [(0, 1), (1, 0)] {
        let Operand::View(view) = &pair[turned] else { continue };
        let Some(order) = view.as_transpose(&b.graph).filter(|_| !view.keeps_order()) else {
            continue;
        };
        let aside = b.transposed(node, &pair[other], &inverse(&order))?;
        if matches!(&aside, Operand::View(view) if !view.keeps_order()) {
            continue;
        }
        let aside = b.value_of(node, &aside)?;
        let mut values = [view.base(); 2];
        values[other] = aside;
        let made = b.add_part(node, part, op, &values)?;
        let result = View::of(&b.graph, made).transposed(&order);
        let result = result.ok_or_else(|| node.error("cannot be read in this layout"))?;
        return Ok(Operand::View(result.named(&self::turned(node))));
    }
    let values = [b.value_of(node, &pair[0])?, b.value_of(node, &pair[1])?];
    Ok(Operand::Value(b.add_part(node, part, op, &values)?))
}

/// The result of two operands of three axes, of more than there are in a graph, or whose first one is no
/// batch, on four.
fn regrouped(
    b: &mut Builder,
    node: &Node<'_>,
    part: &str,
    op: Op,
    pair: [Operand; 2],
) -> Result<Operand, OnnxError> {
    let shapes = [b.shape(node, &pair[0])?, b.shape(node, &pair[1])?];
    let wide = constant::broadcast(&shapes[0], &shapes[1]);
    let wide = wide.ok_or_else(|| node.error(format!("cannot join {shapes:?}")))?;
    let groups = match *wide.as_slice() {
        // As a map of one row, which tokens with their features last are in another layout.
        [1, _, _] => shapes.clone().map(|s| vec![s[0], 1, s[1], s[2]]),
        _ => {
            let mut groups = [vec![1], vec![1]];
            let mut before = None;
            for (&x, &y) in shapes[0].iter().zip(&shapes[1]).filter(|(x, y)| **x * **y > 1) {
                if before == Some([x == 1, y == 1]) {
                    *groups[0].last_mut().expect("not empty") *= x;
                    *groups[1].last_mut().expect("not empty") *= y;
                } else {
                    groups[0].push(x);
                    groups[1].push(y);
                }
                before = Some([x == 1, y == 1]);
            }
            if groups[0].len() > MAX_AXES {
                return Err(
                    node.error(format!("joins {shapes:?}, which takes more axes than four"))
                );
            }
            groups.map(|mut group| {
                group.resize(MAX_AXES, 1);
                group
            })
        }
    };
    let [x, y] = groups;
    let pair = [b.reshaped(node, &pair[0], x)?, b.reshaped(node, &pair[1], y)?];
    let made = binary(b, node, part, op, [&pair[0], &pair[1]])?;
    b.reshaped(node, &made, wide)
}

pub(super) fn inverse(order: &[usize]) -> Vec<usize> {
    let mut inverse = vec![0; order.len()];
    order.iter().enumerate().for_each(|(to, &from)| inverse[from] = to);
    inverse
}
