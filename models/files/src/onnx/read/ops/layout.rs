//! Operations that move elements.

use super::super::super::OnnxError;
use super::super::super::constant::{self, Constant, Data, broadcast, is_float};
use super::super::super::node::{AxisRange, Node, Operand};
use super::super::super::view::View;
use super::super::builder::{Builder, Mode};
use super::arithmetic::{binary, inverse, turned};
use super::axes::laid;
use super::sides;
use saligate_models::graph::{Op, Range, ValueId};

/// Nothing happens here in inference.
pub(super) fn same(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let to_integers = match node.op() {
        "Cast" => !is_float(node.int("to", 0)),
        "CastLike" => node.ints_operand(1).is_ok_and(|ints| ints.is_some()),
        _ => false,
    };
    if to_integers {
        return Err(node.error("turns computed floats into integers, which is not supported"));
    }
    let trains = match (node.op(), node.operands.get(2)) {
        ("Dropout", Some(Some(Operand::Constant { constant, .. }))) => {
            matches!(&constant.data, Data::Ints(v) if v.iter().any(|&v| v != 0))
        }
        ("Dropout", Some(Some(_))) => true,
        _ => false,
    };
    if trains {
        return Err(node.error("drops values, as in training; export the network for inference"));
    }
    if b.mode == Mode::AsWritten {
        b.value(node, 0)?;
    }
    Ok(node.operand(0)?.clone())
}

pub(super) fn shape(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let constant = constant::shape(node, &b.shape(node, node.operand(0)?)?)?;
    Ok(Operand::Constant { name: node.output().to_owned(), constant })
}

pub(super) fn size(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let count: usize = b.shape(node, node.operand(0)?)?.iter().product();
    let constant = Constant::ints(vec![], [count as i64]);
    Ok(Operand::Constant { name: node.output().to_owned(), constant })
}

/// A product with ones, which repeats what is one element long.
pub(super) fn expand(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let sizes = node.ints_operand(1)?.ok_or_else(|| node.error("has too few operands"))?;
    let sizes = sizes.iter().map(|&v| node.size("shape", v)).collect::<Result<Vec<_>, _>>()?;
    let shape = b.shape(node, node.operand(0)?)?;
    let wide = broadcast(&shape, &sizes).ok_or_else(|| {
        node.error(format!("expands {shape:?} to {sizes:?}, which is not supported"))
    })?;
    if wide == shape {
        return Ok(node.operand(0)?.clone());
    }
    let own = constant::padded_shape(&shape, wide.len());
    let ones: Vec<usize> = own.iter().zip(&wide).map(|(&own, &wide)| wide / own.max(1)).collect();
    b.budget.charge(&ones)?;
    let count = ones.iter().product();
    let constant = Constant::floats(ones, vec![1.0; count]);
    let ones = Operand::Constant { name: format!("{}/ones", node.output()), constant };
    binary(b, node, "", Op::Mul, [node.operand(0)?, &ones])
}

pub(super) fn reshape(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let wanted = node.ints_operand(1)?.ok_or_else(|| node.error("has too few operands"))?;
    let shape = b.shape(node, node.operand(0)?)?;
    let shape = node.reshaped(&shape, wanted, b.batch)?;
    if b.mode == Mode::AsWritten {
        let [1, rest @ ..] = shape.as_slice() else {
            return Err(node.error("does not keep the batch axis"));
        };
        return literal(b, node, Op::Reshape { shape: rest.to_vec() });
    }
    relabelled(b, node, shape)
}

pub(super) fn flatten(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let shape = b.shape(node, node.operand(0)?)?;
    if b.mode == Mode::AsWritten {
        return literal(b, node, Op::Flatten);
    }
    let shape = node.flattened(&shape)?;
    relabelled(b, node, shape)
}

pub(super) fn squeeze(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let shape = b.shape(node, node.operand(0)?)?;
    relabelled(b, node, node.squeezed(&shape)?)
}

pub(super) fn unsqueeze(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let shape = b.shape(node, node.operand(0)?)?;
    relabelled(b, node, node.unsqueezed(&shape)?)
}

