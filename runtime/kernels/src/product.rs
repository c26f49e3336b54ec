//! Products of two matrices that are both computed.

use crate::crew::Crew;
use crate::dispatch::{Kernel, run_on};
use crate::isa::Isa;
use crate::simd::Simd;

/// Rows of the result that are computed together, and registers of columns.
const ROWS: usize = 6;
const REGISTERS: usize = 2;
/// Floats of the widest panel of columns.
const WIDEST: usize = REGISTERS * 16;
/// Rows of the result that one part of the work takes.
const PART: usize = 4 * ROWS;

/// A matrix, row-major.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// `[row, column]`, or `[column, row]` where it is to be taken from its other side.
    pub values: &'a [f32],
    /// Whether rows and columns are exchanged.
    pub transposed: bool,
}

/// `out = a b`, row-major, for a of `[rows, inner]` and b of `[inner, columns]`.
///
/// # Panics
/// The lengths do not fit.
pub fn product(
    isa: Isa,
    crew: &Crew,
    (a, b): (Matrix<'_>, Matrix<'_>),
    [rows, inner, columns]: [usize; 3],
    out: &mut [f32],
) {
    let lengths = [a.values.len(), b.values.len(), out.len()];
    assert_eq!(lengths, [rows * inner, inner * columns, rows * columns], "length");
    if out.is_empty() || inner == 0 {
        return out.fill(0.0);
    }
    let a = row_major(a, [rows, inner]);
    let width = REGISTERS * isa.lanes();
    let panels = panels(b, [inner, columns], width);
    crew.run_on_parts(rows * inner * columns, out, PART * columns, &|part, out| {
        let a = &a[part * PART * inner..];
        for (number, panel) in panels.chunks_exact(inner * width).enumerate() {
            for (group, out) in out.chunks_mut(ROWS * columns).enumerate() {
                let a = &a[group * ROWS * inner..];
                let start = number * width;
                let taken = Panel { a, inner, panel, columns, start, out };
                run_on(isa, isa.lanes(), taken);
            }
        }
    });
}

fn row_major(matrix: Matrix<'_>, [rows, columns]: [usize; 2]) -> std::borrow::Cow<'_, [f32]> {
    if !matrix.transposed {
        return matrix.values.into();
    }
    let mut turned = vec![0.0; rows * columns];
    turn(matrix.values, [columns, rows], columns, &mut turned);
    turned.into()
}

/// The columns of a matrix `[row, column]` as rows that are `step` apart, by squares that the cache holds.
fn turn(matrix: &[f32], [rows, columns]: [usize; 2], step: usize, out: &mut [f32]) {
    const SIDE: usize = 16;
    for row in (0..rows).step_by(SIDE) {
        let end = rows.min(row + SIDE);
        for at in 0..columns {
            let source = matrix[row * columns + at..].iter().step_by(columns);
            let to = &mut out[at * step + row..at * step + end];
            to.iter_mut().zip(source).for_each(|(o, v)| *o = *v);
        }
    }
}

/// Columns of b side by side, as many as there is room for in the registers, with zeros behind the last
/// ones: `[panel, row, column of the panel]`.
fn panels(b: Matrix<'_>, [inner, columns]: [usize; 2], width: usize) -> Vec<f32> {
    let count = columns.div_ceil(width);
    let mut panels = vec![0.0; count * inner * width];
    for (number, panel) in panels.chunks_exact_mut(inner * width).enumerate() {
        let start = number * width;
        let length = width.min(columns - start);
        if b.transposed {
            turn(&b.values[start * inner..][..length * inner], [length, inner], width, panel);
            continue;
        }
        for (row, to) in panel.chunks_exact_mut(width).enumerate() {
            to[..length].copy_from_slice(&b.values[row * columns + start..][..length]);
        }
    }
    panels
}

/// Some rows of the result in the columns of one panel.
struct Panel<'a> {
    /// `[row, inner]`, from the first of the rows on.
    a: &'a [f32],
    inner: usize,
    /// `[inner, column of the panel]`
    panel: &'a [f32],
    columns: usize,
    start: usize,
    /// `[row, column]`
    out: &'a mut [f32],
}

impl Kernel for Panel<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { a, inner, panel, columns, start, out } = self;
        let rows = out.len() / columns;
        let width = REGISTERS * S::LANES;
        assert!(rows * inner <= a.len() && panel.len() == inner * width, "panel");
        // The last group may have fewer rows: what is computed for the others is not kept.
        let row = |i: usize| a[i.min(rows - 1) * inner..].as_ptr();
        let from: [*const f32; ROWS] = std::array::from_fn(row);
        let length = width.min(columns - start);
        // SAFETY: each row of a has `inner` floats and each row of the panel `width`, as asserted above; the
        // buffer has room for the widest panel.
        unsafe {
            let mut sums = [[S::splat(0.0); REGISTERS]; ROWS];
            for at in 0..inner {
                let b = panel.as_ptr().add(at * width);
                let b: [S; REGISTERS] = std::array::from_fn(|i| S::load(b.add(i * S::LANES)));
                for (sums, from) in sums.iter_mut().zip(from) {
                    let factor = S::splat(*from.add(at));
                    for (sum, b) in sums.iter_mut().zip(b) {
                        *sum = b.times_plus(factor, *sum);
                    }
                }
            }
            let mut whole = [0.0; WIDEST];
            for (sums, to) in sums.into_iter().zip(out.chunks_exact_mut(columns)) {
                for (i, sum) in sums.into_iter().enumerate() {
                    sum.store(whole.as_mut_ptr().add(i * S::LANES));
                }
                to[start..start + length].copy_from_slice(&whole[..length]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Matrix<'_> {
        fn at(&self, [rows, columns]: [usize; 2], row: usize, column: usize) -> f32 {
            self.values[if self.transposed { column * rows + row } else { row * columns + column }]
        }
    }

    #[test]
    fn products_are_sums_of_products() {
        let crew = Crew::new(2).unwrap();
        let value = |i: usize| ((i * 37 % 101) as f32 - 50.0) / 50.0;
        for isa in Isa::available() {
            for [rows, inner, columns] in
                [[1, 1, 1], [7, 5, 33], [50, 64, 50], [6, 0, 3], [25, 3, 16]]
            {
                for turned in [[false, false], [false, true], [true, false], [true, true]] {
                    let a: Vec<f32> = (0..rows * inner).map(value).collect();
                    let b: Vec<f32> = (0..inner * columns).map(|i| value(i + 7)).collect();
                    let (x, y) = (
                        Matrix { values: &a, transposed: turned[0] },
                        Matrix { values: &b, transposed: turned[1] },
                    );
                    let mut out = vec![f32::NAN; rows * columns];
                    product(isa, &crew, (x, y), [rows, inner, columns], &mut out);
                    for (place, found) in out.iter().enumerate() {
                        let (row, column) = (place / columns, place % columns);
                        let term = |k| {
                            let pair =
                                [x.at([rows, inner], row, k), y.at([inner, columns], k, column)];
                            f64::from(pair[0]) * f64::from(pair[1])
                        };
                        let wanted: f64 = (0..inner).map(term).sum();
                        assert!(
                            (f64::from(*found) - wanted).abs() < 1e-4,
                            "{isa}, {found}, {wanted}"
                        );
                    }
                }
            }
        }
    }
}
