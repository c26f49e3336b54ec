//! Slopes of the weights of convolutions.

use crate::conv::{Phase, Window};
use crate::crew::Crew;
use crate::disjoint::DisjointSlice;
use crate::dispatch::{Kernel, assert_lanes, run_on};
use crate::isa::Isa;
use crate::map::Map;
use crate::simd::Simd;

use super::Pair;
use super::squares::SquareSlope;

/// Taps that are summed together, at most.
const MOST_TAPS: usize = 3;

/// The slopes of the weights of a convolution of one geometry.
pub struct ConvSlope {
    /// A faster way, where there is one.
    squares: Option<SquareSlope>,
    isa: Isa,
    input: Map,
    output: Map,
    phase: Phase,
    units: Vec<Unit>,
    length: usize,
}

/// Sums that are kept in registers together: `[channel, tap, output block, lane]`.
#[derive(Clone, Copy)]
struct Unit {
    /// First block of the output, and how many.
    first: usize,
    blocks: usize,
    /// First channel of the input, and how many; those behind the last one count as well.
    channel: usize,
    channels: usize,
    /// First tap, and how many.
    tap: usize,
    taps: usize,
    /// Where its sums begin.
    start: usize,
}

impl ConvSlope {
    /// For a convolution from a map like `input` to one like `output`.
    ///
    /// # Panics
    /// The output has other lanes than the instructions or the input others than these and 1, or the
    /// input's halo is smaller than [`Window::halo`] says.
    pub fn new(isa: Isa, window: &Window, maps: [Map; 2]) -> Self {
        let taps = Self::by_taps(isa, window, maps);
        match SquareSlope::new(isa, window, maps) {
            Some(squares) => Self { length: squares.length(), squares: Some(squares), ..taps },
            None => taps,
        }
    }

    /// Without the faster way.
    pub(super) fn by_taps(isa: Isa, window: &Window, [input, output]: [Map; 2]) -> Self {
        let phase = Phase::forward(window, [&input, &output]);
        phase.check_reach(&input);
        assert_eq!(output.lanes(), isa.lanes(), "slopes by the output need full lanes");
        assert_lanes(isa, input.lanes());
        let mut units = Vec::new();
        let mut start = 0;
        // Taps of one row of the kernel, as they read pixels side by side.
        let across = window.kernel[1];
        for (first, blocks) in parts(output.blocks(), widest(isa)) {
            for (row, (column, taps)) in (0..window.kernel[0])
                .flat_map(|row| parts(across, MOST_TAPS).map(move |part| (row, part)))
            {
                for (channel, channels) in channels(isa, &input, blocks * taps) {
                    let tap = row * across + column;
                    units.push(Unit { first, blocks, channel, channels, tap, taps, start });
                    start += blocks * channels * taps * isa.lanes();
                }
            }
        }
        Self { squares: None, isa, input, output, phase, units, length: start }
    }

    /// Elements of the sums.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Adds the slopes of some images to `sums`.
    ///
    /// # Panics
    /// The sums have another length than [`length`](Self::length), or a value another one than its
    /// map.
    pub fn add(&self, crew: &Crew, pairs: &[Pair<'_>], sums: &mut [f32]) {
        assert_eq!(sums.len(), self.length, "sums");
        for (x, h) in pairs {
            assert_eq!((x.len(), h.len()), (self.input.elements(), self.output.elements()));
        }
        if let Some(squares) = &self.squares {
            return squares.add(crew, pairs, sums);
        }
        let pixels = self.output.rows() * self.output.columns();
        let cost = pairs.len() * pixels * (self.length / self.isa.lanes());
        let pieces = if crew.is_worth(cost) { 4 * crew.threads() } else { 1 };
        let pieces = pieces.min(self.units.len());
        let sums = &DisjointSlice::new(sums);
        crew.run_if_worth(cost, pieces, &|piece| {
            let cut = |at: usize| at * self.units.len() / pieces;
            // All units of one image, while it is in the cache.
            for pair in pairs {
                for unit in &self.units[cut(piece)..cut(piece + 1)] {
                    let length = unit.blocks * unit.channels * unit.taps * self.isa.lanes();
                    let sums = sums.part(unit.start, length);
                    run_on(self.isa, self.isa.lanes(), Sum { slope: self, unit, pair, sums });
                }
            }
        });
    }

    /// Writes the slopes in the order of weights, `[output channel, input channel, row, column]`.
    ///
    /// # Panics
    /// A length does not fit.
    pub fn read(&self, sums: &[f32], to: &mut [f32]) {
        assert_eq!(sums.len(), self.length, "sums");
        let (lanes, taps) = (self.isa.lanes(), self.phase.taps.len());
        let [inputs, outputs] = [&self.input, &self.output].map(Map::channels);
        assert_eq!(to.len(), inputs * outputs * taps, "weights");
        if let Some(squares) = &self.squares {
            return squares.read(sums, to);
        }
        for unit in &self.units {
            let wide = unit.blocks * lanes;
            let rows = sums[unit.start..].chunks_exact(wide).take(unit.channels * unit.taps);
            for (number, row) in rows.enumerate() {
                let (i, tap) = (unit.channel + number / unit.taps, unit.tap + number % unit.taps);
                if i >= inputs {
                    continue;
                }
                let cell = self.phase.kernel_cell(tap);
                for (o, value) in (unit.first * lanes..outputs).zip(row) {
                    to[(o * inputs + i) * taps + cell] = *value;
                }
            }
        }
    }
}

/// Most blocks of outputs at a time.
fn widest(isa: Isa) -> usize {
    if isa.sums() > 24 { 4 } else { 2 }
}

/// `(first, how many)` of parts of 1, 2 or as many as there may be, the wide ones first.
fn parts(count: usize, most: usize) -> impl Iterator<Item = (usize, usize)> + Clone {
    let mut first = 0;
    std::iter::from_fn(move || {
        let left = count - first;
        let wide = if left >= most { most } else { left.min(2) };
        first += wide;
        (wide > 0).then_some((first - wide, wide))
    })
}

/// Channels of the input, in parts for which there are registers.
fn channels(isa: Isa, input: &Map, sums: usize) -> impl Iterator<Item = (usize, usize)> {
    let room = (isa.sums() / sums).max(1);
    let power = 1 << room.ilog2().min(3);
    let wide = if input.lanes() == 1 { 1 } else { power };
    (0..input.blocks() * input.lanes()).step_by(wide).map(move |first| (first, wide))
}

/// One image's part of a unit.
struct Sum<'a> {
    slope: &'a ConvSlope,
    unit: &'a Unit,
    pair: &'a Pair<'a>,
    sums: *mut f32,
}

