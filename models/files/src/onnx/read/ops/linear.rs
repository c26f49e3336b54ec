//! Convolutions, dense layers and batch norms.

use super::super::super::OnnxError;
use super::super::super::constant::{Constant, broadcast};
use super::super::super::node::{Node, Operand};
use super::super::builder::{Builder, Mode};
use super::arithmetic::binary;
use super::pool::same_pads;
use super::product;
use saligate_models::graph::{ConvAttrs, Op, ValueId};

/// A convolution along one axis, as one on maps of one row.
fn conv_along(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let flat = |b: &mut Builder, position: usize| {
        let operand = node.operand(position)?;
        let shape = b.shape(node, operand)?;
        let &[first, second, length] = shape.as_slice() else {
            return Err(node.error(format!("has an operand {shape:?} beside one of three axes")));
        };
        let flat = b.reshaped(node, operand, vec![first, second, 1, length])?;
        b.value_of(node, &flat)
    };
    let mut operands = vec![flat(b, 0)?, flat(b, 1)?];
    if node.operands.get(2).is_some_and(Option::is_some) {
        operands.push(b.value(node, 2)?);
    }
    if node.text("auto_pad").is_some_and(|pad| ![&b""[..], b"NOTSET", b"VALID"].contains(&pad)) {
        return Err(node.error("has auto_pad, which is supported for rows and columns only"));
    }
    let entry = |name: &str, usual: usize| -> Result<usize, OnnxError> {
        Ok(node.sizes::<1>(name, [usual])?[0])
    };
    let [before, behind] = node.sizes::<2>("pads", [0; 2])?;
    let attrs = ConvAttrs {
        stride: [1, entry("strides", 1)?],
        pads: [0, before, 0, behind],
        dilation: [1, entry("dilations", 1)?],
        groups: node.size("group", node.int("group", 1))?,
    };
    let made = b.add(node, Op::Conv(attrs), &operands)?;
    let &[_, channels, _, length] = b.graph.shape(made) else {
        return Err(node.error("makes no map"));
    };
    b.reshaped(node, &Operand::Value(made), vec![1, channels, length])
}

pub(super) fn conv(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    if b.mode == Mode::Simplified && b.shape(node, node.operand(1)?)?.len() == 3 {
        return conv_along(b, node);
    }
    let (x, weight) = (b.value(node, 0)?, b.value(node, 1)?);
    let mut attrs = attributes(node)?;
    if let (&[_, _, h, w], &[_, _, rows, columns]) = (b.graph.shape(x), b.graph.shape(weight)) {
        if node.sizes("kernel_shape", [rows, columns])? != [rows, columns] {
            return Err(node.error("has a kernel_shape other than its weight's"));
        }
        let extents = [0, 1].map(|axis| {
            let taps: usize = [rows, columns][axis];
            taps.saturating_sub(1).saturating_mul(attrs.dilation[axis]).saturating_add(1)
        });
        if let Some(pads) = same_pads(node, [h, w], extents, attrs.stride)? {
            attrs.pads = pads;
        }
    }
    let mut operands = vec![x, weight];
    if node.operands.get(2).is_some_and(Option::is_some) {
        operands.push(b.value(node, 2)?);
    }
    Ok(Operand::Value(b.add(node, Op::Conv(attrs), &operands)?))
}

pub(super) fn conv_transpose(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    if node.has("output_shape") || node.text("auto_pad").is_some_and(|p| p != b"NOTSET") {
        return Err(node.error("has output_shape or auto_pad, which are not supported"));
    }
    let conv = attributes(node)?;
    let op = Op::ConvTranspose { conv, output_padding: node.sizes("output_padding", [0, 0])? };
    let operands = [b.value(node, 0)?, b.value(node, 1)?];
    let Some((name, bias, data)) = b.constant(node, 2) else {
        if node.operands.get(2).is_some_and(Option::is_some) {
            return Err(node.error("needs a constant bias"));
        }
        return Ok(Operand::Value(b.add(node, op, &operands)?));
    };
    let bias = b.param(&format!("{name}.map"), &[1, bias.len(), 1, 1], data)?;
    let bare = b.add_part(node, "bare", op, &operands)?;
    Ok(Operand::Value(b.add(node, Op::Add, &[bare, bias])?))
}