pub(super) fn transpose(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let x = node.operand(0)?;
    let order = node.order(b.shape(node, x)?.len())?;
    if b.mode == Mode::AsWritten {
        let [0, rest @ ..] = order.as_slice() else {
            return Err(node.error("moves the batch axis"));
        };
        return literal(b, node, Op::Transpose { order: rest.to_vec() });
    }
    let turned = b.transposed(node, x, &order)?;
    Ok(turned.named(node.output()))
}

fn literal(b: &mut Builder, node: &Node<'_>, op: Op) -> Result<Operand, OnnxError> {
    let x = b.value(node, 0)?;
    Ok(Operand::Value(b.add(node, op, &[x])?))
}

fn relabelled(b: &mut Builder, node: &Node<'_>, shape: Vec<usize>) -> Result<Operand, OnnxError> {
    let operand = b.reshaped(node, node.operand(0)?, shape)?;
    Ok(operand.named(node.output()))
}

pub(super) fn concat(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let operands: Vec<&Operand> = node.operands.iter().flatten().collect();
    let rank = b.shape(node, node.operand(0)?)?.len();
    let axis = node.axis(node.int("axis", 1), rank)?;
    if axis == 1 && ([2, 4].contains(&rank) || b.mode == Mode::AsWritten || operands.len() == 1) {
        if let ([only], Mode::Simplified) = (operands.as_slice(), b.mode) {
            return Ok((*only).clone());
        }
        let values = operands.into_iter().map(|operand| b.value_of(node, operand));
        let values = values.collect::<Result<Vec<_>, _>>()?;
        return Ok(Operand::Value(b.add(node, Op::Concat, &values)?));
    }
    if axis == 0 && b.mode == Mode::Simplified {
        return stacked(b, node, &operands);
    }
    if axis == 0 || b.mode == Mode::AsWritten {
        return Err(node.error(format!("joins along axis {axis}, which is not supported")));
    }
    let mut order: Vec<usize> = (0..rank).collect();
    order[1..=axis].rotate_right(1);
    let mut values = Vec::with_capacity(operands.len());
    let mut rest = Vec::new();
    for operand in operands {
        if b.shape(node, operand)?.len() != rank {
            return Err(node.error("joins operands of different ranks"));
        }
        let mut aside = b.transposed(node, operand, &order)?;
        let shape = b.shape(node, &aside)?;
        if let [1, entries, others @ ..] = shape.as_slice()
            && rank != 4
        {
            aside = b.reshaped(node, &aside, vec![1, *entries, 1, others.iter().product()])?;
            rest = others.to_vec();
        }
        values.push(b.value_of(node, &aside)?);
    }
    let made = b.add(node, Op::Concat, &values)?;
    if rank == 4 {
        return in_order(b, node, made, &inverse(&order));
    }
    let entries = b.graph.shape(made)[1];
    let made = b.reshaped(node, &Operand::Value(made), [&[1, entries], &rest[..]].concat())?;
    let made = b.transposed(node, &made, &inverse(&order))?;
    Ok(made.named(&turned(node)))
}

/// Operands one behind the other along their first axis, which is no batch then.
fn stacked(b: &mut Builder, node: &Node<'_>, operands: &[&Operand]) -> Result<Operand, OnnxError> {
    let mut values = Vec::with_capacity(operands.len());
    let mut rest = None;
    for operand in operands {
        let shape = b.shape(node, operand)?;
        let [entries, others @ ..] = shape.as_slice() else {
            return Err(node.error("joins single numbers"));
        };
        if rest.get_or_insert_with(|| others.to_vec()) != others {
            return Err(node.error("joins operands of different shapes"));
        }
        let column = b.reshaped(node, operand, vec![1, *entries, others.iter().product(), 1])?;
        values.push(b.value_of(node, &column)?);
    }
    let made = b.add(node, Op::Concat, &values)?;
    let entries = b.graph.shape(made)[1];
    b.reshaped(node, &Operand::Value(made), [&[entries], &rest.unwrap_or_default()[..]].concat())
}

