//! Transposes to few channels: the gradient by an image.
//!
//! Lanes that hold channels of the output would be mostly empty, so they hold channels of the
//! input: every result is a scalar product over taps and channels, and the lanes are added up when
//! it is done. Some pixels are computed side by side, so that weights are loaded once for all.

use super::{Phase, Window};
use crate::buffer::Buffer;
use crate::crew::Crew;
use crate::disjoint::DisjointSlice;
use crate::dispatch::{Kernel, assert_lanes, run_on};
use crate::epilogue::MapEpilogue;
use crate::isa::Isa;
use crate::map::Map;
use crate::simd::Simd;
use crate::simd::portable::Lanes;

/// Most channels of a result.
pub(super) const MOST_CHANNELS: usize = 4;

/// The transpose of a convolution, to a planar map.
pub(super) struct Dots {
    isa: Isa,
    input: Map,
    output: Map,
    /// Each with its weights `[input block, tap, output channel, lane]`.
    phases: Vec<(Phase, Buffer)>,
}

impl Dots {
    /// The weight of a kernel cell from an input to an output channel is `of(output, input, cell)`.
    pub(super) fn new(
        isa: Isa,
        window: &Window,
        of: impl Fn(usize, usize, usize) -> f32,
        [input, output]: [Map; 2],
    ) -> Self {
        let few = (1..=MOST_CHANNELS).contains(&output.channels()) && output.lanes() == 1;
        assert!(few, "{} channels are too many for a planar result", output.channels());
        assert_lanes(isa, input.lanes());
        let phases = Phase::residues(window, [&input, &output]).map(|phase| {
            let (taps, lanes) = (phase.taps.len(), input.lanes());
            let mut weights = Buffer::zeros(input.blocks() * taps * output.channels() * lanes);
            for (place, weight) in weights.iter_mut().enumerate() {
                let (rest, lane) = (place / lanes, place % lanes);
                let (rest, o) = (rest / output.channels(), rest % output.channels());
                let i = rest / taps * lanes + lane;
                if i < input.channels() {
                    *weight = of(o, i, phase.kernel_cell(rest % taps));
                }
            }
            (phase, weights)
        });
        let phases = phases.collect();
        Self { isa, input, output, phases }
    }

    pub(super) fn bytes(&self) -> usize {
        self.phases.iter().map(|(_, weights)| 4 * weights.len()).sum()
    }

    pub(super) fn run(
        &self,
        crew: &Crew,
        input: &[f32],
        output: &DisjointSlice<'_>,
        epilogue: &MapEpilogue<'_>,
    ) {
        let lines = self.phases.iter().enumerate();
        let lines: Vec<(usize, usize)> =
            lines.flat_map(|(at, (phase, _))| (0..phase.rows).map(move |row| (at, row))).collect();
        let cost = self.phases.iter().map(|(p, weights)| p.rows * p.columns * weights.len()).sum();
        crew.run_if_worth(cost, lines.len(), &|number| {
            let (phase, row) = lines[number];
            let line = Line { dots: self, phase, row, input, output, epilogue };
            run_on(self.isa, self.input.lanes(), line);
        });
    }
}

/// One row of a phase.
struct Line<'a> {
    dots: &'a Dots,
    phase: usize,
    row: usize,
    input: &'a [f32],
    output: &'a DisjointSlice<'a>,
    epilogue: &'a MapEpilogue<'a>,
}

impl Kernel for Line<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: what the caller promises. As many sums as leave registers for weights.
        unsafe {
            match (self.dots.output.channels(), S::LANES) {
                (1, _) => self.columns::<S, 1, 8>(),
                (2, _) => self.columns::<S, 2, 4>(),
                (3, _) => self.columns::<S, 3, 4>(),
                (_, 16) => self.columns::<S, 4, 4>(),
                _ => self.columns::<S, 4, 2>(),
            }
        }
    }
}

impl Line<'_> {
    /// # Safety
    /// As for [`Simd`].
    #[inline(always)]
    unsafe fn columns<S: Simd, const CHANNELS: usize, const PIXELS: usize>(&self) {
        let columns = self.dots.phases[self.phase].0.columns;
        // SAFETY: what the caller promises.
        unsafe {
            if columns < PIXELS {
                return (0..columns).for_each(|column| self.pixels::<S, CHANNELS, 1>(column));
            }
            for column in (0..columns).step_by(PIXELS) {
                // The last ones once more, rather than fewer at a time: sums do not depend on it.
                self.pixels::<S, CHANNELS, PIXELS>(column.min(columns - PIXELS));
            }
        }
    }

    /// # Safety
    /// As for [`Simd`]; the phase has these columns.
    #[inline(always)]
    unsafe fn pixels<S: Simd, const CHANNELS: usize, const PIXELS: usize>(&self, column: usize) {
        let Self { dots, row, input, output, epilogue, .. } = *self;
        let (phase, weights) = &dots.phases[self.phase];
        let (from, to) = (&dots.input, &dots.output);
        let mut sums = [[0.0; PIXELS]; CHANNELS];
        // SAFETY: what the caller promises; the phase has checked that its taps stay within the
        // input, and there are weights for every block and tap.
        unsafe {
            let mut found = [[S::splat(0.0); CHANNELS]; PIXELS];
            let mut weights = weights.as_ptr();
            for block in 0..from.blocks() {
                let place = block * from.plane() + row * from.row() + column * S::LANES;
                // Without taps, there may be no such pixel.
                let pixel = input.as_ptr().wrapping_add(place);
                for &tap in &phase.taps {
                    let factors: [S; CHANNELS] =
                        std::array::from_fn(|c| S::load(weights.add(c * S::LANES)));
                    weights = weights.add(CHANNELS * S::LANES);
                    for (p, found) in found.iter_mut().enumerate() {
                        let x = S::load(pixel.add(tap + p * S::LANES));
                        for (sum, factor) in found.iter_mut().zip(factors) {
                            *sum = x.times_plus(factor, *sum);
                        }
                    }
                }
            }
            for (c, sums) in sums.iter_mut().enumerate() {
                for (p, sum) in sums.iter_mut().enumerate() {
                    *sum = found[p][c].sum();
                }
            }
        }
        let first = phase.first[0] + row * phase.step[0];
        let start = to.origin() + first * to.row() + phase.first[1] + column * phase.step[1];
        for (c, sums) in sums.iter().enumerate() {
            let at = [first, phase.first[1] + column * phase.step[1]];
            let tile = (!epilogue.is_nothing()).then(|| epilogue.tile(c, at, phase.step[1]));
            for (p, &sum) in sums.iter().enumerate() {
                let cell = output.part(start + c * to.plane() + p * phase.step[1], 1);
                // SAFETY: single floats need no special instructions; the result has this pixel,
                // which no other line has.
                unsafe {
                    let value = Lanes::<1>::splat(sum);
                    tile.map_or(value, |tile| tile.apply(value, p, 0)).store(cell);
                }
            }
        }
    }
}
