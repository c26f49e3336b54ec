//! Operations on constants that are not worth rules of their own: done once, by the reference engine.

use saligate_models::reference;

use super::super::OnnxError;
use super::super::constant::{Budget, Constant, Data, elements};
use super::super::node::{Node, Operand};
use super::super::view::View;
use super::builder::{Builder, Mode};
use super::ops;

/// Most elements that an operand or a result may have.
const MOST: usize = 1 << 22;

/// The result of a node whose operands are all constants, as floats; `None` where it is no such thing, or
/// larger than what is worth it.
pub(super) fn evaluated(node: &Node<'_>, opset: i64) -> Result<Option<Constant>, OnnxError> {
    let Some(Some(Operand::Constant { name, constant })) = node.operands.first() else {
        return Ok(None);
    };
    // Rules that read constants as such, and the types of others.
    if ops::reads_constants(node.op()) {
        return Ok(None);
    }
    let Data::Floats(data) = &constant.data else { return Ok(None) };
    if !(1..=MOST).contains(&data.len()) || node.source.output.len() != 1 {
        return Ok(None);
    }
    let mut b = Builder::new(Mode::Simplified, Budget::new(0));
    b.opset = opset;
    let flat = b.new_param(name, &[1, data.len()], data.clone())?;
    let view = View::of(&b.graph, flat).reshaped(constant.shape.clone());
    let mut operands = node.operands.clone();
    operands[0] = Some(Operand::View(view));
    let alone = node.with(operands);
    let Ok(results) = ops::read(&mut b, &alone) else { return Ok(None) };
    let [result] = results.as_slice() else { return Ok(None) };
    let view = b.view(&alone, result)?;
    let shape = view.shape().to_vec();
    let count = elements(&shape).filter(|count| (1..=MOST).contains(count));
    let Some(count) = count else { return Ok(None) };
    let Some(row) = view.reshaped(vec![1, count]).materialize(&mut b.graph)? else {
        return Ok(None);
    };
    b.graph.set_outputs(&[row]);
    let found = reference::run(&b.graph, &[])?.remove(0);
    Ok(Some(Constant::floats(shape, found.iter().map(|&v| v as f32).collect::<Vec<_>>())))
}