/// A value as often as it is repeated along each axis: one behind the other.
pub(super) fn tile(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let counts = node.ints_operand(1)?.ok_or_else(|| node.error("has too few operands"))?.to_vec();
    let mut made = node.operand(0)?.clone();
    let rank = b.shape(node, &made)?.len();
    if counts.len() != rank || counts.first() != Some(&1) {
        return Err(node.error("repeats the batch, or other axes than there are"));
    }
    for (axis, &count) in counts.iter().enumerate() {
        let count = node.size("repeats", count)?;
        let shape = b.shape(node, &made)?;
        let sizes = count.checked_mul(shape[axis]).filter(|_| count > 0);
        let Some(size) = sizes else {
            return Err(node.error("repeats an axis too often, or never"));
        };
        if count == 1 {
            continue;
        }
        // A new axis in front of the repeated one is what grows.
        let outer: usize = shape[..axis].iter().product();
        let inner: usize = shape[axis..].iter().product();
        let apart = b.reshaped(node, &made, vec![1, outer, 1, inner])?;
        b.budget.charge(&[count])?;
        let ones = Constant::floats(vec![1, 1, count, 1], vec![1.0; count]);
        let ones = Operand::Constant { name: format!("{}/ones", node.output()), constant: ones };
        let wide = binary(b, node, "", Op::Mul, [&apart, &ones])?;
        let mut shape = shape;
        shape[axis] = size;
        made = b.reshaped(node, &wide, shape)?;
    }
    Ok(made)
}

/// A value in the layout of the file.
fn in_order(
    b: &Builder,
    node: &Node<'_>,
    made: ValueId,
    order: &[usize],
) -> Result<Operand, OnnxError> {
    let view = View::of(&b.graph, made).transposed(order);
    let view = view.ok_or_else(|| node.error("cannot be read in this layout"))?;
    Ok(Operand::View(view.named(&turned(node))))
}

pub(super) fn slice(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let shape = b.shape(node, node.operand(0)?)?;
    let taken = node.slices(&shape)?;
    take(b, node, node.output(), &taken)
}

pub(super) fn split(b: &mut Builder, node: &Node<'_>) -> Result<Vec<Operand>, OnnxError> {
    let shape = b.shape(node, node.operand(0)?)?;
    let axis = node.axis(node.int("axis", 0), shape.len())?;
    let mut start = 0;
    let mut results = Vec::new();
    for (count, name) in node.parts(shape[axis])?.into_iter().zip(&node.source.output) {
        let mut taken: Vec<AxisRange> = shape.iter().map(|&size| AxisRange::all(size)).collect();
        taken[axis] = AxisRange { start, end: start + count, step: 1, count };
        results.push(take(b, node, name, &taken)?);
        start += count;
    }
    Ok(results)
}

/// One entry along an axis.
pub(super) fn gather(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let mut shape = b.shape(node, node.operand(0)?)?;
    let axis = node.axis(node.int("axis", 0), shape.len())?;
    let index = node.constant(1)?.ok_or_else(|| node.error("has too few operands"))?;
    let places = node.ints_operand(1)?.unwrap_or_default();
    let places =
        places.iter().map(|&at| node.entry(at, shape[axis])).collect::<Result<Vec<_>, _>>()?;
    let &[start] = places.as_slice() else {
        let part = chosen(b, node, node.operand(0)?, axis, &places)?;
        shape.splice(axis..=axis, index.shape.iter().copied());
        return b.reshaped(node, &part, shape);
    };
    let mut taken: Vec<AxisRange> = shape.iter().map(|&size| AxisRange::all(size)).collect();
    taken[axis] = AxisRange { start, end: start + 1, step: 1, count: 1 };
    let part = take(b, node, node.output(), &taken)?;
    shape.splice(axis..=axis, index.shape.iter().copied());
    b.reshaped(node, &part, shape)
}

