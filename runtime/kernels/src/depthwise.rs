//! Convolutions of every channel with a kernel of its own, and their transposes.

use std::mem::MaybeUninit;

use crate::buffer::Buffer;
use crate::conv::{Phase, Window};
use crate::crew::Crew;
use crate::dispatch::{Kernel, assert_lanes, run_on};
use crate::epilogue::{Epilogue, MapEpilogue, TileEpilogue};
use crate::isa::Isa;
use crate::map::Map;
use crate::simd::Simd;

/// Pixels that are summed at a time.
const PIXELS: usize = 8;

/// A convolution with one kernel per channel, or the transpose of one.
pub struct Depthwise {
    isa: Isa,
    input: Map,
    output: Map,
    /// `[block, tap, lane]` for each phase.
    phases: Vec<(Phase, Buffer)>,
    /// `[block, lane]`
    bias: Buffer,
}

impl Depthwise {
    /// A convolution; `weight` is `[channel, row, column]`.
    ///
    /// # Panics
    /// The lengths do not fit, the maps differ in channels or lanes, the lanes are neither 1 nor
    /// those of the instructions, or the input's halo is smaller than [`Window::halo`] says.
    pub fn new(
        isa: Isa,
        window: &Window,
        weight: &[f32],
        bias: Option<&[f32]>,
        [input, output]: [Map; 2],
    ) -> Self {
        let phases = vec![Phase::forward(window, [&input, &output])];
        Self::packed(isa, window, weight, bias, [input, output], phases)
    }

    /// The transpose: from a map like the convolution's output to one like its input.
    ///
    /// # Panics
    /// As [`Depthwise::new`], with [`Window::transposed_halo`].
    pub fn transposed(
        isa: Isa,
        window: &Window,
        weight: &[f32],
        [input, output]: [Map; 2],
    ) -> Self {
        let phases = Phase::residues(window, [&input, &output]).collect();
        Self::packed(isa, window, weight, None, [input, output], phases)
    }

    fn packed(
        isa: Isa,
        window: &Window,
        weight: &[f32],
        bias: Option<&[f32]>,
        [input, output]: [Map; 2],
        phases: Vec<Phase>,
    ) -> Self {
        let (channels, lanes) = (output.channels(), output.lanes());
        let cells = window.kernel[0] * window.kernel[1];
        assert_eq!((input.channels(), input.lanes()), (channels, lanes), "maps that do not fit");
        assert_lanes(isa, lanes);
        assert_eq!(weight.len(), channels * cells, "weights");
        let pack = |phase: Phase| {
            phase.check_reach(&input);
            let taps = phase.taps.len();
            let mut packed = Buffer::zeros(output.blocks() * taps * lanes);
            for channel in 0..channels {
                for tap in 0..taps {
                    packed[(channel / lanes * taps + tap) * lanes + channel % lanes] =
                        weight[channel * cells + phase.kernel_cell(tap)];
                }
            }
            (phase, packed)
        };
        let phases = phases.into_iter().map(pack).collect();
        let mut padded = Buffer::zeros(output.blocks() * lanes);
        if let Some(bias) = bias {
            padded[..channels].copy_from_slice(bias);
        }
        Self { isa, input, output, phases, bias: padded }
    }

    /// Computes `output` from `input`, and clears its halo.
    ///
    /// # Panics
    /// A length differs from that of its map, or an operand of the epilogue is of another size.
    pub fn run(&self, crew: &Crew, input: &[f32], output: &mut [f32], epilogue: Epilogue<'_>) {
        assert_eq!(input.len(), self.input.elements(), "input");
        assert_eq!(output.len(), self.output.elements(), "output");
        let epilogue = &epilogue.of(&self.output);
        let taps: usize = self.phases.iter().map(|(phase, _)| phase.taps.len()).sum();
        let (cost, plane) = (self.output.elements().saturating_mul(taps), self.output.plane());
        crew.run_on_parts(cost, output, plane, &|block, output| {
            let part = Part { conv: self, block, input, epilogue, output };
            run_on(self.isa, self.output.lanes(), part);
        });
        self.output.clear_halo(output);
    }
}

