//! AVX2 with FMA: 8 floats, 16 registers.

use std::arch::x86_64::*;

use super::Simd;

/// A register.
#[derive(Clone, Copy)]
pub(crate) struct Ymm(__m256);

// SAFETY (all blocks): the trait demands a processor with AVX2 and FMA and good pointers.
#[allow(clippy::undocumented_unsafe_blocks)]
impl Simd for Ymm {
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self(unsafe { _mm256_set1_ps(value) })
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Self(unsafe { _mm256_loadu_ps(from) })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { _mm256_storeu_ps(to, self.0) }
    }
    #[inline(always)]
    fn expect(from: *const f32) {
        // SAFETY: no address can fault.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Self(unsafe { _mm256_add_ps(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        Self(unsafe { _mm256_mul_ps(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        unsafe {
            let halves = [_mm256_castps256_ps128(self.0), _mm256_extractf128_ps::<1>(self.0)];
            let four = _mm_add_ps(halves[0], halves[1]);
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        }
    }
    #[inline(always)]
    unsafe fn times_plus(self, factor: Self, sum: Self) -> Self {
        Self(unsafe { _mm256_fmadd_ps(self.0, factor.0, sum.0) })
    }
    #[inline(always)]
    unsafe fn at_least(bound: Self, value: Self) -> Self {
        Self(unsafe { _mm256_max_ps(bound.0, value.0) })
    }
    #[inline(always)]
    unsafe fn at_most(bound: Self, value: Self) -> Self {
        Self(unsafe { _mm256_min_ps(bound.0, value.0) })
    }
    #[inline(always)]
    unsafe fn inside(self, low: Self, high: Self) -> u32 {
        unsafe {
            let above = _mm256_cmp_ps::<_CMP_LT_OQ>(low.0, self.0);
            let below = _mm256_cmp_ps::<_CMP_LT_OQ>(self.0, high.0);
            _mm256_movemask_ps(_mm256_and_ps(above, below)) as u32
        }
    }
    #[inline(always)]
    unsafe fn only(self, bits: u32) -> Self {
        unsafe {
            let lanes = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
            let set = _mm256_and_si256(_mm256_set1_epi32(bits as i32), lanes);
            let mask = _mm256_castsi256_ps(_mm256_cmpeq_epi32(set, lanes));
            Self(_mm256_and_ps(mask, self.0))
        }
    }
    #[inline(always)]
    unsafe fn equals(self, other: Self) -> u32 {
        unsafe { _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_EQ_OQ>(self.0, other.0)) as u32 }
    }
}