/// Some entries of an axis, in any order: a product with a matrix of zeros and ones.
fn chosen(
    b: &mut Builder,
    node: &Node<'_>,
    operand: &Operand,
    axis: usize,
    places: &[usize],
) -> Result<Operand, OnnxError> {
    let shape = b.shape(node, operand)?;
    let rank = shape.len();
    let size = shape[axis];
    let mut order: Vec<usize> = (0..rank).filter(|&other| other != axis).collect();
    order.push(axis);
    let last = b.transposed(node, operand, &order)?;
    let others: usize = order[..rank - 1].iter().map(|&axis| shape[axis]).product();
    let rows = b.reshaped(node, &last, vec![1, 1, others, size])?;
    let rows = b.value_of(node, &rows.named(&format!("{}/rows", node.output())))?;
    let matrix = [1, 1, size, places.len()];
    b.budget.charge(&matrix)?;
    let mut ones = vec![0.0; size * places.len()];
    places.iter().enumerate().for_each(|(to, from)| ones[from * places.len() + to] = 1.0);
    let ones = b.new_param(&format!("{}/chosen", node.output()), &matrix, ones.into())?;
    let made = b.add(node, Op::MatMul, &[rows, ones])?;
    let mut wide: Vec<usize> = order[..rank - 1].iter().map(|&axis| shape[axis]).collect();
    wide.push(places.len());
    let made = b.reshaped(node, &Operand::Value(made), wide)?;
    let made = b.transposed(node, &made, &inverse(&order))?;
    Ok(made.named(&turned(node)))
}

fn take(
    b: &mut Builder,
    node: &Node<'_>,
    name: &str,
    taken: &[AxisRange],
) -> Result<Operand, OnnxError> {
    let range = |taken: &AxisRange| Range {
        start: taken.start,
        end: taken.end,
        step: usize::try_from(taken.step).unwrap_or(0),
    };
    let ranges: Vec<Range> = taken.iter().map(range).collect();
    if taken.iter().any(|t| t.count == 0) {
        return Err(node.error("takes nothing"));
    }
    let operand = node.operand(0)?;
    let shape = b.shape(node, operand)?;
    if taken.iter().any(|t| t.step < 1) {
        return picked(b, node, name, &shape, taken);
    }
    let whole = shape.iter().zip(taken).all(|(&size, t)| t.count == size);
    if whole && b.mode == Mode::Simplified {
        return Ok(operand.clone());
    }
    let in_reach = match operand {
        Operand::View(view) => {
            [2, 4].contains(&shape.len())
                && (view.keeps_order() || view.as_transpose(&b.graph).is_some())
                && taken[0].count == shape[0]
        }
        _ => true,
    };
    if !in_reach && b.mode == Mode::Simplified {
        return cut(b, node, name, &shape, &ranges);
    }
    on_image(b, node, operand, &ranges, Range { start: 0, end: 1, step: 1 }, |b, x, ranges| {
        let name = b.name(name, node.op());
        Ok(b.graph.node(&name, Op::Slice { ranges }, &[x])?)
    })
}

/// Entries along one axis after the other, in any direction.
fn picked(
    b: &mut Builder,
    node: &Node<'_>,
    name: &str,
    shape: &[usize],
    taken: &[AxisRange],
) -> Result<Operand, OnnxError> {
    let mut part = node.operand(0)?.clone();
    for (axis, (&size, taken)) in shape.iter().zip(taken).enumerate() {
        if (taken.start, taken.step, taken.count) == (0, 1, size) {
            continue;
        }
        let place = |at: usize| (taken.start as i64 + at as i64 * taken.step) as usize;
        let places: Vec<usize> = (0..taken.count).map(place).collect();
        part = chosen(b, node, &part, axis, &places)?;
    }
    Ok(part.named(name))
}

/// Parts along one axis after the other, of an operand that is laid out otherwise than a map.
fn cut(
    b: &mut Builder,
    node: &Node<'_>,
    name: &str,
    shape: &[usize],
    ranges: &[Range],
) -> Result<Operand, OnnxError> {
    let mut part = node.operand(0)?.clone();
    for (axis, (&size, range)) in shape.iter().zip(ranges).enumerate() {
        if (range.start, range.end, range.step) == (0, size, 1) {
            continue;
        }
        let place = laid(b, node, &part, &[axis])?;
        let (&[home], &[_, c, h, w]) = (place.axes.as_slice(), b.graph.shape(place.value)) else {
            return Err(node.error(format!("takes a part of {shape:?}, which is not supported")));
        };
        let mut own = [c, h, w].map(Range::whole);
        own[home - 1] = *range;
        let name = b.name(name, node.op());
        let made = b.graph.node(&name, Op::Slice { ranges: own }, &[place.value])?;
        part = place.back(b, node, made)?;
    }
    Ok(part)
}

