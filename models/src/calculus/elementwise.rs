//! Rules of the elementwise operations.

use super::{At, Tape};
use crate::graph::{GraphError, Op, ValueId};

/// g times the 0/1 mask of the result: the sign of what is never negative.
pub(super) fn relu(tape: &mut Tape<'_>, at: &At<'_>, g: ValueId) -> Result<ValueId, GraphError> {
    let g = tape.admitted(g)?;
    let mask = tape.add("mask", Op::Sign, &[at.result])?;
    tape.add("masked", Op::Mul, &[g, mask])
}

/// g times alpha, and 1 - alpha more where the operand is positive.
pub(super) fn leaky_relu(
    tape: &mut Tape<'_>,
    at: &At<'_>,
    alpha: f32,
    g: ValueId,
) -> Result<ValueId, GraphError> {
    let scalar = scalar(tape, at.result);
    let (rest, alpha) = (tape.constant(&scalar, 1.0 - alpha)?, tape.constant(&scalar, alpha)?);
    let positive = tape.add("positive", Op::Relu, &[at.operand])?;
    let mask = tape.add("mask", Op::Sign, &[positive])?;
    let steeper = tape.add("steeper", Op::Mul, &[mask, rest])?;
    let slope = tape.add("slope", Op::Add, &[steeper, alpha])?;
    tape.add("sloped", Op::Mul, &[g, slope])
}

/// d (x s) / dx = s + x s (1 - s), for s = sigmoid(x).
pub(super) fn silu(tape: &mut Tape<'_>, at: &At<'_>, g: ValueId) -> Result<ValueId, GraphError> {
    let scalar = scalar(tape, at.result);
    let one = tape.constant(&scalar, 1.0)?;
    let sigmoid = tape.add("sigmoid", Op::Sigmoid { beta: 1.0 }, &[at.operand])?;
    let rest = tape.add("rest", Op::Sub, &[one, sigmoid])?;
    let bent = tape.add("bent", Op::Mul, &[at.result, rest])?;
    let slope = tape.add("slope", Op::Add, &[sigmoid, bent])?;
    tape.add("sloped", Op::Mul, &[g, slope])
}

/// alpha g where the result is strictly between 0 and 1.
pub(super) fn hard_sigmoid(
    tape: &mut Tape<'_>,
    at: &At<'_>,
    alpha: f32,
    g: ValueId,
) -> Result<ValueId, GraphError> {
    let scalar = scalar(tape, at.result);
    let alpha = tape.constant(&scalar, alpha)?;
    let mask = between(tape, at.result, [0.0, 1.0])?;
    let slope = tape.add("slope", Op::Mul, &[mask, alpha])?;
    tape.add("sloped", Op::Mul, &[g, slope])
}

/// d (x h) / dx = h + x / 6 where h is strictly between 0 and 1, for h = hard sigmoid of x.
pub(super) fn hard_swish(
    tape: &mut Tape<'_>,
    at: &At<'_>,
    g: ValueId,
) -> Result<ValueId, GraphError> {
    let scalar = scalar(tape, at.result);
    let sixth = tape.constant(&scalar, 1.0 / 6.0)?;
    let gate = Op::HardSigmoid { alpha: 1.0 / 6.0, beta: 0.5 };
    let hard = tape.add("hard_sigmoid", gate, &[at.operand])?;
    let mask = between(tape, hard, [0.0, 1.0])?;
    let share = tape.add("share", Op::Mul, &[at.operand, sixth])?;
    let bent = tape.add("bent", Op::Mul, &[share, mask])?;
    let slope = tape.add("slope", Op::Add, &[hard, bent])?;
    tape.add("sloped", Op::Mul, &[g, slope])
}

/// g where the result is strictly between the bounds.
pub(super) fn clip(
    tape: &mut Tape<'_>,
    at: &At<'_>,
    bounds: [f32; 2],
    g: ValueId,
) -> Result<ValueId, GraphError> {
    let g = if bounds[0] == 0.0 { tape.admitted(g)? } else { g };
    let mask = between(tape, at.result, bounds)?;
    tape.add("masked", Op::Mul, &[g, mask])
}

