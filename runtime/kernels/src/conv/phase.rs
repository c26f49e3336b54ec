//! One convolution with stride 1 in its input or output: where it reads and writes.

use super::{Packed, Window};
use crate::map::Map;

/// Output pixels that have the same taps.
pub(crate) struct Phase {
    /// Row and column of the first output pixel.
    pub(crate) first: [usize; 2],
    /// Distance of output pixels.
    pub(crate) step: [usize; 2],
    /// Rows and columns of output pixels.
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// Input pixels from one output pixel to the next.
    pub(crate) advance: [usize; 2],
    /// Where each tap reads for the first output pixel, as a place in a block of the input.
    pub(crate) taps: Vec<usize>,
    /// Cell of the kernel that each tap belongs to.
    cells: Vec<usize>,
    weights: Option<Packed>,
}

/// One tap along an axis: the input pixel it reads for output pixel 0, and its kernel cell.
type AxisTap = (isize, usize);

impl Phase {
    pub(crate) fn forward(window: &Window, [input, output]: [&Map; 2]) -> Self {
        let axis = |a: usize| -> Vec<AxisTap> {
            let tap = |k: usize| ((k * window.dilation[a]) as isize - window.before[a] as isize, k);
            (0..window.kernel[a]).map(tap).collect()
        };
        let place = ([0, 0], [1, 1], [output.rows, output.columns]);
        Self::of(window, place, window.stride, [&axis(0), &axis(1)], input)
    }

    /// The output pixels whose row and column leave `residue` when divided by the stride.
    pub(crate) fn transposed(
        window: &Window,
        residue: [usize; 2],
        [input, output]: [&Map; 2],
    ) -> Self {
        let sizes = [output.rows, output.columns];
        let count = |a: usize| sizes[a].saturating_sub(residue[a]).div_ceil(window.stride[a]);
        let axis = |a: usize| window.transposed_taps(a, residue[a]);
        let place = (residue, window.stride, [count(0), count(1)]);
        Self::of(window, place, [1, 1], [&axis(0), &axis(1)], input)
    }

    /// Blocks of `block` x `block` output pixels; and for each tap and pixel of the block the cell
    /// of the kernel between them.
    pub(crate) fn interleaved(
        window: &Window,
        block: usize,
        [input, output]: [&Map; 2],
    ) -> (Self, Vec<Option<usize>>) {
        let reached = |a: usize| {
            let mut taps: Vec<isize> = (0..block)
                .flat_map(|r| window.transposed_taps(a, r).into_iter().map(|(at, _)| at))
                .collect();
            taps.sort_unstable();
            taps.dedup();
            taps.into_iter().enumerate().map(|(k, at)| (at, k)).collect::<Vec<AxisTap>>()
        };
        let (rows, columns) = (reached(0), reached(1));
        let cell = |a: usize, residue: usize, at: isize| {
            window.transposed_taps(a, residue).into_iter().find(|tap| tap.0 == at).map(|tap| tap.1)
        };
        let mut cells = Vec::with_capacity(rows.len() * columns.len() * block * block);
        for (row, _) in &rows {
            for (column, _) in &columns {
                for (i, j) in (0..block).flat_map(|i| (0..block).map(move |j| (i, j))) {
                    let pair = (cell(0, i, *row), cell(1, j, *column));
                    cells.push(match pair {
                        (Some(row), Some(column)) => Some(row * window.kernel[1] + column),
                        _ => None,
                    });
                }
            }
        }
        let advance = [0, 1].map(|a| block / window.stride[a]);
        let counts = [output.rows.div_ceil(block), output.columns.div_ceil(block)];
        let place = ([0, 0], [block, block], counts);
        (Self::of(window, place, advance, [&rows, &columns], input), cells)
    }

    fn of(
        window: &Window,
        (first, step, [rows, columns]): ([usize; 2], [usize; 2], [usize; 2]),
        advance: [usize; 2],
        [down, across]: [&[AxisTap]; 2],
        input: &Map,
    ) -> Self {
        let (mut taps, mut cells) = (Vec::new(), Vec::new());
        let halo = input.halo as isize;
        for &(y, row) in down {
            for &(x, column) in across {
                let place = usize::try_from(y + halo).ok().zip(usize::try_from(x + halo).ok());
                let (y, x) = place.expect("the halo of the input is too narrow");
                taps.push(y * input.row() + x * input.lanes);
                cells.push(row * window.kernel[1] + column);
            }
        }
        Self { first, step, rows, columns, advance, taps, cells, weights: None }
    }

