//! Runs a kernel with the instructions that were chosen.

use crate::isa::{InstructionSet, Isa};
#[cfg(target_arch = "aarch64")]
use crate::simd::neon::Pair;
use crate::simd::{Simd, portable::Lanes};
#[cfg(target_arch = "x86_64")]
use crate::simd::{avx2::Ymm, avx512::Zmm};

/// A computation over vector registers of any kind.
pub(crate) trait Kernel {
    /// Must be `#[inline(always)]`, or it is compiled without the instructions of `S`.
    ///
    /// # Safety
    /// The processor has the instructions of `S`.
    unsafe fn run<S: Simd>(self);
}

/// Runs a kernel on single floats, or on as many lanes as the instructions have: `S::LANES` of the
/// kernel is `lanes`.
///
/// # Panics
/// The lanes are neither 1 nor those of the instructions.
pub(crate) fn run_on(isa: Isa, lanes: usize, kernel: impl Kernel) {
    if lanes == 1 {
        // SAFETY: single floats need no special instructions.
        return unsafe { kernel.run::<Lanes<1>>() };
    }
    assert_lanes(isa, lanes);
    match isa.set() {
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 => {
            #[target_feature(enable = "avx512f")]
            unsafe fn with(kernel: impl Kernel) {
                // SAFETY: the processor has what this function is compiled for.
                unsafe { kernel.run::<Zmm>() }
            }
            // SAFETY: an `Isa` exists only where the processor has it.
            unsafe { with(kernel) }
        }
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => {
            #[target_feature(enable = "avx2,fma")]
            unsafe fn with(kernel: impl Kernel) {
                // SAFETY: the processor has what this function is compiled for.
                unsafe { kernel.run::<Ymm>() }
            }
            // SAFETY: an `Isa` exists only where the processor has it.
            unsafe { with(kernel) }
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: NEON is part of aarch64.
        InstructionSet::Neon => unsafe { kernel.run::<Pair>() },
        // SAFETY: arrays need no special instructions.
        InstructionSet::Portable => unsafe { kernel.run::<Lanes<8>>() },
    }
}

/// Panics where a map has other lanes than 1 and those of the instructions: a kernel would read and
/// write whole registers all the same.
pub(crate) fn assert_lanes(isa: Isa, lanes: usize) {
    let own = isa.lanes();
    assert!(lanes == 1 || lanes == own, "a map has {lanes} lanes, and {isa} takes 1 or {own}");
}