/// 1 where x, which is never outside the bounds, is strictly between them, and 0 on them.
fn between(tape: &mut Tape<'_>, x: ValueId, [low, high]: [f32; 2]) -> Result<ValueId, GraphError> {
    let scalar = scalar(tape, x);
    let (low, high) = (tape.constant(&scalar, low)?, tape.constant(&scalar, high)?);
    let above = tape.add("above", Op::Sub, &[x, low])?;
    let below = tape.add("below", Op::Sub, &[high, x])?;
    let room = tape.add("room", Op::Mul, &[above, below])?;
    tape.add("mask", Op::Sign, &[room])
}

/// Shape of one number that broadcasts to a value.
fn scalar(tape: &Tape<'_>, like: ValueId) -> Vec<usize> {
    vec![1; tape.shape(like).len()]
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
    let scalar = scalar(tape, at.result);
    let (one, beta) = (tape.constant(&scalar, 1.0)?, tape.constant(&scalar, beta)?);
    let rest = tape.add("rest", Op::Sub, &[one, at.result])?;
    let slope = tape.add("slope", Op::Mul, &[at.result, rest])?;
    let slope = tape.add("slope", Op::Mul, &[slope, beta])?;
    tape.add("sloped", Op::Mul, &[g, slope])
}

/// d e^x / dx = e^x.
pub(super) fn exp(tape: &mut Tape<'_>, at: &At<'_>, g: ValueId) -> Result<ValueId, GraphError> {
    tape.add("sloped", Op::Mul, &[g, at.result])
}

/// d ln x / dx = 1 / x.
pub(super) fn log(tape: &mut Tape<'_>, at: &At<'_>, g: ValueId) -> Result<ValueId, GraphError> {
    let slope = tape.add("slope", Op::Power { exponent: -1.0 }, &[at.operand])?;
    tape.add("sloped", Op::Mul, &[g, slope])
}

/// d x^p / dx = p x^(p - 1). Below 0 it is p y / x: for large x a power is below all floats where a
/// product with g and y is not, as in a norm of large values.
pub(super) fn power(
    tape: &mut Tape<'_>,
    at: &At<'_>,
    exponent: f32,
    g: ValueId,
) -> Result<ValueId, GraphError> {
    let scalar = scalar(tape, at.result);
    let factor = tape.constant(&scalar, exponent)?;
    let g = if exponent < 0.0 { tape.add("whole", Op::Mul, &[g, at.result])? } else { g };
    let scaled = tape.add("scaled", Op::Mul, &[g, factor])?;
    let slope = match exponent {
        -1.0 => at.result,
        ..0.0 => tape.add("slope", Op::Power { exponent: -1.0 }, &[at.operand])?,
        1.0 => return Ok(scaled),
        2.0 => at.operand,
        _ => tape.add("slope", Op::Power { exponent: exponent - 1.0 }, &[at.operand])?,
    };
    tape.add("sloped", Op::Mul, &[scaled, slope])
}

/// d erf(x) / dx = 2 / sqrt(pi) e^(-x^2).
pub(super) fn erf(tape: &mut Tape<'_>, at: &At<'_>, g: ValueId) -> Result<ValueId, GraphError> {
    let scalar = scalar(tape, at.result);
    let minus = tape.constant(&scalar, -1.0)?;
    let factor = tape.constant(&scalar, std::f32::consts::FRAC_2_SQRT_PI)?;
    let negated = tape.add("negated", Op::Mul, &[at.operand, minus])?;
    let square = tape.add("square", Op::Mul, &[at.operand, negated])?;
    let bell = tape.add("bell", Op::Exp, &[square])?;
    let slope = tape.add("slope", Op::Mul, &[bell, factor])?;
    tape.add("sloped", Op::Mul, &[g, slope])
}

/// g for the first operand, -g for the second.
pub(super) fn sub(tape: &mut Tape<'_>, at: &At<'_>, g: ValueId) -> Result<ValueId, GraphError> {
    let g = if at.position == 0 {
        g
    } else {
        let scalar = scalar(tape, g);
        let minus = tape.constant(&scalar, -1.0)?;
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
pub(crate) fn unbroadcast(
    tape: &mut Tape<'_>,
    at: &At<'_>,
    g: ValueId,
) -> Result<ValueId, GraphError> {
    let pairs = tape.shape(at.operand).iter().zip(tape.shape(g)).enumerate();
    let axes: Vec<usize> = pairs.filter(|(_, (own, wide))| own != wide).map(|(i, _)| i).collect();
    if axes.is_empty() { Ok(g) } else { tape.add("unbroadcast", Op::ReduceSum { axes }, &[g]) }
}
