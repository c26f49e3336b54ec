//! 3x3 convolutions with stride 1 by way of fewer multiplications.
//!
//! A square of M x M results is computed from N x N inputs, N = M + 2, as
//! `A' [(G g G') * (B' d B)] A` with `*` element by element: N^2 multiplications in place of
//! 9 M^2 (A. Lavin, S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016,
//! section 4; the points are 0, 1, -1, infinity for M = 2, and 2, -2 besides for M = 4). Over many
//! channels the middle is N^2 products of matrices, which the tiles of direct convolution compute.
//!
//! Squares are taken in chunks whose transformed inputs and results stay in the cache. No result
//! depends on how they are cut.

use super::tile::{Tile, kernel};
use super::{Packed, pack::Group};
use crate::buffer::Buffer;
use crate::crew::Crew;
use crate::disjoint::DisjointSlice;
use crate::dispatch::{Kernel, run_on};
use crate::epilogue::{MapEpilogue, TileEpilogue};
use crate::isa::Isa;
use crate::map::Map;
use crate::simd::Simd;

/// Bytes of transformed inputs and results of one chunk: half of a small second-level cache.
const CHUNK_BYTES: usize = 256 << 10;
/// Bytes of a small matrix of weights.
const SMALL_BYTES: usize = 32 << 10;
/// A convolution with a kernel of 3 x 3, stride 1.
pub(super) struct Winograd {
    isa: Isa,
    /// Side of a square of results: 2 or 4.
    side: usize,
    before: [usize; 2],
    input: Map,
    output: Map,
    /// One matrix for each of the N^2 places.
    weights: Vec<Packed>,
    /// Squares along rows and columns.
    squares: [usize; 2],
    /// Most squares per chunk.
    chunk: usize,
}

/// A way to compute a convolution by squares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Squares {
    /// Side of a square of results: 2 or 4.
    pub side: usize,
    /// Instructions that it takes less than taps do, about.
    pub saved: f64,
    /// Bytes that its weights take more.
    pub extra_bytes: usize,
}

/// The squares by which a convolution is faster than by its taps.
pub(super) fn squares(isa: Isa, [input, output]: [&Map; 2]) -> Vec<Squares> {
    let lanes = isa.lanes();
    let blocked = input.lanes() == lanes && output.lanes() == lanes;
    if !blocked || input.channels() < 16 || output.channels() < 16 {
        return Vec::new();
    }
    let blocks = output.blocks() as f64;
    let products = input.channels() as f64 * blocks;
    let direct = (output.rows() * output.columns() * 9) as f64 * products;
    // Instructions per square and block of channels, on the way in and on the way out.
    let way = |side: usize, inwards: f64, outwards: f64| {
        let squares = (output.rows().div_ceil(side) * output.columns().div_ceil(side)) as f64;
        let places = (side + 2) * (side + 2);
        let transforms = input.blocks() as f64 * inwards + blocks * outwards;
        let cost = squares * (1.15 * places as f64 * products + transforms);
        let extra_bytes = 4 * (places - 9) * input.channels() * output.blocks() * lanes;
        Squares { side, saved: direct - cost, extra_bytes }
    };
    let ways = [way(2, 90.0, 80.0), way(4, 280.0, 250.0)];
    ways.into_iter().filter(|way| way.saved > 0.0).collect()
}

impl Winograd {
    /// The weight of cell `3 row + column` from an input to an output channel is
    /// `of(output, input, cell)`.
    pub(super) fn new(
        isa: Isa,
        side: usize,
        before: [usize; 2],
        of: impl Fn(usize, usize, usize) -> f32,
        [input, output]: [Map; 2],
    ) -> Self {
        let places = (side + 2) * (side + 2);
        let squares = [output.rows().div_ceil(side), output.columns().div_ceil(side)];
        let per_square = 4 * places * isa.lanes() * (input.blocks() + output.blocks());
        let chunk = (CHUNK_BYTES / per_square).max(4).min(squares[0] * squares[1]);
        let flat = |map: Map| map.line(chunk);
        let mut weights: Vec<Packed> =
            (0..places).map(|_| Packed::zeros(isa, [&flat(input), &flat(output)], chunk)).collect();
        let lanes = isa.lanes();
        for block in 0..output.blocks() {
            let outputs = block * lanes..output.channels().min((block + 1) * lanes);
            for i in 0..input.channels() {
                let mut kernel = [[0.0; WIDEST]; 9];
                for (cell, kernel) in kernel.iter_mut().enumerate() {
                    let cells = kernel.iter_mut().zip(outputs.clone());
                    cells.for_each(|(to, o)| *to = f64::from(of(o, i, cell)));
                }
                transform_weights(side, &kernel, |place, found| {
                    let row = weights[place].row_mut(block, i).iter_mut();
                    row.zip(found).for_each(|(to, v)| *to = *v as f32);
                });
            }
        }
        Self { isa, side, before, input, output, weights, squares, chunk }
    }

