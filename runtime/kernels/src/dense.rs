//! Vectors times matrices.

use crate::crew::Crew;
use crate::dispatch::{Kernel, run_on};
use crate::isa::Isa;
use crate::simd::Simd;

/// Rows that one part of the work takes.
const ROWS: usize = 64;

/// `y = W x + b` for a row-major W of `y.len()` rows and `x.len()` columns.
///
/// # Panics
/// The lengths do not fit.
pub fn times(
    isa: Isa,
    crew: &Crew,
    weight: &[f32],
    bias: Option<&[f32]>,
    x: &[f32],
    y: &mut [f32],
) {
    assert_eq!(weight.len(), x.len() * y.len(), "weights");
    assert!(bias.is_none_or(|bias| bias.len() == y.len()), "bias");
    crew.run_on_parts(weight.len(), y, ROWS, &|part, y| {
        for (row, y) in (part * ROWS..).zip(y) {
            let mut found = 0.0;
            let row_of = &weight[row * x.len()..][..x.len()];
            run_on(isa, isa.lanes(), Dot { a: row_of, b: x, found: &mut found });
            *y = found + bias.map_or(0.0, |bias| bias[row]);
        }
    });
}

struct Dot<'a> {
    a: &'a [f32],
    b: &'a [f32],
    found: &'a mut f32,
}

impl Kernel for Dot<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let length = self.a.len();
        let (a, b) = (self.a.as_ptr(), self.b.as_ptr());
        let mut lanes = [0.0; 16];
        let mut at = 0;
        // SAFETY: both slices have this length.
        unsafe {
            let mut sums = [S::splat(0.0); 4];
            while at + 4 * S::LANES <= length {
                for (i, sum) in sums.iter_mut().enumerate() {
                    let place = at + i * S::LANES;
                    *sum = S::load(a.add(place)).times_plus(S::load(b.add(place)), *sum);
                }
                at += 4 * S::LANES;
            }
            sums[0].add(sums[1]).add(sums[2].add(sums[3])).store(lanes.as_mut_ptr());
        }
        let rest: f32 = self.a[at..].iter().zip(&self.b[at..]).map(|(a, b)| a * b).sum();
        *self.found = lanes.iter().sum::<f32>() + rest;
    }
}

/// `y = W^T x` for a row-major W of `x.len()` rows and `y.len()` columns; rows at zeros of x are
/// not read.
///
/// # Panics
/// The lengths do not fit.
pub fn times_transposed(isa: Isa, weight: &[f32], x: &[f32], y: &mut [f32]) {
    assert_eq!(weight.len(), x.len() * y.len(), "weights");
    y.fill(0.0);
    for (row, &factor) in weight.chunks_exact(y.len()).zip(x).filter(|(_, x)| **x != 0.0) {
        run_on(isa, isa.lanes(), AddTimes { row, factor, to: y });
    }
}

struct AddTimes<'a> {
    row: &'a [f32],
    factor: f32,
    to: &'a mut [f32],
}

impl Kernel for AddTimes<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let mut at = 0;
        // SAFETY: both slices have one length.
        unsafe {
            let factor = S::splat(self.factor);
            while at + S::LANES <= self.to.len() {
                let to = self.to.as_mut_ptr().add(at);
                S::load(self.row.as_ptr().add(at)).times_plus(factor, S::load(to)).store(to);
                at += S::LANES;
            }
        }
        let rest = self.to[at..].iter_mut().zip(&self.row[at..]);
        rest.for_each(|(to, weight)| *to += weight * self.factor);
    }
}