impl Kernel for Sum<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Unit { blocks, channels, taps, .. } = *self.unit;
        // SAFETY: what the caller promises.
        unsafe {
            match (taps, blocks, channels) {
                (3, 4, 2) => self.pixels::<S, 3, 4, 2>(),
                (3, 2, 4) => self.pixels::<S, 3, 2, 4>(),
                (3, 1, 8) => self.pixels::<S, 3, 1, 8>(),
                (3, 2, 2) => self.pixels::<S, 3, 2, 2>(),
                (3, 1, 4) => self.pixels::<S, 3, 1, 4>(),
                (2, 2, 4) => self.pixels::<S, 2, 2, 4>(),
                (2, 2, 2) => self.pixels::<S, 2, 2, 2>(),
                (1, 4, 4) => self.pixels::<S, 1, 4, 4>(),
                (1, 2, 8) => self.pixels::<S, 1, 2, 8>(),
                (1, 2, 4) => self.pixels::<S, 1, 2, 4>(),
                (1, 1, 8) => self.pixels::<S, 1, 1, 8>(),
                (3, 4, 1) => self.pixels::<S, 3, 4, 1>(),
                (3, 2, 1) => self.pixels::<S, 3, 2, 1>(),
                (3, 1, 1) => self.pixels::<S, 3, 1, 1>(),
                _ => self.one_by_one::<S>(),
            }
        }
    }
}

impl Sum<'_> {
    /// Units of sizes that are rare: one sum at a time.
    ///
    /// # Safety
    /// As for [`pixels`](Self::pixels).
    #[inline(always)]
    unsafe fn one_by_one<S: Simd>(&self) {
        let Unit { blocks, channels, taps, .. } = *self.unit;
        for number in 0..channels * taps * blocks {
            let (rest, block) = (number / blocks, number % blocks);
            let (channel, tap) = (rest / taps, rest % taps);
            let unit = Unit {
                first: self.unit.first + block,
                blocks: 1,
                channel: self.unit.channel + channel,
                channels: 1,
                tap: self.unit.tap + tap,
                taps: 1,
                start: 0,
            };
            let sums = self.sums.wrapping_add(number * S::LANES);
            // SAFETY: what the caller promises; the sum is one of this unit's.
            unsafe { Sum { unit: &unit, sums, ..*self }.pixels::<S, 1, 1, 1>() };
        }
    }

    /// # Safety
    /// The processor has the instructions of `S`; there are so many taps, blocks and channels, and
    /// the sums are this thread's.
    #[inline(always)]
    unsafe fn pixels<S: Simd, const TAPS: usize, const BLOCKS: usize, const CHANNELS: usize>(
        &self,
    ) {
        let ConvSlope { input, output, phase, .. } = self.slope;
        let Unit { first, channel, tap, .. } = *self.unit;
        let (x, h) = *self.pair;
        let (lanes, plane) = (input.lanes(), output.plane());
        let [down, across] = phase.advance;
        let step = across * lanes;
        let taps: [usize; TAPS] = std::array::from_fn(|t| phase.taps[tap + t]);
        let x = x.as_ptr().wrapping_add(channel / lanes * input.plane() + channel % lanes);
        let h = h.as_ptr().wrapping_add(first * plane + output.origin());
        // SAFETY: the phase has checked that its taps stay within the input, whose blocks hold the
        // channels of a unit, and the output has its pixels and blocks; the rest is what the caller
        // promises.
        unsafe {
            let place = |c: usize, t: usize, b: usize| {
                self.sums.add(((c * TAPS + t) * BLOCKS + b) * S::LANES)
            };
            let mut sums: [[[S; BLOCKS]; TAPS]; CHANNELS] = std::array::from_fn(|c| {
                std::array::from_fn(|t| std::array::from_fn(|b| S::load(place(c, t, b))))
            });
            for row in 0..output.rows() {
                let mut x = x.add(row * down * input.row());
                let mut h = h.add(row * output.row());
                for _ in 0..output.columns() {
                    let slopes: [S; BLOCKS] = std::array::from_fn(|b| S::load(h.add(b * plane)));
                    for t in 0..TAPS {
                        let x = x.add(taps[t]);
                        for (c, sums) in sums.iter_mut().enumerate() {
                            let x = S::splat(*x.add(c));
                            for (sum, slope) in sums[t].iter_mut().zip(slopes) {
                                *sum = x.times_plus(slope, *sum);
                            }
                        }
                    }
                    x = x.add(step);
                    h = h.add(S::LANES);
                }
            }
            for (c, sums) in sums.iter().enumerate() {
                for (t, sums) in sums.iter().enumerate() {
                    for (b, sum) in sums.iter().enumerate() {
                        sum.store(place(c, t, b));
                    }
                }
            }
        }
    }
}
