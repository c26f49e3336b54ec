//! Pooling over windows, and the way back.

use crate::crew::Crew;
use crate::disjoint::DisjointSlice;
use crate::dispatch::{Kernel, run_on};
use crate::epilogue::{Epilogue, MapEpilogue, Operand};
use crate::isa::Isa;
use crate::map::Map;
use crate::simd::Simd;

/// What becomes of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// Its largest element; cells outside the map never win.
    Max,
    /// The sum of its elements over the number of its cells, inside the map or not.
    Average,
}

const TOO_LARGE: &str = "a pooling window is too large";

/// Words that hold one bit for each cell of a window and lane.
pub(crate) fn words(kernel: [usize; 2]) -> usize {
    kernel[0].checked_mul(kernel[1]).expect(TOO_LARGE).div_ceil(2)
}

/// A pooling window over a map.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    /// What becomes of a window.
    pub pooling: Pooling,
    /// Rows and columns of a window.
    pub kernel: [usize; 2],
    /// Distance of windows along rows and columns.
    pub stride: [usize; 2],
    /// Cells above and left of the map that the first windows begin at.
    pub before: [usize; 2],
    /// The map that is pooled.
    pub input: Map,
    /// The pooled map.
    pub output: Map,
}

impl Pool {
    /// Cells of window `at` along an axis that lie in the map.
    #[inline(always)]
    pub(crate) fn cells(&self, axis: usize, at: usize) -> [usize; 2] {
        let size = [self.input.rows(), self.input.columns()][axis];
        let first = at.saturating_mul(self.stride[axis]);
        let end =
            first.saturating_add(self.kernel[axis]).saturating_sub(self.before[axis]).min(size);
        [first.saturating_sub(self.before[axis]).min(end), end]
    }

    /// What a cell counts in an average.
    fn share(&self) -> f32 {
        1.0 / (self.kernel[0] as f32 * self.kernel[1] as f32)
    }

    fn check(&self) {
        assert_eq!(self.input.lanes(), self.output.lanes(), "lanes that differ");
        assert_eq!(self.input.channels(), self.output.channels(), "channels that differ");
    }

    /// The map of what [`run`](Self::run) remembers of a maximum: one bit for every cell of every
    /// window, as floats that hold the lanes of two cells each.
    ///
    /// # Panics
    /// No memory can hold so many.
    pub fn winners_map(output: &Map, kernel: [usize; 2]) -> Map {
        let columns = output.columns().checked_mul(words(kernel)).expect(TOO_LARGE);
        output.mask().with_columns(columns)
    }

    /// Computes `output` from `input`, and clears its halo. With `winners`, bits are kept there for
    /// the cell of each window that is its largest, the first among equals; an average leaves them
    /// as they are.
    ///
    /// # Panics
    /// A length differs from that of its map, the maps do not fit, their lanes are neither 1 nor
    /// those of the instructions, or an operand of the epilogue is of another size.
    pub fn run(
        &self,
        isa: Isa,
        crew: &Crew,
        input: &[f32],
        output: &mut [f32],
        winners: Option<&mut [f32]>,
        epilogue: Epilogue<'_>,
    ) {
        self.check();
        assert_eq!(input.len(), self.input.elements(), "input");
        assert_eq!(output.len(), self.output.elements(), "output");
        let epilogue = &epilogue.of(&self.output);
        let winners = winners.filter(|_| self.pooling == Pooling::Max).map(|winners| {
            let map = Self::winners_map(&self.output, self.kernel);
            assert_eq!(winners.len(), map.elements(), "winners");
            DisjointSlice::new(winners)
        });
        let (cost, plane) = (self.input.elements(), self.output.plane());
        crew.run_on_parts(cost, output, plane, &|block, output| {
            let input = &input[block * self.input.plane()..][..self.input.plane()];
            let winners = winners.as_ref();
            let kernel = Forward { pool: self, block, input, output, winners, epilogue };
            run_on(isa, self.output.lanes(), kernel);
        });
        self.output.clear_halo(output);
    }

    /// The way back: brings `gradient`, a map like the output, to the cells it comes from.
    ///
    /// For a maximum that is the cell that `winners` of [`run`](Self::run) name; for an average it
    /// is every cell.
    ///
    /// # Panics
    /// As [`run`](Self::run), or a maximum comes without winners.
    pub fn run_back(
        &self,
        isa: Isa,
        crew: &Crew,
        gradient: Operand<'_>,
        winners: Option<&[f32]>,
        to: (&mut [f32], &Map),
        epilogue: Epilogue<'_>,
    ) {
        self.check();
        assert!(gradient.map.matches(&self.output) && to.1.matches(&self.input), "another size");
        assert_eq!(gradient.values.len(), gradient.map.elements(), "gradient");
        assert_eq!(to.0.len(), to.1.elements(), "output");
        let epilogue = &epilogue.of(to.1);
        let winners = winners.filter(|_| self.pooling == Pooling::Max);
        if self.pooling == Pooling::Max {
            let winners = winners.expect("a maximum is traced by its winners");
            let map = Self::winners_map(&self.output, self.kernel);
            assert_eq!(winners.len(), map.elements(), "winners");
        }
        let (output, map) = to;
        output.fill(0.0);
        crew.run_on_parts(map.elements(), output, map.plane(), &|block, output| {
            let kernel = Backward { pool: self, block, gradient, winners, output, map, epilogue };
            run_on(isa, map.lanes(), kernel);
        });
        map.clear_halo(output);
    }
}

