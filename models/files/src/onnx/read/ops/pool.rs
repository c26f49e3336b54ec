//! Pooling, and the padding that windows are given by name.

use super::super::super::OnnxError;
use super::super::super::node::{Node, Operand};
use super::super::builder::Builder;
use saligate_models::graph::{Op, Pads, PoolAttrs, ValueId};

pub(super) fn max(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let x = b.value(node, 0)?;
    let windows = windows(b, node, x)?;
    Ok(Operand::Value(b.add(node, Op::MaxPool(windows.attrs), &[x])?))
}

/// The mean over windows along one axis, as over those of maps of one row.
fn average_along(
    b: &mut Builder,
    node: &Node<'_>,
    x: ValueId,
    [channels, length]: [usize; 2],
) -> Result<Operand, OnnxError> {
    let [kernel] = node.sizes("kernel_shape", [0])?;
    let [stride] = node.sizes("strides", [1])?;
    let pads: [usize; 2] = node.sizes("pads", [0, 0])?;
    if kernel == 0 || stride == 0 || pads != [0, 0] || node.int("ceil_mode", 0) != 0 {
        return Err(node.error("along one axis needs a window, a stride, and no borders"));
    }
    let map = Op::Reshape { shape: vec![channels, 1, length] };
    let map = b.add_part(node, "map", map, &[x])?;
    let attrs = PoolAttrs { kernel: [1, kernel], stride: [1, stride], pads: [0; 4] };
    let means = b.add_part(node, "means", Op::AveragePool(attrs), &[map])?;
    let count = b.graph.shape(means)[3];
    let shape = vec![channels, count];
    Ok(Operand::Value(b.add(node, Op::Reshape { shape }, &[means])?))
}

/// Where windows have cells that do not count, the mean over all cells is scaled by a map.
pub(super) fn average(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let x = b.value(node, 0)?;
    if let &[_, channels, length] = b.graph.shape(x) {
        return average_along(b, node, x, [channels, length]);
    }
    let Windows { attrs, declared } = windows(b, node, x)?;
    let includes = node.int("count_include_pad", 0) != 0;
    let counted = if includes { declared } else { [0; 4] };
    if counted == attrs.pads {
        return Ok(Operand::Value(b.add(node, Op::AveragePool(attrs), &[x])?));
    }
    let &[_, _, h, w] = b.graph.shape(x) else {
        return Err(node.error("needs an operand [batch, channel, row, column]"));
    };
    let plain = b.add_part(node, "plain", Op::AveragePool(attrs), &[x])?;
    let &[_, _, rows, columns] = b.graph.shape(plain) else {
        return Err(node.error("needs an operand [batch, channel, row, column]"));
    };
    let shares = [(0, h, rows), (1, w, columns)].map(|(axis, size, count)| {
        let cells = move |window: usize| {
            let first = window * attrs.stride[axis];
            let low = attrs.pads[axis] - counted[axis];
            let high = attrs.pads[axis] + size + counted[axis + 2];
            let inside = (first + attrs.kernel[axis]).min(high).saturating_sub(first.max(low));
            attrs.kernel[axis] as f64 / inside.max(1) as f64
        };
        (0..count).map(cells).collect::<Vec<f64>>()
    });
    let shape = [1, 1, rows, columns];
    b.budget.charge(&shape)?;
    let row = |r: &f64| shares[1].iter().map(|c| (r * c) as f32).collect::<Vec<_>>();
    let map = shares[0].iter().flat_map(row).collect();
    let map = b.new_param(&format!("{}.share", node.output()), &shape, map)?;
    Ok(Operand::Value(b.add(node, Op::Mul, &[plain, map])?))
}

pub(super) fn global_average(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let x = b.value(node, 0)?;
    Ok(Operand::Value(b.add(node, Op::GlobalAveragePool, &[x])?))
}

