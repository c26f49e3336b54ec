//! Products of computed matrices, for every entry of the axis in front of them.

use saligate_kernels::{Crew, Isa, Matrix, product};

/// Values and their shape, `[1, entry, row, column]`.
type Value<'a> = (&'a [f32], &'a [usize]);

/// The products of two values, either one exchanged where `transposed` says so; one entry is repeated.
pub(super) fn products(
    isa: Isa,
    crew: &Crew,
    operands: [Value<'_>; 2],
    transposed: [bool; 2],
    (out, shape): (&mut [f32], &[usize]),
) {
    let (rows, columns) = (shape[2], shape[3]);
    let sizes = operands.map(|(_, shape)| shape[2] * shape[3]);
    let inner = sizes[0] / rows;
    let matrix = |side: usize, entry: usize| {
        let (values, shape) = operands[side];
        let start = if shape[1] == 1 { 0 } else { entry * sizes[side] };
        Matrix { values: &values[start..][..sizes[side]], transposed: transposed[side] }
    };
    for (entry, out) in out.chunks_exact_mut(rows * columns).enumerate() {
        product(isa, crew, (matrix(0, entry), matrix(1, entry)), [rows, inner, columns], out);
    }
}
