//! Norms whose mean and variance are those of the input.

use super::super::super::OnnxError;
use super::super::super::constant::padded_shape;
use super::super::super::node::{Node, Operand};
use super::super::builder::Builder;
use super::arithmetic::binary;
use super::axes::laid;
use saligate_models::graph::{Op, PoolAttrs, ValueId};

/// Over all axes from one on: `(x - mean) / sqrt(variance + epsilon) scale + bias` (J. Ba et al., "Layer
/// Normalization", 2016), or without the mean and the bias (B. Zhang and R. Sennrich, "Root Mean Square
/// Layer Normalization", NeurIPS 2019).
pub(super) fn layer(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    if node.source.output.iter().skip(1).any(|name| !name.is_empty()) {
        return Err(node.error("gives its mean as well, as in training, which is not supported"));
    }
    let operand = node.operand(0)?;
    let rank = b.shape(node, operand)?.len();
    let first = node.axis(node.int("axis", -1), rank)?;
    let axes: Vec<usize> = (first..rank).collect();
    let centred = node.op() == "LayerNormalization";
    let made = normalized(b, node, operand, &axes, centred)?;
    scaled(b, node, made, [1, 2].map(|at| node.operands.get(at).cloned().flatten()))
}

/// Of every channel over its rows and columns (D. Ulyanov et al., "Instance Normalization", 2016).
pub(super) fn instance(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let operand = node.operand(0)?.clone();
    let rank = b.shape(node, &operand)?.len();
    let axes: Vec<usize> = (2..rank).collect();
    let made = normalized(b, node, &operand, &axes, true)?;
    by_channel(b, node, made)
}

/// Of groups of channels over their rows and columns (Y. Wu and K. He, "Group Normalization", ECCV 2018).
pub(super) fn group(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let operand = node.operand(0)?.clone();
    let shape = b.shape(node, &operand)?;
    let groups = node.size("num_groups", node.int("num_groups", 0))?;
    let [batch, channels, rest @ ..] = shape.as_slice() else {
        return Err(node.error("needs channels"));
    };
    if groups == 0 || !channels.is_multiple_of(groups) {
        return Err(node.error(format!("cannot make {groups} groups of {channels} channels")));
    }
    let inner = channels / groups * rest.iter().product::<usize>();
    let apart = b.reshaped(node, &operand, vec![*batch, groups, inner])?;
    let made = normalized(b, node, &apart, &[2], true)?;
    if b.opset < 21 {
        // One scale for a group.
        let made = by_channel(b, node, made)?;
        return b.reshaped(node, &made, shape.clone());
    }
    let made = b.reshaped(node, &made, shape)?;
    by_channel(b, node, made)
}

/// `x / (bias + alpha / size * sum of the squares of size channels around)^beta` (A. Krizhevsky et al.,
/// "ImageNet Classification with Deep Convolutional Neural Networks", NeurIPS 2012).
pub(super) fn local_response(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let size = node.size("size", node.int("size", 0))?;
    let [alpha, beta, bias] =
        [node.float("alpha", 1e-4), node.float("beta", 0.75), node.float("bias", 1.0)];
    let x = b.value(node, 0)?;
    let &[_, channels, rows, columns] = b.graph.shape(x) else {
        return Err(node.error("needs an operand [batch, channel, row, column]"));
    };
    if size == 0 || beta == 0.0 {
        return Err(node.error("needs a size and a beta above 0"));
    }
    let before = (size - 1) / 2;
    let square = b.add_part(node, "square", Op::Mul, &[x, x])?;
    let flat = Op::Reshape { shape: vec![1, channels, rows * columns] };
    let flat = b.add_part(node, "flat", flat, &[square])?;
    // The mean counts what is beyond the ends as zeros, so it is the sum over the size.
    let pool =
        PoolAttrs { kernel: [size, 1], stride: [1, 1], pads: [before, 0, size - 1 - before, 0] };
    let means = b.add_part(node, "means", Op::AveragePool(pool), &[flat])?;
    let wide = Op::Reshape { shape: vec![channels, rows, columns] };
    let means = b.add_part(node, "around", wide, &[means])?;
    let [alpha, bias] = [b.repeated(&[1; 4], alpha)?, b.repeated(&[1; 4], bias)?];
    let scaled = b.add_part(node, "scaled", Op::Mul, &[means, alpha])?;
    let sum = b.add_part(node, "sum", Op::Add, &[scaled, bias])?;
    let share = b.add_part(node, "share", Op::Power { exponent: -beta }, &[sum])?;
    Ok(Operand::Value(b.add(node, Op::Mul, &[x, share])?))
}