    pub(super) fn bytes(&self) -> usize {
        self.weights.iter().map(Packed::bytes).sum()
    }

    pub(super) fn run(
        &self,
        crew: &Crew,
        bias: &[f32],
        input: &[f32],
        output: &DisjointSlice<'_>,
        epilogue: &MapEpilogue<'_>,
    ) {
        assert!(bias.len() >= self.output.blocks() * self.isa.lanes(), "bias");
        let all = self.squares[0] * self.squares[1];
        let places = self.weights.len();
        let cost = all * places * self.input.channels() * self.output.channels();
        // No square depends on others, so threads may have as many as they like.
        let parts = if crew.is_worth(cost) { crew.threads() } else { 1 };
        let chunk = all.div_ceil(all.div_ceil(self.chunk).next_multiple_of(parts));
        crew.run_if_worth(cost, all.div_ceil(chunk), &|number| {
            let squares = number * chunk..all.min((number + 1) * chunk);
            let [inputs, results] =
                [&self.input, &self.output].map(|m| apart(m.blocks() * chunk * self.isa.lanes()));
            crew.with_scratch(places * (inputs + results), |scratch| {
                let (inputs, results) = scratch.split_at_mut(places * inputs);
                let part = Part { conv: self, chunk, squares, inputs, results };
                match self.side {
                    2 => part.run::<2, 4>([bias, input], output, epilogue),
                    _ => part.run::<4, 6>([bias, input], output, epilogue),
                }
            });
        });
    }
}

/// Room for so many elements, in lines of the cache, whose number is odd: the places of a square, one
/// for each, would else fall into the same few sets of the cache and drive each other out.
pub(crate) fn apart(elements: usize) -> usize {
    const LINE: usize = 16;
    (elements.div_ceil(LINE) | 1) * LINE
}

/// One chunk. Memory is `[place, block, square, lane]`.
struct Part<'a> {
    conv: &'a Winograd,
    /// Squares that there is room for.
    chunk: usize,
    squares: std::ops::Range<usize>,
    inputs: &'a mut [f32],
    results: &'a mut [f32],
}

impl Part<'_> {
    fn run<const M: usize, const N: usize>(
        mut self,
        [bias, input]: [&[f32]; 2],
        output: &DisjointSlice<'_>,
        epilogue: &MapEpilogue<'_>,
    ) {
        let lanes = self.conv.isa.lanes();
        run_on(self.conv.isa, lanes, InputTransform::<N> { part: &mut self, input, side: M });
        self.multiply();
        run_on(
            self.conv.isa,
            lanes,
            OutputTransform::<M, N> { part: &self, bias, output, epilogue },
        );
    }

    fn multiply(&mut self) {
        let conv = self.conv;
        let (lanes, count) = (conv.isa.lanes(), self.squares.len());
        let plane = self.chunk * lanes;
        let [from, to] = [&conv.input, &conv.output].map(|m| apart(m.blocks() * plane));
        let blocks: Vec<u32> = (0..conv.input.blocks() as u32).collect();
        let last = conv.input.blocks() - 1;
        let bias = Buffer::zeros(super::tile::MAX_BLOCKS * lanes);
        // The processor itself foresees what a long matrix needs next.
        let small = conv.weights[0].bytes() <= SMALL_BYTES;
        for (place, weights) in conv.weights.iter().enumerate() {
            let inputs = &self.inputs[place * from..][..from];
            let results = &mut self.results[place * to..][..to];
            for group in &weights.groups {
                let mut square = 0;
                for pixels in group.split(conv.isa, count) {
                    let at = group.first * plane + square * lanes;
                    let tile = Tile {
                        input: inputs[square * lanes..].as_ptr(),
                        plane,
                        step: lanes,
                        blocks: &blocks,
                        inner: lanes,
                        last: (last as u32, conv.input.channels() - last * lanes),
                        taps: &[0],
                        weights: weights.of(group).as_ptr(),
                        bias: bias.as_ptr(),
                        output: results[at..].as_mut_ptr(),
                        pixel: lanes,
                        out_plane: plane,
                        epilogue: TileEpilogue::NOTHING,
                    };
                    check_room(group, pixels, lanes, plane, results.len() - at);
                    // SAFETY: an `Isa` exists only where the processor has it; inputs hold every
                    // block and square of the chunk, and so do results, whose memory is this part's.
                    unsafe {
                        kernel(conv.isa, [pixels, group.blocks], lanes, small && square == 0)(&tile)
                    };
                    square += pixels;
                }
            }
        }
    }

    /// Row and column of the first result of a square.
    #[inline(always)]
    fn first_of(&self, square: usize, side: usize) -> [usize; 2] {
        let columns = self.conv.squares[1];
        [square / columns * side, square % columns * side]
    }
}