/// Adds the slopes of a matrix to `sums`, row-major: every image's `h x^T`, for pairs of an x as
/// long as a row and an h as long as a column.
///
/// # Panics
/// The lengths do not fit.
pub fn add_slopes(isa: Isa, crew: &Crew, pairs: &[(&[f32], &[f32])], sums: &mut [f32]) {
    let Some((x, h)) = pairs.first() else { return };
    let (columns, rows) = (x.len(), h.len());
    assert_eq!(sums.len(), rows * columns, "sums");
    assert!(pairs.iter().all(|(x, h)| [x.len(), h.len()] == [columns, rows]), "pairs");
    // A row of sums stays in the cache while all images are added to it.
    crew.run_on_parts(pairs.len() * sums.len(), sums, columns * ROWS, &|part, sums| {
        for (row, to) in sums.chunks_exact_mut(columns).enumerate() {
            for (x, h) in pairs {
                let factor = h[part * ROWS + row];
                if factor != 0.0 {
                    run_on(isa, isa.lanes(), AddTimes { row: x, factor, to });
                }
            }
        }
    });
}

/// Columns of a matrix whose parts of all vectors stay in the cache together.
const COLUMNS: usize = 1024;

/// [`times`] of many vectors, one after the other in the result; the matrix is read once.
///
/// # Panics
/// The lengths do not fit.
pub fn times_many(
    isa: Isa,
    crew: &Crew,
    weight: &[f32],
    bias: Option<&[f32]>,
    vectors: &[&[f32]],
) -> Vec<Vec<f32>> {
    let Some(columns) = vectors.first().map(|x| x.len()) else { return Vec::new() };
    assert!(
        vectors.iter().all(|x| x.len() == columns) && weight.len().is_multiple_of(columns.max(1))
    );
    let rows = weight.len() / columns.max(1);
    assert!(bias.is_none_or(|bias| bias.len() == rows), "bias");
    let count = vectors.len();
    // `[row, vector]`
    let mut found = vec![0.0; rows * count];
    crew.run_on_parts(weight.len() * count, &mut found, ROWS * count, &|part, found| {
        for start in (0..columns).step_by(COLUMNS) {
            let end = columns.min(start + COLUMNS);
            for (row, sums) in found.chunks_exact_mut(count).enumerate() {
                let a = &weight[(part * ROWS + row) * columns..][start..end];
                for (sum, x) in sums.iter_mut().zip(vectors) {
                    let mut dot = 0.0;
                    run_on(isa, isa.lanes(), Dot { a, b: &x[start..end], found: &mut dot });
                    *sum += dot;
                }
            }
        }
    });
    let of = |n: usize| {
        let sums = found.iter().skip(n).step_by(count).enumerate();
        sums.map(|(row, sum)| sum + bias.map_or(0.0, |bias| bias[row])).collect()
    };
    (0..count).map(of).collect()
}

/// [`times_transposed`] of many vectors, one after the other in the result; the matrix is read once.
///
/// # Panics
/// The lengths do not fit.
pub fn times_transposed_many(
    isa: Isa,
    crew: &Crew,
    weight: &[f32],
    vectors: &[&[f32]],
) -> Vec<Vec<f32>> {
    let Some(rows) = vectors.first().map(|x| x.len()) else { return Vec::new() };
    assert!(vectors.iter().all(|x| x.len() == rows) && weight.len().is_multiple_of(rows.max(1)));
    let (columns, count) = (weight.len() / rows.max(1), vectors.len());
    // `[part, vector, column]`; the last part is as long as the others.
    let parts = columns.div_ceil(COLUMNS);
    let mut found = vec![0.0; parts * count * COLUMNS];
    crew.run_on_parts(weight.len() * count, &mut found, count * COLUMNS, &|part, found| {
        let start = part * COLUMNS;
        let length = COLUMNS.min(columns - start);
        for row in 0..rows {
            let cells = &weight[row * columns + start..][..length];
            for (x, to) in vectors.iter().zip(found.chunks_exact_mut(COLUMNS)) {
                if x[row] != 0.0 {
                    let to = &mut to[..length];
                    run_on(isa, isa.lanes(), AddTimes { row: cells, factor: x[row], to });
                }
            }
        }
    });
    let of = |n: usize| {
        let parts = found.chunks_exact(count * COLUMNS);
        let row = parts.flat_map(|part| part[n * COLUMNS..][..COLUMNS].iter().copied());
        row.take(columns).collect()
    };
    (0..count).map(of).collect()
}