/// `x / sqrt(sum of squares)` along an axis.
pub(super) fn euclidean(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    if node.int("p", 2) != 2 {
        return Err(node.error("is supported for squares only"));
    }
    let operand = node.operand(0)?;
    let rank = b.shape(node, operand)?.len();
    let place = laid(b, node, operand, &[node.axis(node.int("axis", -1), rank)?])?;
    let square = b.add_part(node, "square", Op::Mul, &[place.value, place.value])?;
    let sum = b.add_part(node, "sum", Op::ReduceSum { axes: place.axes.clone() }, &[square])?;
    let share = b.add_part(node, "share", Op::Power { exponent: -0.5 }, &[sum])?;
    let made = b.add(node, Op::Mul, &[place.value, share])?;
    place.back(b, node, made)
}

/// An operand over its deviation along some axes, and less its mean before that where it is `centred`.
fn normalized(
    b: &mut Builder,
    node: &Node<'_>,
    operand: &Operand,
    axes: &[usize],
    centred: bool,
) -> Result<Operand, OnnxError> {
    let place = laid(b, node, operand, axes)?;
    let shape = b.graph.shape(place.value).to_vec();
    let count: usize = place.axes.iter().map(|&axis| shape[axis]).product();
    let ones = vec![1; shape.len()];
    let share = b.repeated(&ones, 1.0 / count as f32)?;
    let mean = |b: &mut Builder, x: ValueId, name: &str| {
        let sum = Op::ReduceSum { axes: place.axes.clone() };
        let sum = b.add_part(node, &format!("{name}/sum"), sum, &[x])?;
        b.add_part(node, name, Op::Mul, &[sum, share])
    };
    let mut x = place.value;
    if centred {
        let middle = mean(b, x, "mean")?;
        x = b.add_part(node, "centred", Op::Sub, &[x, middle])?;
    }
    let square = b.add_part(node, "square", Op::Mul, &[x, x])?;
    let variance = mean(b, square, "variance")?;
    let epsilon = b.repeated(&ones, node.float("epsilon", 1e-5))?;
    let variance = b.add_part(node, "above", Op::Add, &[variance, epsilon])?;
    let inverse = b.add_part(node, "inverse", Op::Power { exponent: -0.5 }, &[variance])?;
    let made = b.add_part(node, "normalized", Op::Mul, &[x, inverse])?;
    place.back(b, node, made)
}

/// Times the scale and plus the bias, where there are some.
fn scaled(
    b: &mut Builder,
    node: &Node<'_>,
    made: Operand,
    [scale, bias]: [Option<Operand>; 2],
) -> Result<Operand, OnnxError> {
    let made = match scale {
        Some(scale) => binary(b, node, "scaled", Op::Mul, [&made, &scale])?,
        None => made,
    };
    match bias {
        Some(bias) => binary(b, node, "", Op::Add, [&made, &bias]),
        None => Ok(made),
    }
}

/// [`scaled`] by a number for each entry of axis 1.
fn by_channel(b: &mut Builder, node: &Node<'_>, made: Operand) -> Result<Operand, OnnxError> {
    let rank = b.shape(node, &made)?.len();
    let along = |b: &mut Builder, at: usize| {
        let operand = node.operand(at)?;
        let count: usize = b.shape(node, operand)?.iter().product();
        let mut shape = padded_shape(&[], rank);
        shape[1] = count;
        b.reshaped(node, operand, shape)
    };
    let pair = [Some(along(b, 1)?), Some(along(b, 2)?)];
    scaled(b, node, made, pair)
}