pub(super) fn global_max(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let x = b.value(node, 0)?;
    let &[_, _, h, w] = b.graph.shape(x) else {
        return Err(node.error("needs an operand [batch, channel, row, column]"));
    };
    let attrs = PoolAttrs { kernel: [h, w], stride: [1, 1], pads: [0; 4] };
    Ok(Operand::Value(b.add(node, Op::MaxPool(attrs), &[x])?))
}

struct Windows {
    /// With the padding that a rounded-up number of windows needs.
    attrs: PoolAttrs,
    /// The padding as the file has it.
    declared: Pads,
}

fn windows(b: &Builder, node: &Node<'_>, x: ValueId) -> Result<Windows, OnnxError> {
    if node.sizes("dilations", [1, 1])? != [1, 1] {
        return Err(node.error("has dilations, which are not supported"));
    }
    let &[_, _, h, w] = b.graph.shape(x) else {
        return Err(node.error("needs an operand [batch, channel, row, column]"));
    };
    let kernel = node.sizes("kernel_shape", [0, 0])?;
    let stride = node.sizes("strides", [1, 1])?;
    let size = [h, w];
    if kernel.contains(&0) || stride.contains(&0) {
        return Err(node.error("needs a window and strides of 1 or more"));
    }
    if let Some(pads) = same_pads(node, size, kernel, stride)? {
        let rounds = node.int("ceil_mode", 0) != 0;
        if rounds || (0..2).any(|axis| stride[axis] > kernel[axis]) {
            return Err(node.error("has auto_pad with ceil_mode or with gaps between its windows"));
        }
        return Ok(Windows { attrs: PoolAttrs { kernel, stride, pads }, declared: pads });
    }
    let declared = node.sizes("pads", [0; 4])?;
    let mut pads = declared;
    if node.int("ceil_mode", 0) != 0 {
        for axis in [0, 1] {
            let grown = rounded_up(size[axis], kernel[axis], stride[axis], declared, axis);
            pads[axis + 2] = grown.ok_or_else(|| {
                node.error(format!("has a window that does not fit an axis of {}", size[axis]))
            })?;
        }
    }
    Ok(Windows { attrs: PoolAttrs { kernel, stride, pads }, declared })
}

/// Padding behind an axis for as many windows as begin before its far padding, the last of which
/// may overhang.
fn rounded_up(size: usize, kernel: usize, stride: usize, pads: Pads, axis: usize) -> Option<usize> {
    let begins = size.checked_add(pads[axis])?;
    let padded = begins.checked_add(pads[axis + 2])?;
    let last = padded.checked_sub(kernel)?.div_ceil(stride).checked_mul(stride)?;
    let last = if last >= begins { last.checked_sub(stride)? } else { last };
    Some(last.checked_add(kernel)?.saturating_sub(begins).max(pads[axis + 2]))
}

/// The padding of `auto_pad`, if the node has one.
pub(super) fn same_pads(
    node: &Node<'_>,
    size: [usize; 2],
    extent: [usize; 2],
    stride: [usize; 2],
) -> Result<Option<Pads>, OnnxError> {
    let upper = match node.text("auto_pad") {
        None | Some(b"" | b"NOTSET") => return Ok(None),
        Some(b"VALID") => return Ok(Some([0; 4])),
        Some(b"SAME_UPPER") => true,
        Some(b"SAME_LOWER") => false,
        Some(_) => return Err(node.error("has an unknown auto_pad")),
    };
    let mut pads = [0; 4];
    for axis in [0, 1] {
        if stride[axis] == 0 {
            return Err(node.error("needs strides of 1 or more"));
        }
        let last = (size[axis].div_ceil(stride[axis]) - 1).saturating_mul(stride[axis]);
        let total = last.saturating_add(extent[axis]).saturating_sub(size[axis]);
        let (less, more) = (total / 2, total - total / 2);
        (pads[axis], pads[axis + 2]) = if upper { (less, more) } else { (more, less) };
    }
    Ok(Some(pads))
}
