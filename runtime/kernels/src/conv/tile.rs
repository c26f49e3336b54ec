//! The innermost loops: some pixels by some blocks of channels, with all sums in registers.

use std::mem::MaybeUninit;

use crate::epilogue::TileEpilogue;
use crate::isa::{InstructionSet, Isa};
#[cfg(target_arch = "aarch64")]
use crate::simd::neon::Pair;
use crate::simd::{Simd, portable::Lanes};
#[cfg(target_arch = "x86_64")]
use crate::simd::{avx2::Ymm, avx512::Zmm};

/// What a tile works on.
pub(crate) struct Tile<'a> {
    /// First pixel of the tile, in the first block of the input, for a tap at 0.
    pub(crate) input: *const f32,
    /// Elements from one block of the input to the next.
    pub(crate) plane: usize,
    /// Elements from the input of one pixel to that of the next; read where the step is no constant.
    pub(crate) step: usize,
    /// Blocks of the input that count.
    pub(crate) blocks: &'a [u32],
    /// Channels of every block but the last of all.
    pub(crate) inner: usize,
    /// The last block of all, and its channels.
    pub(crate) last: (u32, usize),
    /// Where each tap reads.
    pub(crate) taps: &'a [usize],
    /// `[input block, tap, channel, output block, lane]`.
    pub(crate) weights: *const f32,
    /// `[output block, lane]`.
    pub(crate) bias: *const f32,
    pub(crate) output: *mut f32,
    /// Elements from one pixel of the output to the next.
    pub(crate) pixel: usize,
    /// Elements from one block of the output to the next.
    pub(crate) out_plane: usize,
    pub(crate) epilogue: TileEpilogue,
}