pub(super) fn pad(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let mode = node.text("mode").unwrap_or(b"constant").to_vec();
    let operand = node.operand(0)?;
    let rank = b.shape(node, operand)?.len();
    let given = node.ints_operand_or(1, "pads")?;
    let given = given.ok_or_else(|| node.error("has too few operands"))?;
    let axes = match node.ints_operand(3)? {
        None => (0..rank).collect(),
        Some(axes) => axes.iter().map(|&a| node.axis(a, rank)).collect::<Result<Vec<_>, _>>()?,
    };
    if given.len() != 2 * axes.len() {
        return Err(node.error(format!("has {} pads for {} axes", given.len(), axes.len())));
    }
    let mut pads = vec![[0, 0]; rank];
    for (i, &axis) in axes.iter().enumerate() {
        pads[axis] = [node.size("pads", given[i])?, node.size("pads", given[i + axes.len()])?];
    }
    let value = node.scalar(2)?.unwrap_or_else(|| node.float("value", 0.0));
    if pads.iter().all(|p| *p == [0, 0]) && b.mode == Mode::Simplified {
        return Ok(operand.clone());
    }
    if let (true, &[[0, 0], channels, rows, columns]) = (mode != b"constant", pads.as_slice()) {
        // Borders repeat rows and columns, wherever those lie in the operand as it is.
        let x = b.value_of(node, operand)?;
        let made = sides::padded(b, node, x, &mode, [channels, rows, columns])?;
        return Ok(Operand::Value(made));
    }
    on_image(b, node, operand, &pads, [0, 0], |b, x, pads| match mode.as_slice() {
        b"constant" => b.add(node, Op::Pad { pads, value }, &[x]),
        mode => sides::padded(b, node, x, mode, pads),
    })
}

/// An operation with an entry for each axis, as one on `[1, c, h, w]`; `nothing` is the entry of
/// an axis that is left as it is.
fn on_image<T: Copy + PartialEq>(
    b: &mut Builder,
    node: &Node<'_>,
    operand: &Operand,
    entries: &[T],
    nothing: T,
    rule: impl FnOnce(&mut Builder, ValueId, [T; 3]) -> Result<ValueId, OnnxError>,
) -> Result<Operand, OnnxError> {
    if let Operand::View(view) = operand
        && !view.keeps_order()
        && let Some(order) = view.as_transpose(&b.graph)
    {
        let own: Vec<T> = inverse(&order).iter().map(|&axis| entries[axis]).collect();
        let made = on_image(b, node, &Operand::Value(view.base()), &own, nothing, rule)?;
        let turned = b.transposed(node, &made, &order)?;
        return Ok(turned.named(&self::turned(node)));
    }
    let shape = b.shape(node, operand)?;
    let rank = shape.len();
    let [batch, rest @ ..] = entries else { return Err(node.error("needs a batch axis")) };
    if *batch != nothing {
        return Err(node.error("changes the batch axis"));
    }
    let mut image = [nothing; 3];
    let Some(slots) = image.get_mut(..rest.len()) else {
        return Err(
            node.error(format!("has an operand {shape:?}; at most four axes are supported"))
        );
    };
    slots.copy_from_slice(rest);
    if rank == 4 {
        let x = b.value_of(node, operand)?;
        return Ok(Operand::Value(rule(b, x, image)?));
    }
    let ones = std::iter::repeat_n(1, 4 - rank);
    let wide = b.reshaped(node, operand, shape.iter().copied().chain(ones).collect())?;
    let wide = wide.named(&format!("{}/image", node.output()));
    let x = b.value_of(node, &wide)?;
    let made = rule(b, x, image)?;
    let narrow = b.graph.shape(made)[..rank].to_vec();
    let made = b.reshaped(node, &Operand::Value(made), narrow)?;
    Ok(made.named(&turned(node)))
}