/// One block of channels.
struct Part<'a> {
    conv: &'a Depthwise,
    block: usize,
    input: &'a [f32],
    epilogue: &'a MapEpilogue<'a>,
    /// The plane of the block.
    output: &'a mut [f32],
}

impl Kernel for Part<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(mut self) {
        let phases = &self.conv.phases;
        let rows = phases.iter().map(|(phase, _)| phase.rows).max().unwrap_or(0);
        // Rows of all phases side by side, while what they read is in the cache.
        for row in 0..rows {
            for (phase, weights) in phases.iter().filter(|(phase, _)| row < phase.rows) {
                // SAFETY: what the caller promises.
                unsafe { self.row::<S>(phase, weights, row) };
            }
        }
    }
}

impl Part<'_> {
    /// # Safety
    /// As for [`Simd`].
    #[inline(always)]
    unsafe fn row<S: Simd>(&mut self, phase: &Phase, weights: &[f32], row: usize) {
        let (map, out) = (&self.conv.input, &self.conv.output);
        let [down, across] = phase.advance;
        let input = &self.input[self.block * map.plane()..][..map.plane()];
        let weights = &weights[self.block * phase.taps.len() * S::LANES..];
        let step = across * map.lanes();
        let out_row = phase.first[0] + row * phase.step[0];
        let mut column = 0;
        while column < phase.columns {
            let pixels = PIXELS.min(phase.columns - column);
            let at = [out_row, phase.first[1] + column * phase.step[1]];
            let place = out.origin() + at[0] * out.row() + at[1] * out.lanes();
            let pixel = phase.step[1] * out.lanes();
            let strip = Strip {
                input: input[row * down * map.row() + column * step..].as_ptr(),
                step,
                taps: &phase.taps,
                weights: weights.as_ptr(),
                bias: self.conv.bias[self.block * S::LANES..].as_ptr(),
                output: self.output[place..][..(pixels - 1) * pixel + S::LANES].as_mut_ptr(),
                pixel,
                epilogue: self.epilogue.tile(self.block, at, phase.step[1]),
            };
            // SAFETY: what the caller promises; the phase has checked that its taps stay within the
            // input, and the output is cut out of this thread's block with a check.
            unsafe {
                match pixels {
                    1 => strip.sum::<S, 1>(),
                    2 => strip.sum::<S, 2>(),
                    3 => strip.sum::<S, 3>(),
                    4 => strip.sum::<S, 4>(),
                    5 => strip.sum::<S, 5>(),
                    6 => strip.sum::<S, 6>(),
                    7 => strip.sum::<S, 7>(),
                    _ => strip.sum::<S, PIXELS>(),
                }
            }
            column += pixels;
        }
    }
}

/// Some pixels of a row.
struct Strip<'a> {
    input: *const f32,
    step: usize,
    taps: &'a [usize],
    weights: *const f32,
    bias: *const f32,
    output: *mut f32,
    pixel: usize,
    epilogue: TileEpilogue,
}

impl Strip<'_> {
    /// # Safety
    /// As for [`Simd`]; the strip reaches as far as its maps, and its output is this thread's.
    #[inline(always)]
    unsafe fn sum<S: Simd, const PIXELS: usize>(&self) {
        // SAFETY: what the caller promises.
        unsafe {
            let mut sums = [S::load(self.bias); PIXELS];
            for (number, &tap) in self.taps.iter().enumerate() {
                let weight = S::load(self.weights.add(number * S::LANES));
                for (p, sum) in sums.iter_mut().enumerate() {
                    *sum = S::load(self.input.add(tap + p * self.step)).times_plus(weight, *sum);
                }
            }
            // By way of memory, as in the tiles of a convolution.
            let mut room = MaybeUninit::<[S; PIXELS]>::uninit();
            let room = room.as_mut_ptr().cast::<f32>();
            for (p, sum) in sums.iter().enumerate() {
                sum.store(room.add(p * S::LANES));
            }
            for p in 0..PIXELS {
                let sum = S::load(room.add(p * S::LANES));
                self.epilogue.apply(sum, p, 0).store(self.output.add(p * self.pixel));
            }
        }
    }
}
