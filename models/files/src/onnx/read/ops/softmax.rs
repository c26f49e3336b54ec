//! Softmax where it is not the end of a network.

use super::super::super::OnnxError;
use super::super::super::node::{Node, Operand};
use super::super::builder::Builder;
use super::axes::laid;
use super::reduce::largest;
use saligate_models::graph::{Op, ValueId};

/// `e^x / sum e^x` along some axes of an operand, or its logarithm.
pub(super) fn along(
    b: &mut Builder,
    node: &Node<'_>,
    operand: &Operand,
    axes: &[usize],
) -> Result<Operand, OnnxError> {
    let place = laid(b, node, operand, axes)?;
    if place.axes.is_empty() {
        return Err(node.error("is a Softmax over nothing"));
    }
    let made = match node.op() {
        "LogSoftmax" => log_of(b, node, place.value, &place.axes)?,
        _ => of(b, node, place.value, &place.axes)?,
    };
    place.back(b, node, made)
}

/// The softmax of a value along some of its axes. It is taken of what is beyond the largest entry, rounded:
/// a softmax does not change with what is taken off all entries, and through the rounding no slope is
/// followed, so that the gradient is that of the softmax as well.
pub(in super::super) fn of(
    b: &mut Builder,
    node: &Node<'_>,
    x: ValueId,
    axes: &[usize],
) -> Result<ValueId, OnnxError> {
    let Parts { powers, sum, .. } = parts(b, node, x, axes)?;
    let share = b.add_part(node, "share", Op::Power { exponent: -1.0 }, &[sum])?;
    b.add(node, Op::Mul, &[powers, share])
}

/// The logarithm of the [softmax](of).
fn log_of(
    b: &mut Builder,
    node: &Node<'_>,
    x: ValueId,
    axes: &[usize],
) -> Result<ValueId, OnnxError> {
    let Parts { beyond, sum, .. } = parts(b, node, x, axes)?;
    let log = b.add_part(node, "log", Op::Log, &[sum])?;
    b.add(node, Op::Sub, &[beyond, log])
}

struct Parts {
    /// x less the rounded largest entry.
    beyond: ValueId,
    /// `e^beyond`
    powers: ValueId,
    /// Their sum.
    sum: ValueId,
}

fn parts(b: &mut Builder, node: &Node<'_>, x: ValueId, axes: &[usize]) -> Result<Parts, OnnxError> {
    let most = largest(b, node, x, axes)?;
    let level = b.add_part(node, "level", Op::Round, &[most])?;
    let beyond = b.add_part(node, "beyond", Op::Sub, &[x, level])?;
    let powers = b.add_part(node, "powers", Op::Exp, &[beyond])?;
    let sum = b.add_part(node, "sum", Op::ReduceSum { axes: axes.to_vec() }, &[powers])?;
    Ok(Parts { beyond, powers, sum })
}
