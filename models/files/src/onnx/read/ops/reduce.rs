//! Sums, means and maxima along axes.

use super::super::super::OnnxError;
use super::super::super::constant::{Constant, Data};
use super::super::super::node::{Node, Operand};
use super::super::builder::{Builder, Mode};
use super::axes::laid;
use super::softmax;
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
    reduced(b, node, |b, x, axes| largest(b, node, x, &axes))
}

/// `-max(-x)`.
pub(super) fn min(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    reduced(b, node, |b, x, axes| {
        let minus = b.repeated(&vec![1; b.graph.shape(x).len()], -1.0)?;
        let negated = b.add_part(node, "negated", Op::Mul, &[x, minus])?;
        let most = largest(b, node, negated, &axes)?;
        b.add(node, Op::Mul, &[most, minus])
    })
}

/// Sums of squares, and their roots.
pub(super) fn squares(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let root = node.op() == "ReduceL2";
    reduced(b, node, |b, x, axes| {
        let square = b.add_part(node, "square", Op::Mul, &[x, x])?;
        let part = if root { "sum" } else { "" };
        let sum = b.add_part(node, part, Op::ReduceSum { axes }, &[square])?;
        if root { b.add(node, Op::Power { exponent: 0.5 }, &[sum]) } else { Ok(sum) }
    })
}

/// The largest entries along some axes of a value, which stay with length 1.
pub(super) fn largest(
    b: &mut Builder,
    node: &Node<'_>,
    x: ValueId,
    axes: &[usize],
) -> Result<ValueId, OnnxError> {
    let shape = b.graph.shape(x).to_vec();
    if let &[_, features] = shape.as_slice() {
        let map = b.add_part(node, "map", Op::Reshape { shape: vec![features, 1, 1] }, &[x])?;
        let most = largest_channel(b, node, map)?;
        return b.add_part(node, "most", Op::Flatten, &[most]);
    }
    if let &[_, channels, length] = shape.as_slice() {
        let wide = Op::Reshape { shape: vec![channels, 1, length] };
        let map = b.add_part(node, "map", wide, &[x])?;
        let moved: Vec<usize> = axes.iter().map(|&axis| if axis == 2 { 3 } else { axis }).collect();
        let most = largest(b, node, map, &moved)?;
        let left = |axis: usize| if axes.contains(&axis) { 1 } else { shape[axis] };
        let narrow = Op::Reshape { shape: vec![left(1), left(2)] };
        return b.add_part(node, "most", narrow, &[most]);
    }
    let &[_, _, rows, columns] = shape.as_slice() else {
        return Err(node.error(format!("is not supported for {shape:?}")));
    };
    let mut found = x;
    if axes.contains(&1) {
        found = largest_channel(b, node, found)?;
    }
    let kernel =
        [(2, rows), (3, columns)].map(|(axis, size)| if axes.contains(&axis) { size } else { 1 });
    if kernel != [1, 1] {
        let attrs = PoolAttrs { kernel, stride: [1, 1], pads: [0; 4] };
        found = b.add(node, Op::MaxPool(attrs), &[found])?;
    }
    Ok(found)
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
    let made = match operand {
        Operand::View(view) if !view.keeps_order() || ![2, 4].contains(&rank) => {
            let place = laid(b, node, operand, &long)?;
            let made = rule(b, place.value, place.axes.clone())?;
            place.back(b, node, made)?
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
    if let Operand::Constant { constant, .. } = node.operand(0)? {
        return of_constants(b, node, constant);
    }
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

/// Rows of two values, of constant places.
fn of_constants(b: &mut Builder, node: &Node<'_>, places: &Constant) -> Result<Operand, OnnxError> {
    let bad = || node.error("needs integers, a depth and two values");
    let (Data::Ints(places_of), Some(&[depth])) = (&places.data, node.ints_operand(1)?) else {
        return Err(bad());
    };
    let depth = node.size("depth", depth)?;
    let axis = node.axis(node.int("axis", -1), places.shape.len() + 1)?;
    let mut shape = places.shape.clone();
    shape.insert(axis, depth);
    b.budget.charge(&shape)?;
    let inner: usize = shape[axis + 1..].iter().product();
    let is_hot = |at: usize| {
        let (outer, entry) = (at / (depth * inner).max(1), at / inner.max(1) % depth.max(1));
        let place = places_of[outer * inner + at % inner.max(1)];
        (if place < 0 { place + depth as i64 } else { place }) == entry as i64
    };
    let count = shape.iter().product();
    let constant = match &node.constant(2)?.ok_or_else(bad)?.data {
        Data::Floats(pair) if pair.len() == 2 => {
            let data = (0..count).map(|at| pair[usize::from(is_hot(at))]);
            Constant::floats(shape, data.collect::<Vec<_>>())
        }
        Data::Ints(pair) if pair.len() == 2 => {
            let data = (0..count).map(|at| pair[usize::from(is_hot(at))]);
            Constant::ints(shape, data.collect::<Vec<_>>())
        }
        _ => return Err(bad()),
    };
    Ok(Operand::Constant { name: node.output().to_owned(), constant })
}

/// Kept aside where it is one row, since at the end of a network it is left out.
pub(super) fn softmax(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let operand = node.operand(0)?;
    let shape = b.shape(node, operand)?;
    // Before version 13 it is over all axes from the given one on.
    let (usual, joins) = if b.opset < 13 { (1, true) } else { (-1, false) };
    let axis = node.axis(node.int("axis", usual), shape.len())?;
    let axes: Vec<usize> = if joins { (axis..shape.len()).collect() } else { vec![axis] };
    if (0..shape.len()).all(|axis| axes.contains(&axis) || shape[axis] == 1) {
        return Ok(Operand::Softmax(b.value(node, 0)?));
    }
    softmax::along(b, node, operand, &axes)
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
