//! Operations on single elements.

use super::super::super::OnnxError;
use super::super::super::node::{Node, Operand};
use super::super::builder::{Builder, Mode};
use super::arithmetic;
use saligate_models::graph::{Op, ValueId};

pub(super) fn plain(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let op = match node.op() {
        "LeakyRelu" => Op::LeakyRelu { alpha: node.float("alpha", 0.01) },
        "HardSwish" => Op::HardSwish,
        "Softplus" => Op::Softplus { beta: 1.0 },
        "Sign" => Op::Sign,
        "Round" => Op::Round,
        _ => Op::Relu,
    };
    unary(b, node, op)
}

/// Sigmoid and HardSigmoid; where they wait for their product with x, as that product.
pub(super) fn sigmoid(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let op = match node.op() {
        "HardSigmoid" => {
            Op::HardSigmoid { alpha: node.float("alpha", 0.2), beta: node.float("beta", 0.5) }
        }
        _ => Op::Sigmoid { beta: 1.0 },
    };
    let product = match op {
        Op::HardSigmoid { alpha, beta } => is_hard_swish(alpha, beta).then_some(Op::HardSwish),
        _ => Some(Op::Silu),
    };
    match product {
        Some(product) if node.is_factor => {
            Ok(Operand::Factor { input: node.source.input[0].clone(), product })
        }
        _ => unary(b, node, op),
    }
}

fn is_hard_swish(alpha: f32, beta: f32) -> bool {
    (alpha - 1.0 / 6.0).abs() < 1e-6 && beta == 0.5
}

/// Bounds that are missing are those of f32.
pub(super) fn clip(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let low = node.scalar(1)?.unwrap_or_else(|| node.float("min", f32::MIN));
    let high = node.scalar(2)?.unwrap_or_else(|| node.float("max", f32::MAX));
    bounded(b, node, low, high)
}

pub(super) fn bounded(
    b: &mut Builder,
    node: &Node<'_>,
    low: f32,
    high: f32,
) -> Result<Operand, OnnxError> {
    let [low, high] = [low, high].map(|bound| bound.clamp(f32::MIN, f32::MAX));
    let relu = low == 0.0 && high >= f32::MAX && b.mode == Mode::Simplified;
    unary(b, node, if relu { Op::Relu } else { Op::Clip { low, high } })
}

/// `relu(x) - slope relu(-x)`; one slope for all channels makes it a LeakyRelu.
pub(super) fn prelu(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let Some((_, _, slopes)) = b.constant(node, 1) else {
        return Err(node.error("needs a constant slope"));
    };
    if let Some(&alpha) = slopes.first()
        && slopes.iter().all(|&v| v == alpha)
    {
        return unary(b, node, Op::LeakyRelu { alpha });
    }
    let x = b.value(node, 0)?;
    let ones = vec![1; b.graph.shape(x).len()];
    let minus = b.repeated(&ones, -1.0)?;
    let positive = b.add_part(node, "positive", Op::Relu, &[x])?;
    let negated = b.add_part(node, "negated", Op::Mul, &[x, minus])?;
    let negative = b.add_part(node, "negative", Op::Relu, &[negated])?;
    let slope = b.widened(node, node.operand(1)?, ones.len())?;
    let slope = b.value_of(node, &slope)?;
    let sloped = b.add_part(node, "sloped", Op::Mul, &[negative, slope])?;
    Ok(Operand::Value(b.add(node, Op::Sub, &[positive, sloped])?))
}

pub(super) fn tanh(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let x = b.value(node, 0)?;
    Ok(Operand::Value(tanh_of(b, node, "", x)?))
}

/// `2 sigmoid(2 x) - 1`, under the name of the node's result or of a part of it.
fn tanh_of(b: &mut Builder, node: &Node<'_>, part: &str, x: ValueId) -> Result<ValueId, OnnxError> {
    let ones = vec![1; b.graph.shape(x).len()];
    let (one, two) = (b.repeated(&ones, 1.0)?, b.repeated(&ones, 2.0)?);
    let scaled = b.add_part(node, "scaled", Op::Mul, &[x, two])?;
    let sigmoid = b.add_part(node, "sigmoid", Op::Sigmoid { beta: 1.0 }, &[scaled])?;
    let doubled = b.add_part(node, "doubled", Op::Mul, &[sigmoid, two])?;
    b.add_part(node, part, Op::Sub, &[doubled, one])
}

/// `x tanh(softplus(x))` (D. Misra, "Mish: A Self Regularized Non-Monotonic Activation Function",
/// BMVC 2020).
pub(super) fn mish(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let x = b.value(node, 0)?;
    let soft = b.add_part(node, "softplus", Op::Softplus { beta: 1.0 }, &[x])?;
    let share = tanh_of(b, node, "tanh", soft)?;
    Ok(Operand::Value(b.add(node, Op::Mul, &[x, share])?))
}

/// An operation on single elements: the order of the elements stays what it was.
pub(super) fn unary(b: &mut Builder, node: &Node<'_>, op: Op) -> Result<Operand, OnnxError> {
    match node.operand(0)? {
        // Also where the file drops the batch axis for a while.
        Operand::View(view) if !view.keeps_order() || view.shape().first() != Some(&1) => {
            let made = b.add(node, op, &[view.base()])?;
            let name = arithmetic::turned(node);
            Ok(Operand::View(view.clone().over(made).named(&name)))
        }
        _ => {
            let x = b.value(node, 0)?;
            Ok(Operand::Value(b.add(node, op, &[x])?))
        }
    }
}
