//! Rows and columns made of channels.

use super::super::super::OnnxError;
use super::super::super::constant::{Constant, Data};
use super::super::super::node::{Node, Operand};
use super::super::builder::{Builder, Mode};
use saligate_models::graph::Op;

/// Longest side of a block of equal pixels.
const MAX_FACTOR: usize = 32;

pub(super) fn depth_to_space(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let block = node.size("blocksize", node.int("blocksize", 0))?;
    match node.text("mode") {
        None | Some(b"" | b"DCR") => {
            let x = b.value(node, 0)?;
            Ok(Operand::Value(b.add(node, Op::DepthToSpace { block }, &[x])?))
        }
        Some(b"CRD") if b.mode == Mode::Simplified => channels_first(b, node, block),
        Some(_) => Err(node.error("has a mode other than DCR and CRD")),
    }
}

/// Mode CRD: the channels are ordered (channel, row phase, column phase).
fn channels_first(b: &mut Builder, node: &Node<'_>, block: usize) -> Result<Operand, OnnxError> {
    let shape = b.shape(node, node.operand(0)?)?;
    let (Some(phases), &[1, c, h, w]) = (block.checked_mul(block), shape.as_slice()) else {
        return Err(node.error("needs an operand [batch, channel, row, column]"));
    };
    if phases == 0 || !c.is_multiple_of(phases) {
        return Err(node.error(format!("needs channels in multiples of {block} squared")));
    }
    let apart = b.reshaped(node, node.operand(0)?, vec![1, c / phases, phases, h * w])?;
    let turned = b.transposed(node, &apart, &[0, 2, 1, 3])?;
    let Operand::View(view) = b.reshaped(node, &turned, shape)? else {
        return Err(node.error("is supported for computed values only"));
    };
    let name = format!("{}/phases", node.output());
    let x = b.value_of(node, &Operand::View(view.named(&name)))?;
    Ok(Operand::Value(b.add(node, Op::DepthToSpace { block }, &[x])?))
}

/// Every pixel becomes a block of equal ones.
pub(super) fn resize(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let x = b.value(node, 0)?;
    let &[_, channels, h, w] = b.graph.shape(x) else {
        return Err(node.error("needs an operand [batch, channel, row, column]"));
    };
    let factor = factor(node, b, [channels, h, w])?;
    if factor == 1 {
        return Ok(Operand::Value(x));
    }
    let copies = b.add_part(node, "copies", Op::Concat, &vec![x; factor * factor])?;
    Ok(Operand::Value(b.add(node, Op::DepthToSpace { block: factor }, &[copies])?))
}

fn factor(node: &Node<'_>, b: &Builder, [channels, h, w]: [usize; 3]) -> Result<usize, OnnxError> {
    // Upsample, and Resize of version 10, have no other ways of counting and no region.
    let old = node.op() == "Upsample" || b.opset < 11;
    let text = |name, default: &'static [u8]| node.text(name).unwrap_or(default);
    let from = text("coordinate_transformation_mode", b"half_pixel");
    let rounding = text("nearest_mode", b"round_prefer_floor");
    let nearest = text("mode", b"nearest") == b"nearest"
        && match from {
            _ if old => true,
            b"asymmetric" => rounding == b"floor",
            b"half_pixel" | b"pytorch_half_pixel" => rounding.starts_with(b"round_prefer"),
            _ => false,
        };
    let scales = node.constant(if old { 1 } else { 2 })?;
    let factors: Option<Vec<f64>> = match (scales, node.ints_operand(3)?) {
        (None, _) if old => {
            node.floats("scales").map(|scales| scales.iter().map(|&v| f64::from(v)).collect())
        }
        (Some(Constant { data: Data::Floats(scales), .. }), _) if !scales.is_empty() => {
            Some(scales.iter().map(|&v| f64::from(v)).collect())
        }
        (_, Some([batch, maps, rows, columns]))
            if *maps == channels as i64 && [1, b.batch as i64].contains(batch) =>
        {
            Some(vec![1.0, 1.0, *rows as f64 / h as f64, *columns as f64 / w as f64])
        }
        _ => None,
    };
    match factors.as_deref() {
        Some(&[1.0, 1.0, rows, columns])
            if nearest
                && !node.has("axes")
                && rows == columns
                && rows.fract() == 0.0
                && (1.0..=MAX_FACTOR as f64).contains(&rows) =>
        {
            Ok(rows as usize)
        }
        _ => Err(node.error(
            "is supported for the nearest pixel, and one whole factor for rows and columns, only",
        )),
    }
}
