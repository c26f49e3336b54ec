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
    let Some((name, constant, data)) = b.constant(node, 0) else {
        return held(b, node, node.operand(0)?.clone(), 1);
    };
    let steps = Steps::of(node, constant, 1, 1)?;
    let [low, high] = held_by(b, node, 2);
    let number = |(place, &value): (usize, &f32)| {
        let (scale, zero) = steps.at(place);
        value.clamp((low - zero) * scale, (high - zero) * scale)
    };
    let floats: Vec<f32> = data.iter().enumerate().map(number).collect();
    let (name, shape) = (format!("{name}.held"), constant.shape.clone());
    b.budget.charge(&shape)?;
    Ok(Operand::Constant { name, constant: Constant::floats(shape, floats) })
}

/// `(x - zero point) scale` of stored integers; of what was never rounded, nothing.
pub(super) fn dequantize(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    match node.operand(0)? {
        Operand::Constant { constant: Constant { data: Data::Ints(_), .. }, .. } => {
            stored(b, node, 0, 1)
        }
        floats => Ok(floats.clone()),
    }
}

/// A convolution or product, from the operands x, its scale and zero point, weight, its scale and zero
/// point, scale and zero point of the result, and bias, in that order.
pub(super) fn conv(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let mut operands = vec![Some(node.operand(0)?.clone()), Some(stored(b, node, 3, 4)?)];
    if node.operands.get(8).is_some_and(Option::is_some) {
        operands.push(Some(bias(b, node, 8)?));
    }
    let made = linear::conv(b, &node.with(operands))?;
    held(b, node, made, 6)
}

/// [`conv`] of rows; the bias comes before the scale of the result.
pub(super) fn gemm(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let mut operands = vec![Some(node.operand(0)?.clone()), Some(stored(b, node, 3, 4)?)];
    if node.operands.get(6).is_some_and(Option::is_some) {
        operands.push(Some(bias(b, node, 6)?));
    }
    let made = linear::gemm(b, &node.with(operands))?;
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
    let made = super::product::mat_mul(b, &node.with(operands))?;
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
    let alone = node.with(vec![Some(node.operand(0)?.clone())]);
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
    let made = layout::concat(b, &node.with(operands))?;
    held(b, node, made, 0)
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
    let [low, high] = held_by(b, node, scale + 1);
    let bounds = [low, high].map(|bound| (bound - zero) * step);
    let alone = node.with(vec![Some(value)]);
    let made = unary(b, &alone, Op::Clip { low: bounds[0], high: bounds[1] })?;
    Ok(made.named(&turned(node)))
}

/// A constant as floats, by its scale at a position and the zero point behind.
fn stored(b: &mut Builder, node: &Node<'_>, at: usize, scale: usize) -> Result<Operand, OnnxError> {
    let Operand::Constant { name, constant } = node.operand(at)? else {
        return Err(node.error("needs a constant"));
    };
    let Data::Ints(values) = &constant.data else {
        return Err(node.error("has floats where quantized numbers are expected"));
    };
    let steps = Steps::of(node, constant, scale, usize::from(at == 0))?;
    b.budget.charge(&constant.shape)?;
    let number = |(place, &value): (usize, &i64)| {
        let (scale, zero) = steps.at(place);
        (value as f32 - zero) * scale
    };
    let floats: Vec<f32> = values.iter().enumerate().map(number).collect();
    let constant = Constant::floats(constant.shape.clone(), floats);
    Ok(Operand::Constant { name: name.clone(), constant })
}

/// The scales and zero points of a constant: one of each, or one for each entry of an axis.
struct Steps {
    scales: Vec<f32>,
    zeros: Vec<f32>,
    entries: usize,
    inner: usize,
}

impl Steps {
    /// Those at a position and behind it; `axis` is the usual one.
    fn of(node: &Node<'_>, constant: &Constant, at: usize, axis: usize) -> Result<Self, OnnxError> {
        let Some(Constant { data: Data::Floats(scales), .. }) = node.constant(at)? else {
            return Err(node.error("needs constant scales"));
        };
        let zeros = zero_points(node, at + 1)?;
        let shape = &constant.shape;
        let axis = match scales.len() {
            1 => 0,
            _ => node.axis(node.int("axis", axis as i64), shape.len())?,
        };
        let entries = if scales.len() == 1 { 1 } else { shape[axis] };
        if ![1, entries].contains(&scales.len()) || ![1, scales.len()].contains(&zeros.len()) {
            return Err(node.error("has as many scales as no axis is long"));
        }
        let inner = shape.get(axis + 1..).unwrap_or_default().iter().product::<usize>().max(1);
        Ok(Self { scales: scales.to_vec(), zeros, entries, inner })
    }

    /// Of an element: the scale and the zero point.
    fn at(&self, place: usize) -> (f32, f32) {
        let entry = place / self.inner % self.entries;
        (self.scales[entry % self.scales.len()], self.zeros[entry % self.zeros.len()])
    }
}

/// The least and the largest number of the type of a zero point.
fn held_by(b: &Builder, node: &Node<'_>, zero_point: usize) -> [f32; 2] {
    let name = node.source.input.get(zero_point);
    name.and_then(|name| b.ranges.get(name)).copied().unwrap_or(BYTES)
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