/// # Safety
/// The processor has the instructions that it was compiled for, which those of the [`Isa`] it was
/// found for are; all places that the tile names are good, and those of the output are this
/// thread's.
pub(crate) type TileKernel = unsafe fn(&Tile<'_>);

/// How far ahead the first tile asks for weights, which the processor does not have at hand then.
const AHEAD: usize = 2048;
/// Most blocks of output channels in a tile.
pub(crate) const MAX_BLOCKS: usize = 4;
/// Most pixels in a tile.
pub(crate) const MAX_PIXELS: usize = 14;

/// Pixels of the largest tile with this many blocks.
pub(crate) fn most_pixels(isa: Isa, blocks: usize) -> usize {
    (isa.sums() / blocks).min(MAX_PIXELS)
}

/// Every sum begins with the bias and runs over blocks, taps and channels in this order whatever
/// the size of the tile, so the partition of a map into tiles does not change a bit.
///
/// # Safety
/// As for [`TileKernel`], with the instructions of `S`.
#[inline(always)]
unsafe fn tile<
    S: Simd,
    const PIXELS: usize,
    const BLOCKS: usize,
    const STEP: usize,
    const FIRST: bool,
>(
    t: &Tile<'_>,
) {
    let step = if STEP == 0 { t.step } else { STEP };
    // SAFETY: what the caller promises.
    unsafe {
        let bias: [S; BLOCKS] = std::array::from_fn(|b| S::load(t.bias.add(b * S::LANES)));
        let mut sums = [bias; PIXELS];
        let per_block = t.taps.len() * t.inner * BLOCKS * S::LANES;
        for &block in t.blocks {
            let input = t.input.add(block as usize * t.plane);
            let mut weights = t.weights.add(block as usize * per_block);
            let channels = if block == t.last.0 { t.last.1 } else { t.inner };
            for &tap in t.taps {
                let input = input.add(tap);
                for channel in 0..channels {
                    let factors: [S; BLOCKS] =
                        std::array::from_fn(|b| S::load(weights.add(b * S::LANES)));
                    if FIRST {
                        for b in 0..BLOCKS {
                            S::expect(weights.wrapping_add(AHEAD + b * S::LANES));
                        }
                    }
                    weights = weights.add(BLOCKS * S::LANES);
                    for (p, sums) in sums.iter_mut().enumerate() {
                        let x = S::splat(*input.add(p * step + channel));
                        for (sum, factor) in sums.iter_mut().zip(factors) {
                            *sum = x.times_plus(factor, *sum);
                        }
                    }
                }
            }
        }
        // By way of memory: a loop over what is in registers would have to be unrolled, and is not
        // where its body is long, which would keep the sums in memory all the time.
        let mut room = MaybeUninit::<[[S; BLOCKS]; PIXELS]>::uninit();
        let room = room.as_mut_ptr().cast::<f32>();
        for (p, sums) in sums.iter().enumerate() {
            for (b, sum) in sums.iter().enumerate() {
                sum.store(room.add((p * BLOCKS + b) * S::LANES));
            }
        }
        for p in 0..PIXELS {
            for b in 0..BLOCKS {
                let sum = S::load(room.add((p * BLOCKS + b) * S::LANES));
                let value = t.epilogue.apply(sum, p, b);
                value.store(t.output.add(p * t.pixel + b * t.out_plane));
            }
        }
    }
}

/// The kernel of a tile. `step` is the distance of two pixels in the input; the `first` tile of some
/// has to wait for its weights.
pub(crate) fn kernel(
    isa: Isa,
    [pixels, blocks]: [usize; 2],
    step: usize,
    first: bool,
) -> TileKernel {
    match isa.set() {
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 => avx512(pixels, blocks, step, first),
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => avx2(pixels, blocks, step, first),
        #[cfg(target_arch = "aarch64")]
        InstructionSet::Neon => neon(pixels, blocks, step, first),
        InstructionSet::Portable => portable(pixels, blocks, step, first),
    }
}

/// A function that finds the compiled kernel: one for each number of pixels and blocks that fits
/// the registers, and for each common step.
macro_rules! kernels {
    ($find:ident, $register:ty, $lanes:literal, $(#[$feature:meta])? {
        $($blocks:literal: $($pixels:literal)*;)*
    }) => {
        fn $find(pixels: usize, blocks: usize, step: usize, first: bool) -> TileKernel {
            $(#[$feature])?
            unsafe fn with<
                const PIXELS: usize,
                const BLOCKS: usize,
                const STEP: usize,
                const FIRST: bool,
            >(
                t: &Tile<'_>,
            ) {
                // SAFETY: what the caller promises.
                unsafe { tile::<$register, PIXELS, BLOCKS, STEP, FIRST>(t) }
            }
            const DENSE: usize = $lanes;
            const EVERY_OTHER: usize = 2 * $lanes;
            match (blocks, pixels) {
                $($(($blocks, $pixels) => match step {
                    DENSE if first => with::<$pixels, $blocks, DENSE, true>,
                    DENSE => with::<$pixels, $blocks, DENSE, false>,
                    EVERY_OTHER => with::<$pixels, $blocks, EVERY_OTHER, false>,
                    1 => with::<$pixels, $blocks, 1, false>,
                    2 => with::<$pixels, $blocks, 2, false>,
                    _ => with::<$pixels, $blocks, 0, false>,
                },)*)*
                _ => unreachable!("no tile of {pixels} pixels and {blocks} blocks"),
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
kernels!(avx512, Zmm, 16, #[target_feature(enable = "avx512f")] {
    1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14;
    2: 1 2 3 4 5 6 7 8 9 10 11 12 13 14;
    3: 1 2 3 4 5 6 7 8 9;
    4: 1 2 3 4 5 6 7;
});
#[cfg(target_arch = "x86_64")]
kernels!(avx2, Ymm, 8, #[target_feature(enable = "avx2,fma")] {
    1: 1 2 3 4 5 6 7 8 9 10 11 12;
    2: 1 2 3 4 5 6;
    3: 1 2 3 4;
    4: 1 2 3;
});
#[cfg(target_arch = "aarch64")]
kernels!(neon, Pair, 8, {
    1: 1 2 3 4 5 6 7 8 9 10 11 12;
    2: 1 2 3 4 5 6;
    3: 1 2 3 4;
    4: 1 2 3;
});
kernels!(portable, Lanes<8>, 8, {
    1: 1 2 3 4 5 6 7 8 9 10 11 12;
    2: 1 2 3 4 5 6;
    3: 1 2 3 4;
    4: 1 2 3;
});
