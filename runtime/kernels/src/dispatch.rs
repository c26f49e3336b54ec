//! Runs a kernel with the instructions that were chosen.

use crate::isa::Isa;
#[cfg(target_arch = "aarch64")]
use crate::simd::neon::Pair;
use crate::simd::{Simd, portable::Lanes};
#[cfg(target_arch = "x86_64")]
use crate::simd::{avx2::Ymm, avx512::Zmm};

/// A computation over vector registers of any kind.
///
/// # Safety
/// `run` needs a processor with the instructions of `S`. It must be `#[inline(always)]`, or it is
/// compiled without them.
pub(crate) trait Kernel {
    unsafe fn run<S: Simd>(self);
}

/// Runs a kernel on single floats, or on as many lanes as the instructions have.
pub(crate) fn run_on(isa: Isa, lanes: usize, kernel: impl Kernel) {
    if lanes == 1 {
        // SAFETY: single floats need no special instructions.
        return unsafe { kernel.run::<Lanes<1>>() };
    }
    debug_assert_eq!(lanes, isa.lanes());
    assert!(isa.is_available(), "this processor has no {isa}");
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => {
            #[target_feature(enable = "avx512f")]
            unsafe fn with(kernel: impl Kernel) {
                // SAFETY: the caller has checked the processor.
                unsafe { kernel.run::<Zmm>() }
            }
            // SAFETY: checked above.
            unsafe { with(kernel) }
        }
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => {
            #[target_feature(enable = "avx2,fma")]
            unsafe fn with(kernel: impl Kernel) {
                // SAFETY: the caller has checked the processor.
                unsafe { kernel.run::<Ymm>() }
            }
            // SAFETY: checked above.
            unsafe { with(kernel) }
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: NEON is part of aarch64.
        Isa::Neon => unsafe { kernel.run::<Pair>() },
        // SAFETY: arrays need no special instructions.
        _ => unsafe { kernel.run::<Lanes<8>>() },
    }
}
