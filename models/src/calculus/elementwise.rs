//! Rules of the elementwise operations.

use super::{At, Tape};
use crate::graph::{GraphError, Op, ValueId};

/// g times the 0/1 mask of the result: the sign of what is never negative.
pub(super) fn relu(tape: &mut Tape<'_>, at: &At<'_>, g: ValueId) -> Result<ValueId, GraphError> {
    let g = tape.admitted(g)?;
    let mask = tape.add("mask", Op::Sign, &[at.result])?;
    tape.add("masked", Op::Mul, &[g, mask])
}

/// g where the result is strictly between the bounds.
pub(super) fn clip(
    tape: &mut Tape<'_>,
    at: &At<'_>,
    [low, high]: [f32; 2],
    g: ValueId,
) -> Result<ValueId, GraphError> {
    let scalar = vec![1; tape.shape(at.result).len()];
    let (low, high) = (tape.constant(&scalar, low)?, tape.constant(&scalar, high)?);
    let above = tape.add("above", Op::Sub, &[at.result, low])?;
    let below = tape.add("below", Op::Sub, &[high, at.result])?;
    let room = tape.add("room", Op::Mul, &[above, below])?;
    let mask = tape.add("mask", Op::Sign, &[room])?;
    tape.add("masked", Op::Mul, &[g, mask])
}

/// d softplus(x) / dx = sigmoid(beta x).
pub(super) fn softplus(
    tape: &mut Tape<'_>,
    at: &At<'_>,
    beta: f32,
    g: ValueId,
) -> Result<ValueId, GraphError> {
    let g = tape.admitted(g)?;
    let slope = tape.add("slope", Op::Sigmoid { beta }, &[at.operand])?;
    tape.add("sloped", Op::Mul, &[g, slope])
}

/// d sigmoid(beta x) / dx = beta y (1 - y).
pub(super) fn sigmoid(
    tape: &mut Tape<'_>,
    at: &At<'_>,
    beta: f32,
    g: ValueId,
) -> Result<ValueId, GraphError> {
    let scalar = vec![1; tape.shape(at.result).len()];
    let (one, beta) = (tape.constant(&scalar, 1.0)?, tape.constant(&scalar, beta)?);
    let rest = tape.add("rest", Op::Sub, &[one, at.result])?;
    let slope = tape.add("slope", Op::Mul, &[at.result, rest])?;
    let slope = tape.add("slope", Op::Mul, &[slope, beta])?;
    tape.add("sloped", Op::Mul, &[g, slope])
}

/// g for the first operand, -g for the second.
pub(super) fn sub(tape: &mut Tape<'_>, at: &At<'_>, g: ValueId) -> Result<ValueId, GraphError> {
    let g = if at.position == 0 {
        g
    } else {
        let minus = tape.constant(&vec![1; tape.shape(g).len()], -1.0)?;
        tape.add("negated", Op::Mul, &[g, minus])?
    };
    unbroadcast(tape, at, g)
}

/// g times the other operand.
pub(super) fn mul(tape: &mut Tape<'_>, at: &At<'_>, g: ValueId) -> Result<ValueId, GraphError> {
    let other = at.operands[1 - at.position];
    let product = tape.add("product", Op::Mul, &[g, other])?;
    unbroadcast(tape, at, product)
}

/// Sums g over the axes along which the operand was repeated.
pub(super) fn unbroadcast(
    tape: &mut Tape<'_>,
    at: &At<'_>,
    g: ValueId,
) -> Result<ValueId, GraphError> {
    let pairs = tape.shape(at.operand).iter().zip(tape.shape(g)).enumerate();
    let axes: Vec<usize> = pairs.filter(|(_, (own, wide))| own != wide).map(|(i, _)| i).collect();
    if axes.is_empty() { Ok(g) } else { tape.add("unbroadcast", Op::ReduceSum { axes }, &[g]) }
}