fn check_room(group: &Group, pixels: usize, lanes: usize, plane: usize, room: usize) {
    assert!((group.blocks - 1) * plane + pixels * lanes <= room, "beyond the chunk");
}

/// From the input to transformed inputs.
struct InputTransform<'p, 'a, const N: usize> {
    part: &'p mut Part<'a>,
    input: &'p [f32],
    side: usize,
}

impl<const N: usize> Kernel for InputTransform<'_, '_, N> {
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "columns of an array of rows")]
    unsafe fn run<S: Simd>(self) {
        let Self { part, input, side } = self;
        let conv = part.conv;
        let map = &conv.input;
        let (plane, halo) = (part.chunk * S::LANES, map.halo() as isize);
        let per_place = apart(map.blocks() * plane);
        assert!(part.inputs.len() >= N * N * per_place);
        let mut edge = [0.0f32; 6 * 6 * 16];
        for block in 0..map.blocks() {
            let from = &input[block * map.plane()..][..map.plane()];
            for (number, square) in part.squares.clone().enumerate() {
                let first = part.first_of(square, side);
                let [y, x] = [0, 1].map(|a| first[a] as isize - conv.before[a] as isize + halo);
                let rows = map.rows() + 2 * map.halo();
                let columns = map.columns() + 2 * map.halo();
                let (down, right) = (y as usize + N, x as usize + N);
                let inside = down <= rows && right <= columns;
                let start = y as usize * map.row() + x as usize * S::LANES;
                // SAFETY: a square inside the map and its halo is read where it is; others are
                // copied, as far as the map reaches. There is room for every place, block and square
                // of the chunk, as was asserted.
                unsafe {
                    let (source, row) = if inside {
                        (from[start..].as_ptr(), map.row())
                    } else {
                        edge.fill(0.0);
                        let width = (columns - x as usize).min(N) * S::LANES;
                        for line in 0..(rows - y as usize).min(N) {
                            let cells = &from[start + line * map.row()..][..width];
                            edge[line * N * S::LANES..][..width].copy_from_slice(cells);
                        }
                        (edge.as_ptr(), N * S::LANES)
                    };
                    let mut half = [[S::splat(0.0); N]; N];
                    for column in 0..N {
                        let cell = |i: usize| S::load(source.add(i * row + column * S::LANES));
                        let done = inwards::<S, N>(std::array::from_fn(cell));
                        for i in 0..N {
                            half[i][column] = done[i];
                        }
                    }
                    let to = part.inputs.as_mut_ptr().add(block * plane + number * S::LANES);
                    for (i, line) in half.into_iter().enumerate() {
                        for (j, value) in inwards::<S, N>(line).into_iter().enumerate() {
                            value.store(to.add((i * N + j) * per_place));
                        }
                    }
                }
            }
        }
    }
}

/// From transformed results to the output.
struct OutputTransform<'p, 'a, const M: usize, const N: usize> {
    part: &'p Part<'a>,
    bias: &'p [f32],
    output: &'p DisjointSlice<'p>,
    epilogue: &'p MapEpilogue<'p>,
}

impl<const M: usize, const N: usize> Kernel for OutputTransform<'_, '_, M, N> {
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "columns of an array of rows")]
    unsafe fn run<S: Simd>(self) {
        let Self { part, bias, output, epilogue } = self;
        let map = &part.conv.output;
        let plane = part.chunk * S::LANES;
        let per_place = apart(map.blocks() * plane);
        assert!(part.results.len() >= N * N * per_place);
        for block in 0..map.blocks() {
            let epilogue = epilogue.tile(block, [0, 0], 1);
            for (number, square) in part.squares.clone().enumerate() {
                let first = part.first_of(square, M);
                let from = part.results[block * plane + number * S::LANES..].as_ptr();
                let rows = (map.rows() - first[0]).min(M);
                let columns = (map.columns() - first[1]).min(M);
                // SAFETY: every place of the chunk is there; `part` checks where results go, and no
                // two squares have a pixel in common.
                unsafe {
                    let bias = S::load(bias[block * S::LANES..].as_ptr());
                    let mut half = [[S::splat(0.0); N]; M];
                    for column in 0..N {
                        let cell = |i: usize| S::load(from.add((i * N + column) * per_place));
                        let done = outwards::<S, M, N>(std::array::from_fn(cell));
                        for i in 0..M {
                            half[i][column] = done[i];
                        }
                    }
                    for (i, line) in half.into_iter().enumerate().take(rows) {
                        let at = [first[0] + i, first[1]];
                        let epilogue = epilogue.on(at);
                        let place = block * map.plane()
                            + map.origin()
                            + at[0] * map.row()
                            + at[1] * S::LANES;
                        let to = output.part(place, columns * S::LANES);
                        let done = outwards::<S, M, N>(line);
                        for (j, value) in done.into_iter().enumerate().take(columns) {
                            epilogue.apply(value.add(bias), j, 0).store(to.add(j * S::LANES));
                        }
                    }
                }
            }
        }
    }
}

