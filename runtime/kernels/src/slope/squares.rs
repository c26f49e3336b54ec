//! Slopes of 3 x 3 weights by way of fewer multiplications.
//!
//! The forward way computes squares of 4 x 4 results as `A' [(G g G') * (B' d B)] A`
//! ([`winograd`](crate::conv)). Its transpose by g gives the slope of a square's loss:
//! `G' [(B' d B) * (A h A')] G`. So transformed inputs and slopes are multiplied place by place, the
//! products of all squares and images are added up, and what is left is brought to 3 x 3 at the end:
//! 36 multiplications in place of 144.

use crate::conv::{Window, apart, inwards};
use crate::crew::Crew;
use crate::disjoint::DisjointSlice;
use crate::dispatch::{Kernel, run_on};
use crate::isa::Isa;
use crate::map::Map;
use crate::simd::Simd;

use super::{ConvSlope, Pair};

/// Side of a square, and of what it is computed from.
const SIDE: usize = 4;
const REACH: usize = SIDE + 2;
/// Places of a transformed square.
const PLACES: usize = REACH * REACH;
/// Bytes of transformed values that are made at a time.
const CHUNK_BYTES: usize = 384 << 10;

/// The slopes of the weights of a 3 x 3 convolution with stride 1.
pub(super) struct SquareSlope {
    isa: Isa,
    before: [usize; 2],
    input: Map,
    output: Map,
    /// Squares along rows and columns.
    squares: [usize; 2],
    /// Images of one chunk.
    images: usize,
}

impl SquareSlope {
    /// Where this is worth it: enough channels in whole registers, and squares that cover the output.
    pub(super) fn new(isa: Isa, window: &Window, [input, output]: [Map; 2]) -> Option<Self> {
        let lanes = isa.lanes();
        let blocked = [input, output].iter().all(|m| m.lanes() == lanes && m.channels() >= 16);
        let sizes = [output.rows(), output.columns()];
        let fits = sizes.iter().all(|size| size % SIDE == 0);
        if !(blocked && fits && window.is_plain_3x3()) {
            return None;
        }
        // Every square reads within the halo.
        let [down, across] = [0, 1].map(|a| sizes[a] + 2 - window.before[a]);
        let halo = input.halo();
        let reads = window.before.iter().all(|before| *before <= halo)
            && down <= input.rows() + halo
            && across <= input.columns() + halo;
        if !reads {
            return None;
        }
        let squares = sizes.map(|size| size / SIDE);
        let per_image = squares[0] * squares[1];
        let bytes = 4 * PLACES * per_image * lanes * (input.blocks() + output.blocks());
        let images = (CHUNK_BYTES / bytes).max(1);
        Some(Self { isa, before: window.before, input, output, squares, images })
    }

    fn per_image(&self) -> usize {
        self.squares[0] * self.squares[1]
    }

    /// The products of one place, as those of a 1 x 1 convolution over the squares of some images.
    fn products(&self, images: usize) -> ConvSlope {
        let window = Window { kernel: [1; 2], stride: [1; 2], dilation: [1; 2], before: [0; 2] };
        let maps = [self.input, self.output].map(|map| map.line(images * self.per_image()));
        ConvSlope::by_taps(self.isa, &window, maps)
    }

    pub(super) fn length(&self) -> usize {
        PLACES * self.products(1).length()
    }

