//! Slopes of the weights of convolutions of every channel with a kernel of its own.

use crate::buffer::Buffer;
use crate::conv::{Phase, Window};
use crate::crew::Crew;
use crate::dispatch::{Kernel, assert_lanes, run_on};
use crate::isa::Isa;
use crate::map::Map;
use crate::simd::Simd;

use super::Pair;

/// Taps that are summed together.
const TAPS: usize = 8;

/// The slopes of the weights of a convolution with one kernel per channel.
pub struct DepthwiseSlope {
    isa: Isa,
    input: Map,
    output: Map,
    phase: Phase,
}

impl DepthwiseSlope {
    /// For a convolution from a map like `input` to one like `output`.
    ///
    /// # Panics
    /// The maps differ in channels or lanes, the lanes are neither 1 nor those of the instructions,
    /// or the input's halo is smaller than [`Window::halo`] says.
    pub fn new(isa: Isa, window: &Window, [input, output]: [Map; 2]) -> Self {
        let [of_input, of_output] = [&input, &output].map(|m| (m.channels(), m.lanes()));
        assert_eq!(of_input, of_output, "maps that do not fit");
        assert_lanes(isa, output.lanes());
        let phase = Phase::forward(window, [&input, &output]);
        phase.check_reach(&input);
        Self { isa, input, output, phase }
    }

    /// Elements of the sums.
    pub fn length(&self) -> usize {
        self.output.blocks() * self.phase.taps.len() * self.output.lanes()
    }

    /// Adds the slopes of some images to `sums`.
    ///
    /// # Panics
    /// The sums have another length than [`length`](Self::length), or a value another one than its
    /// map.
    pub fn add(&self, crew: &Crew, pairs: &[Pair<'_>], sums: &mut [f32]) {
        assert_eq!(sums.len(), self.length(), "sums");
        for (x, h) in pairs {
            assert_eq!((x.len(), h.len()), (self.input.elements(), self.output.elements()));
        }
        let per_block = self.phase.taps.len() * self.output.lanes();
        let cost = pairs.len() * self.output.elements() * self.phase.taps.len();
        crew.run_on_parts(cost, sums, per_block, &|block, sums| {
            for pair in pairs {
                run_on(self.isa, self.output.lanes(), Sum { slope: self, block, pair, sums });
            }
        });
    }

    /// Writes the slopes in the order of weights, `[channel, row, column]`.
    ///
    /// # Panics
    /// A length does not fit.
    pub fn read(&self, sums: &[f32], to: &mut [f32]) {
        assert_eq!(sums.len(), self.length(), "sums");
        let (taps, lanes) = (self.phase.taps.len(), self.output.lanes());
        assert_eq!(to.len(), self.output.channels() * taps, "weights");
        for (channel, to) in to.chunks_exact_mut(taps).enumerate() {
            for tap in 0..taps {
                to[self.phase.kernel_cell(tap)] =
                    sums[(channel / lanes * taps + tap) * lanes + channel % lanes];
            }
        }
    }
}

/// One image's part of a block.
struct Sum<'a> {
    slope: &'a DepthwiseSlope,
    block: usize,
    pair: &'a Pair<'a>,
    /// `[tap, lane]`
    sums: &'a mut [f32],
}

impl Kernel for Sum<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { slope, block, pair, sums } = self;
        let DepthwiseSlope { input, output, phase, .. } = slope;
        let (x, h) = *pair;
        let x = x[block * input.plane()..][..input.plane()].as_ptr();
        let h = h[block * output.plane()..][..output.plane()].as_ptr();
        let [down, across] = phase.advance;
        for (taps, sums) in phase.taps.chunks(TAPS).zip(sums.chunks_mut(TAPS * S::LANES)) {
            // Room for whole groups of taps: the last one may repeat its last tap.
            let mut room = Buffer::zeros(TAPS * S::LANES);
            room[..sums.len()].copy_from_slice(sums);
            let taps: [usize; TAPS] = std::array::from_fn(|t| taps[t.min(taps.len() - 1)]);
            // SAFETY: the phase has checked that its taps stay within the input, of which this is a
            // block, and the output has its pixels.
            unsafe {
                let mut found: [S; TAPS] =
                    std::array::from_fn(|t| S::load(room.as_ptr().add(t * S::LANES)));
                for row in 0..output.rows() {
                    let mut x = x.add(row * down * input.row());
                    let mut h = h.add(output.origin() + row * output.row());
                    for _ in 0..output.columns() {
                        let slope = S::load(h);
                        for t in 0..TAPS {
                            found[t] = S::load(x.add(taps[t])).times_plus(slope, found[t]);
                        }
                        x = x.add(across * S::LANES);
                        h = h.add(S::LANES);
                    }
                }
                for (t, sum) in found.iter().enumerate() {
                    sum.store(room.as_mut_ptr().add(t * S::LANES));
                }
            }
            let length = sums.len();
            sums.copy_from_slice(&room[..length]);
        }
    }
}