/// `B' d` for a column of N inputs.
///
/// # Safety
/// As for [`Simd`].
#[inline(always)]
pub(crate) unsafe fn inwards<S: Simd, const N: usize>(d: [S; N]) -> [S; N] {
    // SAFETY: what the caller promises.
    unsafe {
        let times = |x: S, factor: f32, plus: S| x.times_plus(S::splat(factor), plus);
        let minus = |x: S, y: S| times(y, -1.0, x);
        let mut out = d;
        if N == 4 {
            out[0] = minus(d[0], d[2]);
            out[1] = d[1].add(d[2]);
            out[2] = minus(d[2], d[1]);
            out[3] = minus(d[1], d[3]);
        } else {
            let (four, near) = (times(d[2], -4.0, d[4]), times(d[1], -4.0, d[3]));
            let (two, far) = (minus(d[4], d[2]), minus(d[3], d[1]));
            out[0] = times(d[0], 4.0, times(d[2], -5.0, d[4]));
            out[1] = four.add(near);
            out[2] = minus(four, near);
            out[3] = times(far, 2.0, two);
            out[4] = times(far, -2.0, two);
            out[5] = times(d[1], 4.0, times(d[3], -5.0, d[5]));
        }
        out
    }
}

/// `A' m` for a column of N products.
///
/// # Safety
/// As for [`Simd`].
#[inline(always)]
unsafe fn outwards<S: Simd, const M: usize, const N: usize>(m: [S; N]) -> [S; M] {
    // SAFETY: what the caller promises.
    unsafe {
        let times = |x: S, factor: f32, plus: S| x.times_plus(S::splat(factor), plus);
        let minus = |x: S, y: S| times(y, -1.0, x);
        let (sum, difference) = (m[1].add(m[2]), minus(m[1], m[2]));
        let mut out = [sum; M];
        if M == 2 {
            out[0] = m[0].add(sum);
            out[1] = minus(difference, m[3]);
        } else {
            let (far, apart) = (m[3].add(m[4]), minus(m[3], m[4]));
            out[0] = m[0].add(sum).add(far);
            out[1] = times(apart, 2.0, difference);
            out[2] = times(far, 4.0, sum);
            out[3] = times(apart, 8.0, difference).add(m[5]);
        }
        out
    }
}

/// Most lanes of a register.
const WIDEST: usize = 16;

/// `G g G'` for kernels of 3 x 3, one for each lane; `write` gets every place.
fn transform_weights(
    side: usize,
    kernel: &[[f64; WIDEST]; 9],
    mut write: impl FnMut(usize, &[f64; WIDEST]),
) {
    const SMALL: [[f64; 3]; 4] =
        [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]];
    const LARGE: [[f64; 3]; 6] = [
        [1.0 / 4.0, 0.0, 0.0],
        [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
        [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
        [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
        [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
        [0.0, 0.0, 1.0],
    ];
    fn combined(factors: &[f64; 3], lines: [&[f64; WIDEST]; 3]) -> [f64; WIDEST] {
        std::array::from_fn(|lane| {
            let [a, b, c] = lines.map(|line| line[lane]);
            factors[0] * a + factors[1] * b + factors[2] * c
        })
    }
    let rows: &[[f64; 3]] = if side == 2 { &SMALL } else { &LARGE };
    for (i, down) in rows.iter().enumerate() {
        let half: [_; 3] = std::array::from_fn(|column| {
            combined(down, std::array::from_fn(|row| &kernel[row * 3 + column]))
        });
        for (j, across) in rows.iter().enumerate() {
            write(i * rows.len() + j, &combined(across, half.each_ref()));
        }
    }
}
