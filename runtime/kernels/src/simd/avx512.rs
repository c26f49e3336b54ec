//! AVX-512: 16 floats, 32 registers.

use std::arch::x86_64::*;

use super::Simd;

/// A register.
#[derive(Clone, Copy)]
pub(crate) struct Zmm(__m512);

// SAFETY (all blocks): the trait demands a processor with AVX-512F and good pointers.
#[allow(clippy::undocumented_unsafe_blocks)]
impl Simd for Zmm {
    const LANES: usize = 16;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self(unsafe { _mm512_set1_ps(value) })
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Self(unsafe { _mm512_loadu_ps(from) })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { _mm512_storeu_ps(to, self.0) }
    }
    #[inline(always)]
    fn expect(from: *const f32) {
        // SAFETY: no address can fault.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Self(unsafe { _mm512_add_ps(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        Self(unsafe { _mm512_mul_ps(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        unsafe { _mm512_reduce_add_ps(self.0) }
    }
    #[inline(always)]
    unsafe fn times_plus(self, factor: Self, sum: Self) -> Self {
        Self(unsafe { _mm512_fmadd_ps(self.0, factor.0, sum.0) })
    }
    #[inline(always)]
    unsafe fn at_least(bound: Self, value: Self) -> Self {
        Self(unsafe { _mm512_max_ps(bound.0, value.0) })
    }
    #[inline(always)]
    unsafe fn at_most(bound: Self, value: Self) -> Self {
        Self(unsafe { _mm512_min_ps(bound.0, value.0) })
    }
    #[inline(always)]
    unsafe fn inside(self, low: Self, high: Self) -> u32 {
        unsafe {
            let above = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(low.0, self.0);
            u32::from(_mm512_mask_cmp_ps_mask::<_CMP_LT_OQ>(above, self.0, high.0))
        }
    }
    #[inline(always)]
    unsafe fn only(self, bits: u32) -> Self {
        Self(unsafe { _mm512_maskz_mov_ps(bits as u16, self.0) })
    }
    #[inline(always)]
    unsafe fn equals(self, other: Self) -> u32 {
        u32::from(unsafe { _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(self.0, other.0) })
    }
}
