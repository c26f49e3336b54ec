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
    unsafe fn add(self, other: Self) -> Self {
        Self(unsafe { _mm256_add_ps(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        Self(unsafe { _mm256_mul_ps(self.0, other.0) })
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
    unsafe fn between(self, place: Self, low: Self, high: Self) -> Self {
        unsafe {
            let above = _mm256_cmp_ps::<_CMP_LT_OQ>(low.0, place.0);
            let below = _mm256_cmp_ps::<_CMP_LT_OQ>(place.0, high.0);
            Self(_mm256_and_ps(_mm256_and_ps(above, below), self.0))
        }
    }
    #[inline(always)]
    unsafe fn route(self, a: Self, b: Self) -> (Self, Self) {
        unsafe {
            let equal = _mm256_cmp_ps::<_CMP_EQ_OQ>(a.0, b.0);
            (Self(_mm256_and_ps(equal, self.0)), Self(_mm256_andnot_ps(equal, self.0)))
        }
    }
}
