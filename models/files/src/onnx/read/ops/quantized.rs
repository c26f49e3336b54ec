//! Operations on quantized numbers, computed in floats.
//!
//! What is rounded stays as it is, and what a type cannot hold is cut off: exporters leave out a Relu
//! where the type does its work. Rounding would leave no slope.

use super::super::super::OnnxError;
use super::super::super::constant::{Constant, Data};
use super::super::super::node::{Node, Operand};
use super::super::builder::Builder;
use super::activation::unary;
use super::arithmetic::{binary, turned};
use super::{layout, linear, pool};
use crate::onnx::proto;
use saligate_models::graph::Op;

/// The numbers that a type holds where nothing says which: bytes.
const BYTES: [f32; 2] = [0.0, 255.0];

/// Cuts off what the type cannot hold.
pub(super) fn quantize(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    held(b, node, node.operand(0)?.clone(), 1)
}

/// `(x - zero point) scale` of constants; of computed values, which were never rounded, nothing.
pub(super) fn dequantize(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    match node.operand(0)? {
        Operand::Constant { .. } => stored(b, node, 0, 1),
        computed => Ok(computed.clone()),
    }
}

/// A convolution or product, from the operands x, its scale and zero point, weight, its scale and zero
/// point, scale and zero point of the result, and bias, in that order.
pub(super) fn conv(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let mut operands = vec![Some(node.operand(0)?.clone()), Some(stored(b, node, 3, 4)?)];
    if node.operands.get(8).is_some_and(Option::is_some) {
        operands.push(Some(bias(b, node, 8)?));
    }
    let made = linear::conv(b, &with(node, operands))?;
    held(b, node, made, 6)
}

/// [`conv`] of rows; the bias comes before the scale of the result.
pub(super) fn gemm(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let mut operands = vec![Some(node.operand(0)?.clone()), Some(stored(b, node, 3, 4)?)];
    if node.operands.get(6).is_some_and(Option::is_some) {
        operands.push(Some(bias(b, node, 6)?));
    }
    let made = linear::gemm(b, &with(node, operands))?;
    match node.operands.get(7) {
        Some(Some(_)) => held(b, node, made, 7),
        _ => Ok(made),
    }
}

pub(super) fn mat_mul(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let right = match node.operand(3)? {
        Operand::Constant { .. } => stored(b, node, 3, 4)?,
        computed => computed.clone(),
    };
    let operands = vec![Some(node.operand(0)?.clone()), Some(right)];
    let made = super::product::mat_mul(b, &with(node, operands))?;
    held(b, node, made, 6)
}

/// Sums and products of x, its scale and zero point, y, its scale and zero point, and scale and zero point
/// of the result.
pub(super) fn pair(b: &mut Builder, node: &Node<'_>, op: Op) -> Result<Operand, OnnxError> {
    let side = |b: &mut Builder, at: usize| match node.operand(at)? {
        Operand::Constant { .. } => stored(b, node, at, at + 1),
        computed => Ok(computed.clone()),
    };
    let operands = [side(b, 0)?, side(b, 3)?];
    let made = binary(b, node, "sum", op, [&operands[0], &operands[1]])?;
    held(b, node, made, 6)
}

/// What one operand becomes: x, its scale and zero point, and those of the result.
pub(super) fn single(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let alone = with(node, vec![Some(node.operand(0)?.clone())]);
    if node.int("channels_last", 0) != 0 {
        return Err(node.error("has channels last, which is not supported"));
    }
    let made = match node.op() {
        "QLinearGlobalAveragePool" => pool::global_average(b, &alone)?,
        "QLinearAveragePool" => pool::average(b, &alone)?,
        "QLinearLeakyRelu" => unary(b, &alone, Op::LeakyRelu { alpha: node.float("alpha", 0.01) })?,
        _ => unary(b, &alone, Op::Sigmoid { beta: 1.0 })?,
    };
    held(b, node, made, 3)
}

/// The scale and zero point of the result, and then x, its scale and zero point, as often as needed.
pub(super) fn concat(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let operands =
        (2..node.operands.len()).step_by(3).map(|at| Ok(Some(node.operand(at)?.clone())));
    let operands = operands.collect::<Result<Vec<_>, OnnxError>>()?;
    let made = layout::concat(b, &with(node, operands))?;
    held(b, node, made, 0)
}

/// The same node with other operands.
fn with<'a>(node: &Node<'a>, operands: Vec<Option<Operand>>) -> Node<'a> {
    Node { operands, source: node.source, is_factor: false }
}