    pub(super) fn add(&self, crew: &Crew, pairs: &[Pair<'_>], sums: &mut [f32]) {
        let lanes = self.isa.lanes();
        let per_place = sums.len() / PLACES;
        for pairs in pairs.chunks(self.images) {
            let squares = pairs.len() * self.per_image();
            let [inputs, slopes] =
                [&self.input, &self.output].map(|map| apart(map.blocks() * squares * lanes));
            crew.with_scratch(PLACES * (inputs + slopes), |scratch| {
                let (x, h) = scratch.split_at_mut(PLACES * inputs);
                let (to_x, to_h) = (&DisjointSlice::new(x), &DisjointSlice::new(h));
                let cost = PLACES * (inputs + slopes) * 8;
                crew.run_if_worth(cost, pairs.len(), &|image| {
                    let part = Part { slope: self, image, squares };
                    let (x, h) = pairs[image];
                    let into = Inwards { part: &part, from: x, to: to_x };
                    run_on(self.isa, lanes, into);
                    run_on(self.isa, lanes, Spread { part: &part, from: h, to: to_h });
                });
                let products = self.products(pairs.len());
                let (x, h) = (&*x, &*h);
                let sums = &DisjointSlice::new(sums);
                let cost = PLACES * squares * per_place / lanes;
                crew.run_if_worth(cost, PLACES, &|place| {
                    let [of_x, of_h] =
                        [&self.input, &self.output].map(|map| map.blocks() * squares * lanes);
                    let x = &x[place * inputs..][..of_x];
                    let h = &h[place * slopes..][..of_h];
                    let sums = sums.part(place * per_place, per_place);
                    // SAFETY: the part lies within the sums, which are borrowed exclusively, and
                    // every place comes once.
                    let sums = unsafe { std::slice::from_raw_parts_mut(sums, per_place) };
                    products.add(&Crew::single(), &[(x, h)], sums);
                });
            });
        }
    }

    /// Writes `[output channel, input channel, row, column]`.
    pub(super) fn read(&self, sums: &[f32], to: &mut [f32]) {
        /// The transpose of `G`, a row for each row of the kernel.
        const ROWS: [[f32; REACH]; 3] = [
            [1.0 / 4.0, -1.0 / 6.0, -1.0 / 6.0, 1.0 / 24.0, 1.0 / 24.0, 0.0],
            [0.0, -1.0 / 6.0, 1.0 / 6.0, 1.0 / 12.0, -1.0 / 12.0, 0.0],
            [0.0, -1.0 / 6.0, -1.0 / 6.0, 1.0 / 6.0, 1.0 / 6.0, 1.0],
        ];
        let products = self.products(1);
        let per_place = sums.len() / PLACES;
        let count = to.len() / 9;
        // `[place, weight]`, then by weight.
        let mut places = vec![0.0; PLACES * count];
        for (own, place) in sums.chunks_exact(per_place).zip(places.chunks_exact_mut(count)) {
            products.read(own, place);
        }
        let mut half = vec![0.0; 3 * REACH * count];
        for (row, factors) in ROWS.iter().enumerate() {
            for column in 0..REACH {
                let sum = &mut half[(row * REACH + column) * count..][..count];
                for (i, factor) in factors.iter().enumerate().filter(|(_, f)| **f != 0.0) {
                    let own = &places[(i * REACH + column) * count..][..count];
                    sum.iter_mut().zip(own).for_each(|(sum, v)| *sum += factor * v);
                }
            }
        }
        for row in 0..3 {
            for (column, factors) in ROWS.iter().enumerate() {
                for (weight, to) in to.chunks_exact_mut(9).enumerate() {
                    let of = |j: usize| factors[j] * half[(row * REACH + j) * count + weight];
                    to[row * 3 + column] = (0..REACH).map(of).sum();
                }
            }
        }
    }
}

/// One image's squares, among those of a chunk: `[place, block, square, lane]`.
struct Part<'a> {
    slope: &'a SquareSlope,
    image: usize,
    /// Squares of the chunk.
    squares: usize,
}

impl Part<'_> {
    /// Place of the first value of a block's square, and of the next value of the same square.
    fn place(&self, map: &Map, block: usize, square: usize) -> [usize; 2] {
        let lanes = self.slope.isa.lanes();
        let own = self.image * self.slope.per_image() + square;
        [(block * self.squares + own) * lanes, apart(map.blocks() * self.squares * lanes)]
    }

    /// Row and column of the first pixel of a square.
    fn first(&self, square: usize) -> [usize; 2] {
        let columns = self.slope.squares[1];
        [square / columns * SIDE, square % columns * SIDE]
    }
}