struct Forward<'a> {
    pool: &'a Pool,
    block: usize,
    input: &'a [f32],
    /// The plane of the block.
    output: &'a mut [f32],
    winners: Option<&'a DisjointSlice<'a>>,
    epilogue: &'a MapEpilogue<'a>,
}

impl Kernel for Forward<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { pool, block, input, output, winners, epilogue } = self;
        let (from, to) = (&pool.input, &pool.output);
        let share = pool.share();
        let is_max = pool.pooling == Pooling::Max;
        let start = if is_max { f32::NEG_INFINITY } else { 0.0 };
        for row in 0..to.rows() {
            let epilogue = epilogue.tile(block, [row, 0], 1);
            let line = &mut output[to.origin() + row * to.row()..];
            let line = line[..to.columns() * to.lanes()].as_mut_ptr();
            let words = winners.map_or(0, |_| words(pool.kernel));
            let place = (block * to.rows() + row) * to.columns() * words;
            let winners = winners.map(|w| w.part(place, to.columns() * words).cast::<u32>());
            let [top, bottom] = pool.cells(0, row);
            for column in 0..to.columns() {
                let [left, right] = pool.cells(1, column);
                // SAFETY: cells lie in the map, whose block `input` is, and are no more than the
                // window has; the rows of the output and of the winners were checked, and are those
                // of this thread's block.
                unsafe {
                    let mut value = S::splat(start);
                    for y in top..bottom {
                        let cells = input.as_ptr().add(from.origin() + y * from.row());
                        for x in left..right {
                            let cell = S::load(cells.add(x * S::LANES));
                            value = if is_max { S::at_least(value, cell) } else { value.add(cell) };
                        }
                    }
                    if !is_max {
                        value = value.mul(S::splat(share));
                    }
                    if let Some(winners) = winners {
                        let mut to = winners.add(column * words);
                        let end = to.add(words);
                        let (mut waiting, mut word, mut shift) = (!0, 0, 0);
                        for y in top..bottom {
                            let cells = input.as_ptr().add(from.origin() + y * from.row());
                            for x in left..right {
                                let bits = value.equals(S::load(cells.add(x * S::LANES))) & waiting;
                                waiting &= !bits;
                                word |= bits << shift;
                                if shift > 0 {
                                    to.write(word);
                                    (to, word) = (to.add(1), 0);
                                }
                                shift ^= 16;
                            }
                        }
                        if to < end {
                            to.write(word);
                        }
                    }
                    epilogue.apply(value, column, 0).store(line.add(column * S::LANES));
                }
            }
        }
    }
}

struct Backward<'a> {
    pool: &'a Pool,
    block: usize,
    gradient: Operand<'a>,
    winners: Option<&'a [f32]>,
    /// The plane of the block.
    output: &'a mut [f32],
    map: &'a Map,
    epilogue: &'a MapEpilogue<'a>,
}

impl Kernel for Backward<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { pool, block, gradient, winners, output, map, epilogue } = self;
        let share = pool.share();
        let place = |map: &Map, row: usize| block * map.plane() + map.origin() + row * map.row();
        let span = (map.rows() - 1) * map.row() + map.columns() * map.lanes();
        let to = output[map.origin()..][..span].as_mut_ptr();
        for row in 0..gradient.map.rows() {
            let line = |of: &Operand<'_>| {
                of.values[place(&of.map, row)..][..of.map.columns() * S::LANES].as_ptr()
            };
            let values = line(&gradient);
            let words = winners.map_or(0, |_| words(pool.kernel));
            let per_row = gradient.map.columns() * words;
            let start = (block * gradient.map.rows() + row) * per_row;
            let winners = winners.map(|w| w[start..][..per_row].as_ptr().cast::<u32>());
            let [top, bottom] = pool.cells(0, row);
            for column in 0..gradient.map.columns() {
                let [left, right] = pool.cells(1, column);
                // SAFETY: cells lie in the map, which is as large as that of the pool, and are no
                // more than the window has; all rows were cut out with a check, and the block is
                // this thread's.
                unsafe {
                    let value = S::load(values.add(column * S::LANES));
                    let value = if winners.is_none() { value.mul(S::splat(share)) } else { value };
                    for y in top..bottom {
                        for x in left..right {
                            let cell = to.add(y * map.row() + x * S::LANES);
                            let number = (y - top) * (right - left) + x - left;
                            let part = winners.map_or(value, |winners| {
                                let word = winners.add(column * words + number / 2).read();
                                value.only(word >> (16 * (number % 2)))
                            });
                            S::load(cell).add(part).store(cell);
                        }
                    }
                }
            }
        }
        for row in 0..map.rows() {
            let epilogue = epilogue.tile(block, [row, 0], 1);
            for column in 0..map.columns() {
                // SAFETY: as above; the map has this pixel.
                unsafe {
                    let cell = to.add(row * map.row() + column * S::LANES);
                    epilogue.apply(S::load(cell), column, 0).store(cell);
                }
            }
        }
    }
}