fn attributes(node: &Node<'_>) -> Result<ConvAttrs, OnnxError> {
    Ok(ConvAttrs {
        stride: node.sizes("strides", [1, 1])?,
        pads: node.sizes("pads", [0; 4])?,
        dilation: node.sizes("dilations", [1, 1])?,
        groups: node.size("group", node.int("group", 1))?,
    })
}

/// `alpha x W + beta b`; the factors become part of the weight and the bias.
pub(super) fn gemm(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    if node.int("transA", 0) != 0 {
        return Err(node.error("has transA, which is not supported"));
    }
    let outer = node.int("transB", 0) != 0;
    let (alpha, beta) = (node.float("alpha", 1.0), node.float("beta", 1.0));
    if b.mode == Mode::AsWritten {
        if alpha != 1.0 || beta != 1.0 {
            return Err(node.error("has alpha or beta, which are not supported here"));
        }
        let operands = (0..node.operands.len()).map(|i| b.value(node, i));
        let operands = operands.collect::<Result<Vec<_>, _>>()?;
        return Ok(Operand::Value(b.add(node, Op::Gemm { transposed: !outer }, &operands)?));
    }
    let shape = b.shape(node, node.operand(0)?)?;
    if matches!(shape[..], [rows, _] if rows > 1) && alpha == 1.0 && beta == 1.0 {
        // The tokens of the one image.
        let made = product::tokens(b, node, &shape, outer)?;
        return match node.operands.get(2).cloned().flatten() {
            Some(bias) => binary(b, node, "biased", Op::Add, [&made, &bias]),
            None => Ok(made),
        };
    }
    let x = b.value(node, 0)?;
    let weight = weight(b, node, outer, alpha)?;
    let mut operands = vec![x, weight];
    if let Some((name, bias, data)) = b.constant(node, 2) {
        let rows = b.graph.shape(weight)[0];
        if broadcast(&bias.shape, &[1, rows]).as_deref() != Some(&[1, rows]) {
            let shape = &bias.shape;
            return Err(node.error(format!("has a bias {shape:?} for {rows} features")));
        }
        operands.push(if beta == 1.0 && bias.len() == rows {
            b.param(name, &[rows], data)?
        } else {
            let how = format!("times{beta}");
            let wide = || (0..rows).map(|i| beta * data[i % data.len()]).collect();
            b.derived(name, data, (&how, beta != 1.0), &[rows], wide)?
        });
    } else if node.operands.get(2).is_some_and(Option::is_some) {
        return Err(node.error("needs a constant bias"));
    }
    Ok(Operand::Value(b.add(node, Op::Gemm { transposed: false }, &operands)?))
}

/// The weight `[out, in]` of a dense layer, from `[out, in]` (`outer`) or `[in, out]`.
pub(super) fn weight(
    b: &mut Builder,
    node: &Node<'_>,
    outer: bool,
    alpha: f32,
) -> Result<ValueId, OnnxError> {
    let Some((name, weight, data)) = b.constant(node, 1) else {
        return Err(node.error("needs a constant weight"));
    };
    let &[rows, columns] = weight.shape.as_slice() else {
        return Err(node.error(format!("has a weight {:?}; two axes are supported", weight.shape)));
    };
    if outer && alpha == 1.0 {
        return b.param(name, &weight.shape, data);
    }
    let scale = format!("times{alpha}");
    if outer {
        let scaled = || data.iter().map(|v| alpha * v).collect();
        return b.derived(name, data, (&scale, true), &weight.shape, scaled);
    }
    let turned = || (0..columns * rows).map(|i| alpha * data[i % rows * columns + i / rows]);
    let how = (format!("turned.{scale}"), alpha != 1.0);
    b.derived(name, data, (&how.0, how.1), &[columns, rows], || turned().collect())
}