/// A value within what a type holds, by its scale at a position and the zero point behind.
fn held(
    b: &mut Builder,
    node: &Node<'_>,
    value: Operand,
    scale: usize,
) -> Result<Operand, OnnxError> {
    let step = node.scalar(scale)?.ok_or_else(|| node.error("needs a scale"))?;
    let zero = zero_points(node, scale + 1)?;
    let [zero] = zero.as_slice() else {
        return Err(node.error("has several zero points for a computed value"));
    };
    let name = node.source.input.get(scale + 1);
    let [low, high] = name.and_then(|name| b.ranges.get(name)).copied().unwrap_or(BYTES);
    let bounds = [low, high].map(|bound| (bound - zero) * step);
    let alone = with(node, vec![Some(value)]);
    let made = unary(b, &alone, Op::Clip { low: bounds[0], high: bounds[1] })?;
    Ok(match made {
        Operand::View(view) => Operand::View(view.named(&turned(node))),
        other => other,
    })
}

/// A constant as floats, by its scale at a position and the zero point behind.
fn stored(b: &mut Builder, node: &Node<'_>, at: usize, scale: usize) -> Result<Operand, OnnxError> {
    let (Operand::Constant { name, constant }, Some(Constant { data: Data::Floats(scales), .. })) =
        (node.operand(at)?, node.constant(scale)?)
    else {
        return Err(node.error("needs constants with scales"));
    };
    let Data::Ints(values) = &constant.data else {
        return Err(node.error("has floats where quantized numbers are expected"));
    };
    let zeros = zero_points(node, scale + 1)?;
    let rank = constant.shape.len();
    // One scale, or one for each entry of an axis.
    let usual = if at == 0 { 1 } else { 0 };
    let axis = match scales.len() {
        1 => 0,
        _ => node.axis(node.int("axis", usual), rank)?,
    };
    let entries = if scales.len() == 1 { 1 } else { constant.shape[axis] };
    if ![1, entries].contains(&scales.len()) || ![1, scales.len()].contains(&zeros.len()) {
        return Err(node.error("has as many scales as no axis is long"));
    }
    b.budget.charge(&constant.shape)?;
    let inner: usize = constant.shape.get(axis + 1..).unwrap_or_default().iter().product();
    let number = |(place, &value): (usize, &i64)| {
        let entry = place / inner.max(1) % entries;
        (value as f32 - zeros[entry % zeros.len()]) * scales[entry % scales.len()]
    };
    let floats: Vec<f32> = values.iter().enumerate().map(number).collect();
    let constant = Constant::floats(constant.shape.clone(), floats);
    Ok(Operand::Constant { name: name.clone(), constant })
}

/// A bias in steps of the scales of x and of the weight together.
fn bias(b: &mut Builder, node: &Node<'_>, at: usize) -> Result<Operand, OnnxError> {
    let scales = |at| match node.constant(at)? {
        Some(Constant { data: Data::Floats(scales), .. }) => Ok(scales.to_vec()),
        _ => Err(node.error("needs constant scales")),
    };
    let (own, weights) = (scales(1)?, scales(4)?);
    let (Operand::Constant { name, constant }, [own]) = (node.operand(at)?, own.as_slice()) else {
        return Err(node.error("needs a constant bias, and one scale"));
    };
    let Data::Ints(values) = &constant.data else {
        return Err(node.error("has a bias of floats"));
    };
    b.budget.charge(&constant.shape)?;
    let number = |(at, &value): (usize, &i64)| value as f32 * own * weights[at % weights.len()];
    let floats: Vec<f32> = values.iter().enumerate().map(number).collect();
    let constant = Constant::floats(constant.shape.clone(), floats);
    Ok(Operand::Constant { name: name.clone(), constant })
}

/// The zero points at a position; 0 where there are none.
fn zero_points(node: &Node<'_>, at: usize) -> Result<Vec<f32>, OnnxError> {
    Ok(match node.ints_operand(at)? {
        Some(zeros) if !zeros.is_empty() => zeros.iter().map(|&zero| zero as f32).collect(),
        _ => vec![0.0],
    })
}

/// Whether a node makes quantized numbers, and not floats.
pub(in super::super) fn is_quantizing(node: &proto::Node) -> bool {
    node.op_type == "QuantizeLinear" || node.op_type.starts_with("QLinear")
}

/// The least and the largest number of an integer type of a file, for those that values are quantized to.
pub(in super::super) fn range(data_type: i32) -> Option<[f32; 2]> {
    match data_type {
        proto::data_type::INT8 => Some([-128.0, 127.0]),
        proto::data_type::UINT8 => Some(BYTES),
        proto::data_type::INT16 => Some([-32_768.0, 32_767.0]),
        proto::data_type::UINT16 => Some([0.0, 65_535.0]),
        _ => None,
    }
}