/// `B' d B` of every square.
struct Inwards<'a> {
    part: &'a Part<'a>,
    from: &'a [f32],
    to: &'a DisjointSlice<'a>,
}

impl Kernel for Inwards<'_> {
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "columns of an array of rows")]
    unsafe fn run<S: Simd>(self) {
        let Self { part, from, to } = self;
        let SquareSlope { input: map, before, .. } = part.slope;
        let corner = |a: usize| map.halo() - before[a];
        for block in 0..map.blocks() {
            for square in 0..part.slope.per_image() {
                let [y, x] = part.first(square);
                let start =
                    block * map.plane() + (y + corner(0)) * map.row() + (x + corner(1)) * S::LANES;
                let last = start + (REACH - 1) * map.row() + REACH * S::LANES;
                let cells = from[start..last].as_ptr();
                let [place, next] = part.place(map, block, square);
                // SAFETY: the square was cut out with a check; every place of it is this image's.
                unsafe {
                    let mut half = [[S::splat(0.0); REACH]; REACH];
                    for column in 0..REACH {
                        let cell = |i: usize| S::load(cells.add(i * map.row() + column * S::LANES));
                        let done = inwards::<S, REACH>(std::array::from_fn(cell));
                        for i in 0..REACH {
                            half[i][column] = done[i];
                        }
                    }
                    for (i, line) in half.into_iter().enumerate() {
                        for (j, value) in inwards::<S, REACH>(line).into_iter().enumerate() {
                            value.store(to.part(place + (i * REACH + j) * next, S::LANES));
                        }
                    }
                }
            }
        }
    }
}

/// `A h A'` of every square.
struct Spread<'a> {
    part: &'a Part<'a>,
    from: &'a [f32],
    to: &'a DisjointSlice<'a>,
}

impl Kernel for Spread<'_> {
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "columns of an array of rows")]
    unsafe fn run<S: Simd>(self) {
        let Self { part, from, to } = self;
        let map = &part.slope.output;
        for block in 0..map.blocks() {
            for square in 0..part.slope.per_image() {
                let [y, x] = part.first(square);
                let start = block * map.plane() + map.origin() + y * map.row() + x * S::LANES;
                let last = start + (SIDE - 1) * map.row() + SIDE * S::LANES;
                let cells = from[start..last].as_ptr();
                let [place, next] = part.place(map, block, square);
                // SAFETY: as above.
                unsafe {
                    let mut half = [[S::splat(0.0); SIDE]; REACH];
                    for column in 0..SIDE {
                        let cell = |i: usize| S::load(cells.add(i * map.row() + column * S::LANES));
                        let done = spread::<S>(std::array::from_fn(cell));
                        for i in 0..REACH {
                            half[i][column] = done[i];
                        }
                    }
                    for (i, line) in half.into_iter().enumerate() {
                        for (j, value) in spread::<S>(line).into_iter().enumerate() {
                            value.store(to.part(place + (i * REACH + j) * next, S::LANES));
                        }
                    }
                }
            }
        }
    }
}

/// `A h` for a column of four slopes.
///
/// # Safety
/// As for [`Simd`].
#[inline(always)]
unsafe fn spread<S: Simd>(h: [S; SIDE]) -> [S; REACH] {
    // SAFETY: what the caller promises.
    unsafe {
        let times = |x: S, factor: f32, plus: S| x.times_plus(S::splat(factor), plus);
        let minus = |x: S, y: S| times(y, -1.0, x);
        let (even, odd) = (h[0].add(h[2]), h[1].add(h[3]));
        let far = times(h[2], 4.0, h[0]);
        let apart = times(h[3], 4.0, h[1]).mul(S::splat(2.0));
        [h[0], even.add(odd), minus(even, odd), far.add(apart), minus(far, apart), h[3]]
    }
}