    pub(crate) fn with_weights(self, weights: Packed) -> Self {
        Self { weights: Some(weights), ..self }
    }

    pub(crate) fn weights(&self) -> &Packed {
        self.weights.as_ref().expect("a phase is packed before it is used")
    }

    /// Pixels that tiles are cut from: a row, or all where there is one tap only.
    pub(crate) fn line(&self) -> usize {
        if self.taps.len() == 1 { self.rows * self.columns } else { self.columns }
    }

    pub(crate) fn kernel_cell(&self, tap: usize) -> usize {
        self.cells[tap]
    }

    /// Panics where a tap of the last pixel would read beyond its block.
    pub(crate) fn check_reach(&self, input: &Map) {
        if self.rows == 0 || self.columns == 0 {
            return;
        }
        let [down, across] = self.advance;
        let last = (self.rows - 1) * down * input.row() + (self.columns - 1) * across * input.lanes;
        let farthest = self.taps.iter().max().map_or(0, |tap| tap + last + input.lanes);
        assert!(farthest <= input.plane(), "the halo of the input is too narrow");
    }
}

/// Side of the block of pixels with the fewest multiplications: more pixels fill the lanes better,
/// and have more taps that not all of them need.
pub(crate) fn best_block(window: &Window, channels: usize, lanes: usize) -> usize {
    let least = window.stride[0].max(window.stride[1]);
    let fits = |block: &usize| window.stride.iter().all(|s| block.is_multiple_of(*s));
    let cost = |block: &usize| {
        let taps = |a: usize| {
            let reach = window.dilation[a] * (window.kernel[a] - 1) + block;
            reach.div_ceil(window.stride[a])
        };
        let registers = (channels * block * block).div_ceil(lanes);
        (registers * taps(0) * taps(1)) as f64 / (block * block) as f64
    };
    let blocks = (least..=4.max(least)).filter(fits);
    let best = blocks.min_by(|a, b| cost(a).total_cmp(&cost(b)));
    best.unwrap_or(window.stride[0] * window.stride[1])
}

impl Window {
    /// Taps of the transpose for output pixels that leave `residue` when divided by the stride:
    /// `row + before - dilation * k` must be a multiple of the stride.
    fn transposed_taps(&self, axis: usize, residue: usize) -> Vec<AxisTap> {
        let stride = self.stride[axis] as isize;
        let tap = |k: usize| {
            let at = (residue + self.before[axis]) as isize - (k * self.dilation[axis]) as isize;
            (at.rem_euclid(stride) == 0).then(|| (at.div_euclid(stride), k))
        };
        (0..self.kernel[axis]).filter_map(tap).collect()
    }

    /// The halo that the input of a convolution needs, for an output of `output` rows and columns.
    pub fn halo(&self, input: [usize; 2], output: [usize; 2]) -> usize {
        let axis = |a: usize| {
            let reach = (output[a] - 1) * self.stride[a] + self.dilation[a] * (self.kernel[a] - 1);
            self.before[a].max((reach + 1).saturating_sub(input[a] + self.before[a]))
        };
        axis(0).max(axis(1))
    }

    /// The halo that the input of the transpose needs, for an output of `output` rows and columns
    /// with this many channels.
    pub fn transposed_halo(
        &self,
        input: [usize; 2],
        output: [usize; 2],
        [channels, lanes]: [usize; 2],
    ) -> usize {
        let block = (lanes > 0).then(|| best_block(self, channels, lanes));
        let axis = |a: usize| {
            let step = block.unwrap_or(self.stride[a]);
            let advance = step / self.stride[a];
            let mut halo = 0;
            for residue in 0..step {
                let count = match block {
                    Some(block) => output[a].div_ceil(block),
                    None => output[a].saturating_sub(residue).div_ceil(step),
                };
                for (at, _) in self.transposed_taps(a, residue).iter().filter(|_| count > 0) {
                    let last = at + ((count - 1) * advance) as isize;
                    halo = halo.max(-at).max(last + 1 - input[a] as isize);
                }
            }
            halo.max(0) as usize
        };
        axis(0).max(axis(1))
    }
}
