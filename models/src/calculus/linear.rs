//! Rules of the operations with weights.

use super::{At, Tape};
use crate::graph::{ConvAttrs, GraphError, Op, ValueId, shape::windows};

/// Transposed convolution of g; the cells that the forward windows did not reach come back as
/// output padding.
pub(super) fn conv(
    tape: &mut Tape<'_>,
    at: &At<'_>,
    attrs: &ConvAttrs,
    g: ValueId,
) -> Result<ValueId, GraphError> {
    only_first(tape, at)?;
    let (x, weight) = (tape.shape(at.operand).to_vec(), tape.shape(at.operands[1]).to_vec());
    let left_over = |axis: usize| {
        let padded = x[axis + 2] + attrs.pads[axis] + attrs.pads[axis + 2];
        let extent = attrs.dilation[axis] * (weight[axis + 2] - 1) + 1;
        windows(padded, extent, attrs.stride[axis]).map_or(0, |(_, rest)| rest)
    };
    let op = Op::ConvTranspose { conv: *attrs, output_padding: [left_over(0), left_over(1)] };
    tape.add("conv", op, &[g, at.operands[1]])
}

/// Convolution of g.
pub(super) fn conv_transpose(
    tape: &mut Tape<'_>,
    at: &At<'_>,
    attrs: &ConvAttrs,
    g: ValueId,
) -> Result<ValueId, GraphError> {
    only_first(tape, at)?;
    tape.add("conv", Op::Conv(*attrs), &[g, at.operands[1]])
}

/// The weight from its other side.
pub(super) fn gemm(
    tape: &mut Tape<'_>,
    at: &At<'_>,
    transposed: bool,
    g: ValueId,
) -> Result<ValueId, GraphError> {
    only_first(tape, at)?;
    tape.add("gemm", Op::Gemm { transposed: !transposed }, &[g, at.operands[1]])
}

fn only_first(tape: &Tape<'_>, at: &At<'_>) -> Result<(), GraphError> {
    if at.position == 0 {
        return Ok(());
    }
    Err(tape.no_rule(at.op, "its weight depends on the input, where a parameter is expected"))
}
