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
    /// Row and column that the farthest tap reads for the first output pixel, in the halo.
    reach: [usize; 2],
    /// Cell of the kernel that each tap belongs to.
    cells: Vec<usize>,
    weights: Option<Packed>,
}

const TOO_NARROW: &str = "the halo of the input is too narrow";

/// Rows and columns of a map with its halo.
fn extent(map: &Map) -> [usize; 2] {
    [map.rows(), map.columns()].map(|size| size + 2 * map.halo())
}

/// A number among which sums and products of any sizes have room.
fn wide(size: usize) -> i128 {
    size as i128
}

/// One tap along an axis: the input pixel it reads for output pixel 0, and its kernel cell.
type AxisTap = (i128, usize);

impl Phase {
    pub(crate) fn forward(window: &Window, [input, output]: [&Map; 2]) -> Self {
        let axis = |a: usize| -> Vec<AxisTap> {
            let tap = |k: usize| (wide(k) * wide(window.dilation[a]) - wide(window.before[a]), k);
            (0..window.kernel[a]).map(tap).collect()
        };
        let place = ([0, 0], [1, 1], [output.rows(), output.columns()]);
        Self::of(window, place, window.stride, [&axis(0), &axis(1)], input)
    }

    /// The output pixels whose row and column leave `residue` when divided by the stride.
    pub(crate) fn transposed(
        window: &Window,
        residue: [usize; 2],
        [input, output]: [&Map; 2],
    ) -> Self {
        let sizes = [output.rows(), output.columns()];
        let count = |a: usize| sizes[a].saturating_sub(residue[a]).div_ceil(window.stride[a]);
        let axis = |a: usize| window.transposed_taps(a, residue[a]);
        let place = (residue, window.stride, [count(0), count(1)]);
        Self::of(window, place, [1, 1], [&axis(0), &axis(1)], input)
    }

    /// The phases of a transpose.
    ///
    /// # Panics
    /// The halo of the input is too narrow.
    pub(crate) fn residues<'a>(
        window: &'a Window,
        maps: [&'a Map; 2],
    ) -> impl Iterator<Item = Self> + 'a {
        let [rows, columns] = window.stride;
        let residues = (0..rows).flat_map(move |row| (0..columns).map(move |column| [row, column]));
        // Where the step is longer than the map, some residues have no pixels.
        let size = [maps[1].rows(), maps[1].columns()];
        let has_pixels = move |residue: &[usize; 2]| residue[0] < size[0] && residue[1] < size[1];
        residues.filter(has_pixels).map(move |residue| {
            let phase = Self::transposed(window, residue, maps);
            phase.check_reach(maps[0]);
            phase
        })
    }

    fn of(
        window: &Window,
        (first, step, [rows, columns]): ([usize; 2], [usize; 2], [usize; 2]),
        advance: [usize; 2],
        [down, across]: [&[AxisTap]; 2],
        input: &Map,
    ) -> Self {
        let (mut taps, mut cells, mut reach) = (Vec::new(), Vec::new(), [0; 2]);
        let place = |at: i128| usize::try_from(at + wide(input.halo())).expect(TOO_NARROW);
        for &(y, row) in down {
            for &(x, column) in across {
                let (y, x) = (place(y), place(x));
                assert!(y < extent(input)[0] && x < extent(input)[1], "{TOO_NARROW}");
                reach = [reach[0].max(y), reach[1].max(x)];
                taps.push(y * input.row() + x * input.lanes());
                cells.push(row * window.kernel[1] + column);
            }
        }
        Self { first, step, rows, columns, advance, taps, reach, cells, weights: None }
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

    /// The tap of a kernel cell.
    pub(crate) fn tap_of(&self, cell: usize) -> usize {
        self.cells.iter().position(|&c| c == cell).expect("every cell has a tap")
    }

    /// Panics where a tap of the last row or column would read beyond the halo.
    pub(crate) fn check_reach(&self, input: &Map) {
        let counts = [self.rows, self.columns];
        if counts.contains(&0) || self.taps.is_empty() {
            return;
        }
        let fits = |axis: usize| {
            let last = (counts[axis] - 1).checked_mul(self.advance[axis]);
            let last = last.and_then(|last| last.checked_add(self.reach[axis]));
            last.is_some_and(|last| last < extent(input)[axis])
        };
        assert!(fits(0) && fits(1), "{TOO_NARROW}");
    }
}

impl Window {
    /// Taps of the transpose for output pixels that leave `residue` when divided by the stride:
    /// `row + before - dilation * k` must be a multiple of the stride.
    fn transposed_taps(&self, axis: usize, residue: usize) -> Vec<AxisTap> {
        let stride = wide(self.stride[axis]);
        let tap = |k: usize| {
            let at = wide(residue) + wide(self.before[axis]) - wide(k) * wide(self.dilation[axis]);
            (at.rem_euclid(stride) == 0).then(|| (at.div_euclid(stride), k))
        };
        (0..self.kernel[axis]).filter_map(tap).collect()
    }

    /// The halo that the input of a convolution needs, for an output of `output` rows and columns.
    pub fn halo(&self, input: [usize; 2], output: [usize; 2]) -> usize {
        let axis = |a: usize| {
            let [steps, taps] = [output[a], self.kernel[a]].map(|count| count.saturating_sub(1));
            let [last, tap] =
                [steps.saturating_mul(self.stride[a]), self.dilation[a].saturating_mul(taps)];
            let end = last.saturating_add(tap).saturating_add(1);
            self.before[a].max(end.saturating_sub(input[a].saturating_add(self.before[a])))
        };
        axis(0).max(axis(1))
    }

    /// The halo that the input of the transpose needs, for an output of `output` rows and columns.
    pub fn transposed_halo(&self, input: [usize; 2], output: [usize; 2]) -> usize {
        let axis = |a: usize| {
            let mut halo = 0;
            for residue in 0..self.stride[a] {
                let count = output[a].saturating_sub(residue).div_ceil(self.stride[a]);
                for (at, _) in self.transposed_taps(a, residue).iter().filter(|_| count > 0) {
                    let end = at + wide(count);
                    halo = halo.max(-at).max(end - wide(input[a]));
                }
            }
            usize::try_from(halo).unwrap_or(usize::MAX)
        };
        axis(0).max(axis(1))
    }
}