pub(super) fn batch_norm(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    if let Some((name, constant, data)) = b.constant(node, 0)
        && b.mode == Mode::Simplified
    {
        return normalized(b, node, name, &constant.shape, data);
    }
    if node.int("training_mode", 0) != 0 {
        return Err(node.error("is in training mode"));
    }
    let shape = b.shape(node, node.operand(0)?)?;
    if b.mode == Mode::Simplified && (shape.first() != Some(&1) || ![2, 4].contains(&shape.len())) {
        return scaled_channels(b, node, &shape);
    }
    let operands = (0..5).map(|i| b.value(node, i)).collect::<Result<Vec<_>, _>>()?;
    let op = Op::BatchNorm { epsilon: node.float("epsilon", 1e-5) };
    Ok(Operand::Value(b.add(node, op, &operands)?))
}

/// A batch norm of a constant, as of standardized weights: in training mode with the mean and variance of
/// each channel of it.
fn normalized(
    b: &Builder,
    node: &Node<'_>,
    name: &str,
    shape: &[usize],
    data: &[f32],
) -> Result<Operand, OnnxError> {
    let &[count, channels, ref rest @ ..] = shape else {
        return Err(node.error("needs a constant with channels"));
    };
    let inner: usize = rest.iter().product();
    let by_channel = |at: usize| {
        let found = b.constant(node, at).map(|(_, _, data)| &data[..]);
        found.filter(|data| data.len() == channels)
    };
    let parts: Option<Vec<&[f32]>> = (1..5).map(by_channel).collect();
    let parts =
        parts.ok_or_else(|| node.error("needs four constants, a number for each channel"))?;
    let trains = node.int("training_mode", 0) != 0;
    let epsilon = f64::from(node.float("epsilon", 1e-5));
    let mut made = data.to_vec();
    for (channel, (scale, shift)) in parts[0].iter().zip(parts[1]).enumerate() {
        let places = || {
            let starts = (0..count).map(move |n| (n * channels + channel) * inner);
            starts.flat_map(move |start| start..start + inner)
        };
        let mean_of = |value: &dyn Fn(f64) -> f64| {
            let sum: f64 = places().map(|at| value(f64::from(data[at]))).sum();
            sum / (count * inner).max(1) as f64
        };
        let [mean, variance] = if trains {
            let mean = mean_of(&|v| v);
            [mean, mean_of(&|v| (v - mean).powi(2))]
        } else {
            [2, 3].map(|at| f64::from(parts[at][channel]))
        };
        let factor = f64::from(*scale) / (variance + epsilon).sqrt();
        let shift = f64::from(*shift);
        places().for_each(|at| made[at] = (factor * (f64::from(data[at]) - mean) + shift) as f32);
    }
    let constant = Constant::floats(shape.to_vec(), made);
    Ok(Operand::Constant { name: format!("{name}.normalized"), constant })
}

/// A batch norm of rows, or of other than four axes: a scale and a shift of each channel.
fn scaled_channels(
    b: &mut Builder,
    node: &Node<'_>,
    shape: &[usize],
) -> Result<Operand, OnnxError> {
    let constant = |at: usize| b.constant(node, at).map(|(_, _, data)| data.to_vec());
    let parts: Option<Vec<Vec<f32>>> = (1..5).map(constant).collect();
    let (Some(parts), Some(&channels)) = (parts, shape.get(1)) else {
        return Err(node.error("needs channels, and constants for them"));
    };
    let [scale, bias, mean, variance] = parts.as_slice() else {
        unreachable!("four were asked for")
    };
    if parts.iter().any(|part| part.len() != channels) {
        return Err(node.error("needs four constants, a number for each channel"));
    }
    let epsilon = node.float("epsilon", 1e-5);
    let factors: Vec<f32> =
        scale.iter().zip(variance).map(|(s, v)| s / (v + epsilon).sqrt()).collect();
    let moved =
        bias.iter().zip(mean).zip(&factors).map(|((bias, mean), factor)| bias - mean * factor);
    let shifts: Vec<f32> = moved.collect();
    let mut along = vec![1; shape.len()];
    along[1] = channels;
    let operand = |name: &str, data: Vec<f32>| Operand::Constant {
        name: format!("{}/{name}", node.output()),
        constant: Constant::floats(along.clone(), data),
    };
    let (factors, shifts) = (operand("factors", factors), operand("shifts", shifts));
    let scaled = binary(b, node, "scaled", Op::Mul, [node.operand(0)?, &factors])?;
    binary(b, node, "", Op::Add, [&scaled, &shifts])
}
