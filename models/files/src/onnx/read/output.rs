//! The output of a classifier.

use super::super::OnnxError;
use super::super::node::Operand;
use super::super::proto::{self, DimensionValue};
use super::super::view::View;
use super::builder::Builder;
use saligate_models::graph::{Graph, Op, Source, ValueId};
use saligate_models::head::Head;

/// Outputs that an error lists.
const MAX_LISTED: usize = 20;

/// Name of the output with the scores of the classes: the one asked for, the only one, or the only
/// one with two axes.
pub(super) fn chosen(
    outputs: &[proto::ValueInfo],
    wanted: Option<&str>,
) -> Result<String, OnnxError> {
    let rows = || outputs.iter().filter(|output| rank(output) == Some(2));
    let output = match wanted {
        Some(wanted) => outputs.iter().find(|output| output.name == wanted),
        None if outputs.len() == 1 => outputs.first(),
        None => rows().next().filter(|_| rows().count() == 1),
    };
    output.map(|output| output.name.clone()).ok_or_else(|| OnnxError::Outputs {
        wanted: wanted.map(str::to_owned),
        found: outputs.iter().take(MAX_LISTED).map(described).collect(),
    })
}

fn dims(output: &proto::ValueInfo) -> Option<&[proto::Dimension]> {
    Some(&output.kind.as_ref()?.tensor.as_ref()?.shape.as_ref()?.dim)
}

fn rank(output: &proto::ValueInfo) -> Option<usize> {
    dims(output).map(<[_]>::len)
}

fn described(output: &proto::ValueInfo) -> String {
    let axis = |dim: &proto::Dimension| match &dim.value {
        Some(DimensionValue::Size(size)) => size.to_string(),
        Some(DimensionValue::Symbol(symbol)) => symbol.clone(),
        None => "?".to_owned(),
    };
    match dims(output) {
        Some(dims) => {
            let axes: Vec<String> = dims.iter().take(MAX_LISTED).map(axis).collect();
            format!("{} [{}]", output.name, axes.join(", "))
        }
        None => output.name.clone(),
    }
}

/// The scores of the classes.
pub(super) struct Scores {
    /// `[1, class]`, before a softmax or sigmoids.
    pub(super) value: ValueId,
    /// What was left out behind them.
    pub(super) left_out: Option<Head>,
}

/// What an output stands for, as a row without its softmax or sigmoids.
pub(super) fn scores(b: &mut Builder, output: &str, operand: Operand) -> Result<Scores, OnnxError> {
    let softmax = matches!(operand, Operand::Softmax(_));
    let view = match operand {
        Operand::Value(id) | Operand::Softmax(id) => View::of(&b.graph, id),
        Operand::View(view) => view,
        Operand::ArgMax(_) => return Err(OnnxError::ClassNumber { output: output.to_owned() }),
        _ => return Err(OnnxError::Constant { value: output.to_owned() }),
    };
    let shape = view.shape().to_vec();
    let classes: usize = shape.iter().product();
    if shape.iter().filter(|&&size| size > 1).count() > 1 {
        return Err(OnnxError::Scores { output: output.to_owned(), shape });
    }
    let is_row = shape == [1, classes];
    let view = if is_row || softmax { view } else { view.named(&b.name(output, "scores")) };
    let value = view.reshaped(vec![1, classes]).materialize(&mut b.graph)?;
    let value = value.ok_or(OnnxError::Scores { output: output.to_owned(), shape })?;
    if softmax {
        return Ok(Scores { value, left_out: Some(Head::Softmax) });
    }
    let Some(inner) = before_sigmoid(&b.graph, value) else {
        return Ok(Scores { value, left_out: None });
    };
    let view = View::of(&b.graph, inner).named(&b.name(output, "scores"));
    let value = view.reshaped(vec![1, classes]).materialize(&mut b.graph)?.unwrap_or(value);
    Ok(Scores { value, left_out: Some(Head::Sigmoid) })
}

/// What sigmoids at the end are taken of, if there are any: also where the file turns them into
/// another shape, cuts them off just above 0 and below 1, or scales them.
fn before_sigmoid(graph: &Graph, output: ValueId) -> Option<ValueId> {
    let mut id = output;
    loop {
        let Source::Node { op, operands } = &graph.value(id).source else { return None };
        let scale = |at: usize| match &graph.value(*operands.get(at)?).source {
            Source::Param(data) => data.first().copied().filter(|v| data.iter().all(|w| w == v)),
            _ => None,
        };
        id = match op {
            Op::Sigmoid { beta: 1.0 } => return Some(operands[0]),
            Op::Flatten | Op::Reshape { .. } => operands[0],
            Op::Clip { low, high } if *low < 0.01 && *high > 0.99 => operands[0],
            Op::Relu => operands[0],
            Op::Mul if scale(1).is_some_and(|v| v > 0.0) => operands[0],
            Op::Mul if scale(0).is_some_and(|v| v > 0.0) => operands[1],
            _ => return None,
        };
    }
}
