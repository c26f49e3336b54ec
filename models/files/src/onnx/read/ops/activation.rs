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
        "Exp" => Op::Exp,
        "Log" => Op::Log,
        "Erf" => Op::Erf,
        "Sqrt" => Op::Power { exponent: 0.5 },
        "Reciprocal" => Op::Power { exponent: -1.0 },
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
    composed(b, node, |b, x| tanh_of(b, node, "", x))
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
    composed(b, node, |b, x| {
        let soft = b.add_part(node, "softplus", Op::Softplus { beta: 1.0 }, &[x])?;
        let share = tanh_of(b, node, "tanh", soft)?;
        b.add(node, Op::Mul, &[x, share])
    })
}

/// An operation on single elements: the order of the elements stays what it was.
pub(super) fn unary(b: &mut Builder, node: &Node<'_>, op: Op) -> Result<Operand, OnnxError> {
    unary_part(b, node, "", op)
}

/// [`unary`] on the way to a node's result.
pub(super) fn unary_part(
    b: &mut Builder,
    node: &Node<'_>,
    part: &str,
    op: Op,
) -> Result<Operand, OnnxError> {
    composed(b, node, |b, x| b.add_part(node, part, op, &[x]))
}

/// Some operations on single elements, on the value whose elements these are.
fn composed(
    b: &mut Builder,
    node: &Node<'_>,
    rule: impl FnOnce(&mut Builder, ValueId) -> Result<ValueId, OnnxError>,
) -> Result<Operand, OnnxError> {
    match node.operand(0)? {
        // Also where the file drops the batch axis for a while, or has other axes than a graph.
        Operand::View(view)
            if !view.keeps_order()
                || view.shape().first() != Some(&1)
                || ![2, 4].contains(&view.shape().len()) =>
        {
            let made = rule(b, view.base())?;
            let name = arithmetic::turned(node);
            Ok(Operand::View(view.clone().over(made).named(&name)))
        }
        _ => {
            let x = b.value(node, 0)?;
            Ok(Operand::Value(rule(b, x)?))
        }
    }
}

/// x raised to a constant power.
pub(super) fn power(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let exponents = b.constant(node, 1).map(|(_, _, data)| &data[..]);
    let Some([exponent, rest @ ..]) = exponents else {
        return Err(node.error("is supported for constant exponents only"));
    };
    if rest.iter().any(|v| v != exponent) || *exponent == 0.0 {
        return Err(node.error("is supported for one exponent other than 0 only"));
    }
    match *exponent {
        1.0 if b.mode == Mode::Simplified => Ok(node.operand(0)?.clone()),
        exponent => unary(b, node, Op::Power { exponent }),
    }
}

/// `relu(x) + relu(-x)`.
pub(super) fn absolute(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    composed(b, node, |b, x| size_of(b, node, "", x))
}

/// `relu(x) + relu(-x)`, under the name of the node's result or of a part of it.
fn size_of(b: &mut Builder, node: &Node<'_>, part: &str, x: ValueId) -> Result<ValueId, OnnxError> {
    let minus = number(b, x, -1.0)?;
    let negated = b.add_part(node, "negated", Op::Mul, &[x, minus])?;
    let below = b.add_part(node, "below", Op::Relu, &[negated])?;
    let above = b.add_part(node, "above", Op::Relu, &[x])?;
    b.add_part(node, part, Op::Add, &[above, below])
}

/// `scale (x above 0, alpha (e^(x / width) - 1) elsewhere)`: Elu, Selu and Celu. What is below 0 is
/// `x - relu(x)`, whose slope at 0 is 1, as autograd has it.
pub(super) fn exponential(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let [alpha, width, scale] = match node.op() {
        "Selu" => [node.float("alpha", 1.673_263_2), 1.0, node.float("gamma", 1.050_701)],
        "Celu" => {
            let alpha = node.float("alpha", 1.0);
            [alpha, alpha, 1.0]
        }
        _ => [node.float("alpha", 1.0), 1.0, 1.0],
    };
    composed(b, node, |b, x| {
        let above = b.add_part(node, "above", Op::Relu, &[x])?;
        let mut below = b.add_part(node, "below", Op::Sub, &[x, above])?;
        if width != 1.0 {
            let narrow = number(b, x, width.recip())?;
            below = b.add_part(node, "narrow", Op::Mul, &[below, narrow])?;
        }
        let power = b.add_part(node, "power", Op::Exp, &[below])?;
        let [one, alpha] = [number(b, x, 1.0)?, number(b, x, alpha)?];
        let bent = b.add_part(node, "bent", Op::Sub, &[power, one])?;
        let bent = b.add_part(node, "scaled", Op::Mul, &[bent, alpha])?;
        if scale == 1.0 {
            return b.add(node, Op::Add, &[above, bent]);
        }
        let sum = b.add_part(node, "sum", Op::Add, &[above, bent])?;
        let scale = number(b, x, scale)?;
        b.add(node, Op::Mul, &[sum, scale])
    })
}

/// `x / 2 (1 + erf(x / sqrt 2))`, or `x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))` (D. Hendrycks
/// and K. Gimpel, "Gaussian Error Linear Units (GELUs)", 2016).
pub(super) fn gelu(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let rough = node.text("approximate").is_some_and(|text| text == b"tanh");
    composed(b, node, |b, x| {
        let [half, one] = [number(b, x, 0.5)?, number(b, x, 1.0)?];
        let share = if rough {
            let [slope, bend] = [0.797_884_6, 0.797_884_6 * 0.044_715];
            let [slope, bend] = [number(b, x, slope)?, number(b, x, bend)?];
            let square = b.add_part(node, "square", Op::Mul, &[x, x])?;
            let bent = b.add_part(node, "bent", Op::Mul, &[square, bend])?;
            let factor = b.add_part(node, "factor", Op::Add, &[bent, slope])?;
            let inner = b.add_part(node, "inner", Op::Mul, &[x, factor])?;
            tanh_of(b, node, "tanh", inner)?
        } else {
            let narrow = number(b, x, std::f32::consts::FRAC_1_SQRT_2)?;
            let inner = b.add_part(node, "inner", Op::Mul, &[x, narrow])?;
            b.add_part(node, "erf", Op::Erf, &[inner])?
        };
        let share = b.add_part(node, "share", Op::Add, &[share, one])?;
        let halved = b.add_part(node, "halved", Op::Mul, &[x, half])?;
        b.add(node, Op::Mul, &[halved, share])
    })
}

/// `x / (1 + |x|)`.
pub(super) fn softsign(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    composed(b, node, |b, x| {
        let one = number(b, x, 1.0)?;
        let size = size_of(b, node, "size", x)?;
        let size = b.add_part(node, "larger", Op::Add, &[size, one])?;
        let share = b.add_part(node, "share", Op::Power { exponent: -1.0 }, &[size])?;
        b.add(node, Op::Mul, &[x, share])
    })
}

/// One number that broadcasts to x.
fn number(b: &mut Builder, x: ValueId, value: f32) -> Result<ValueId, OnnxError> {
    let ones = vec![1; b.graph.shape(x).len()];
    b.repeated(&ones, value)
}
