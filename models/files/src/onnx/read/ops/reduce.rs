//! Sums, means and maxima along axes.

use super::super::super::OnnxError;
use super::super::super::constant::{Constant, Data};
use super::super::super::node::{Node, Operand};
use super::super::super::view::View;
use super::super::builder::{Builder, Mode};
use super::arithmetic::turned;
use saligate_models::graph::{Op, PoolAttrs, Range, ValueId};

pub(super) fn sum(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    if b.mode == Mode::AsWritten {
        let x = b.value(node, 0)?;
        let axes = node.axes(1, b.graph.shape(x).len())?.unwrap_or_default();
        return Ok(Operand::Value(b.add(node, Op::ReduceSum { axes }, &[x])?));
    }
    reduced(b, node, |b, x, axes| b.add(node, Op::ReduceSum { axes }, &[x]))
}

pub(super) fn mean(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    reduced(b, node, |b, x, axes| {
        let shape = b.graph.shape(x).to_vec();
        if shape.len() == 4 && axes.iter().all(|&axis| axis > 1) && is_image(&shape, &axes) {
            return b.add(node, Op::GlobalAveragePool, &[x]);
        }
        let count: usize = axes.iter().map(|&axis| shape[axis]).product();
        let share = b.repeated(&vec![1; shape.len()], 1.0 / count as f32)?;
        let sum = b.add_part(node, "sum", Op::ReduceSum { axes }, &[x])?;
        b.add(node, Op::Mul, &[sum, share])
    })
}

pub(super) fn max(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    reduced(b, node, |b, x, axes| match *b.graph.shape(x) {
        [_, _, h, w] if is_image(b.graph.shape(x), &axes) && !axes.contains(&1) => {
            let attrs = PoolAttrs { kernel: [h, w], stride: [1, 1], pads: [0; 4] };
            b.add(node, Op::MaxPool(attrs), &[x])
        }
        [_, _, _, _] if axes == [1] => largest_channel(b, node, x),
        _ => Err(node.error("is supported over rows and columns, or over channels, only")),
    })
}

/// The largest of the channels: of their halves, again and again.
fn largest_channel(b: &mut Builder, node: &Node<'_>, x: ValueId) -> Result<ValueId, OnnxError> {
    let mut found = x;
    while let [_, channels, rows, columns] = *b.graph.shape(found)
        && channels > 1
    {
        let half = channels.div_ceil(2);
        let part = |b: &mut Builder, start: usize| {
            let taken = Range { start, end: start + half, step: 1 };
            let ranges = [taken, Range::whole(rows), Range::whole(columns)];
            b.add_part(node, "half", Op::Slice { ranges }, &[found])
        };
        // Of an odd number, the one in the middle is in both.
        let (first, second) = (part(b, 0)?, part(b, channels - half)?);
        let beyond = b.add_part(node, "beyond", Op::Sub, &[second, first])?;
        let beyond = b.add_part(node, "excess", Op::Relu, &[beyond])?;
        let part = if half == 1 { "" } else { "part" };
        found = b.add_part(node, part, Op::Add, &[first, beyond])?;
    }
    Ok(found)
}

/// Whether reducing the axes leaves neither rows nor columns.
fn is_image(shape: &[usize], axes: &[usize]) -> bool {
    [2, 3].iter().all(|axis| shape[*axis] == 1 || axes.contains(axis))
}

/// A reduction over the axes that are longer than one, and the shape that the node asks for.
fn reduced(
    b: &mut Builder,
    node: &Node<'_>,
    rule: impl FnOnce(&mut Builder, ValueId, Vec<usize>) -> Result<ValueId, OnnxError>,
) -> Result<Operand, OnnxError> {
    let operand = node.operand(0)?;
    let shape = b.shape(node, operand)?;
    let rank = shape.len();
    let given = node.axes(1, rank)?.filter(|axes| !axes.is_empty());
    if given.is_none() && node.int("noop_with_empty_axes", 0) != 0 {
        return Ok(operand.clone());
    }
    let axes = given.unwrap_or_else(|| (0..rank).collect());
    let keeps = node.int("keepdims", 1) != 0;
    let result: Vec<usize> = (0..rank)
        .filter_map(
            |axis| if axes.contains(&axis) { keeps.then_some(1) } else { Some(shape[axis]) },
        )
        .collect();
    let long: Vec<usize> = axes.into_iter().filter(|&axis| shape[axis] > 1).collect();
    if long.is_empty() {
        return b.reshaped(node, operand, result);
    }
    let order = match operand {
        Operand::View(view) if !view.keeps_order() => view.as_transpose(&b.graph),
        _ => None,
    };
    let made = match (order, operand) {
        (Some(order), Operand::View(view)) => {
            let mut own: Vec<usize> = long.iter().map(|&axis| order[axis]).collect();
            own.sort_unstable();
            let made = rule(b, view.base(), own)?;
            let view = View::of(&b.graph, made).transposed(&order);
            let view = view.ok_or_else(|| node.error("cannot be read in this layout"))?;
            Operand::View(view.named(&turned(node)))
        }
        _ => {
            let x = b.value_of(node, operand)?;
            Operand::Value(rule(b, x, long)?)
        }
    };
    b.reshaped(node, &made, result)
}

pub(super) fn arg_max(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let last = node.int("select_last_index", 0) != 0;
    if node.int("axis", 0) != 1 || node.int("keepdims", 1) != 0 || last {
        return Err(node.error("is supported for the first largest class only, without keepdims"));
    }
    Ok(Operand::ArgMax(b.value(node, 0)?))
}

pub(super) fn one_hot(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let Operand::ArgMax(scores) = *node.operand(0)? else {
        return Err(node.error("is supported behind ArgMax only"));
    };
    let classes = b.graph.shape(scores)[1] as i64;
    let depth = node.ints_operand(1)?;
    let values = match node.constant(2)? {
        Some(Constant { data: Data::Floats(values), .. }) => &values[..],
        _ => &[],
    };
    let along_classes = [1, -1].contains(&node.int("axis", -1));
    if depth != Some(&[classes]) || values != [0.0, 1.0] || !along_classes {
        return Err(node.error("is supported for 0 and 1 along the classes only"));
    }
    Ok(Operand::Value(b.add(node, Op::OneHotArgMax, &[scores])?))
}

/// Kept aside: at the end of a network it is left out.
pub(super) fn softmax(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let x = b.value(node, 0)?;
    let shape = b.graph.shape(x);
    // Before version 13 it is over all axes from the given one on.
    let (usual, joins) = if b.opset < 13 { (1, true) } else { (-1, false) };
    let axis = node.axis(node.int("axis", usual), shape.len())?;
    let apart = |other: usize| if joins { other < axis } else { other != axis };
    if (0..shape.len()).any(|other| apart(other) && shape[other] != 1) {
        return Err(node.error(format!("is supported at the end only, not for {shape:?}")));
    }
    Ok(Operand::Softmax(x))
}

/// Whether what a node does to a softmax at the end changes neither the order of the classes nor
/// which of them is the likeliest: another shape, bounds, a positive factor.
pub(super) fn keeps_softmax(node: &Node<'_>) -> bool {
    let factor = || match node.operands.get(1) {
        Some(Some(Operand::Constant { constant, .. })) => match &constant.data {
            Data::Floats(v) => v.first().is_some_and(|f| *f > 0.0 && v.iter().all(|w| w == f)),
            Data::Ints(_) => false,
        },
        _ => false,
    };
    match node.op() {
        "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" | "Identity" | "Cast" | "Dropout" => true,
        "Clip" => true,
        "Mul" | "Div" => factor(),
        _ => false,
    }
}
