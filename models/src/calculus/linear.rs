//! Rules of the operations with weights.

use super::{At, Tape, elementwise};
use crate::graph::{ConvAttrs, GraphError, Op, ValueId, shape::left_over};

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
    let output_padding = left_over(attrs, [x[2], x[3]], [weight[2], weight[3]]);
    tape.add("conv", Op::ConvTranspose { conv: *attrs, output_padding }, &[g, at.operands[1]])
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

/// For z = x y: g y^T for x, and x^T g for y.
pub(super) fn mat_mul(tape: &mut Tape<'_>, at: &At<'_>, g: ValueId) -> Result<ValueId, GraphError> {
    let exchanged = Op::Transpose { order: vec![1, 3, 2] };
    let other = tape.add("exchanged", exchanged, &[at.operands[1 - at.position]])?;
    let factors = if at.position == 0 { [g, other] } else { [other, g] };
    let product = tape.add("product", Op::MatMul, &factors)?;
    elementwise::unbroadcast(tape, at, product)
}

fn only_first(tape: &Tape<'_>, at: &At<'_>) -> Result<(), GraphError> {
    if at.position == 0 {
        return Ok(());
    }
    Err(tape.no_rule(at.op, "its weight depends on the input, where a parameter is expected"))
}
