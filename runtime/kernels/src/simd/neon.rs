//! NEON: 8 floats in two registers of four, of 32.

use std::arch::aarch64::*;

use super::Simd;

/// Two registers.
#[derive(Clone, Copy)]
pub(crate) struct Pair(float32x4_t, float32x4_t);

// SAFETY (all blocks): NEON is part of aarch64, and the trait demands good pointers.
#[allow(clippy::undocumented_unsafe_blocks)]
impl Simd for Pair {
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        unsafe { Self(vdupq_n_f32(value), vdupq_n_f32(value)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        unsafe { Self(vld1q_f32(from), vld1q_f32(from.add(4))) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe {
            vst1q_f32(to, self.0);
            vst1q_f32(to.add(4), self.1);
        }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        unsafe { Self(vaddq_f32(self.0, other.0), vaddq_f32(self.1, other.1)) }
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        unsafe { Self(vmulq_f32(self.0, other.0), vmulq_f32(self.1, other.1)) }
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        unsafe { vaddvq_f32(vaddq_f32(self.0, self.1)) }
    }
    #[inline(always)]
    unsafe fn times_plus(self, factor: Self, sum: Self) -> Self {
        unsafe { Self(vfmaq_f32(sum.0, self.0, factor.0), vfmaq_f32(sum.1, self.1, factor.1)) }
    }
    #[inline(always)]
    unsafe fn at_least(bound: Self, value: Self) -> Self {
        unsafe { Self(vmaxq_f32(bound.0, value.0), vmaxq_f32(bound.1, value.1)) }
    }
    #[inline(always)]
    unsafe fn at_most(bound: Self, value: Self) -> Self {
        unsafe { Self(vminq_f32(bound.0, value.0), vminq_f32(bound.1, value.1)) }
    }
    #[inline(always)]
    unsafe fn inside(self, low: Self, high: Self) -> u32 {
        unsafe {
            let lanes = vld1q_u32([1u32, 2, 4, 8].as_ptr());
            let part = |v, l, h| {
                let inside = vandq_u32(vcltq_f32(l, v), vcltq_f32(v, h));
                vaddvq_u32(vandq_u32(inside, lanes))
            };
            part(self.0, low.0, high.0) | part(self.1, low.1, high.1) << 4
        }
    }
    #[inline(always)]
    unsafe fn only(self, bits: u32) -> Self {
        unsafe {
            let lanes = vld1q_u32([1u32, 2, 4, 8].as_ptr());
            let part = |v, bits| {
                let mask = vtstq_u32(vdupq_n_u32(bits), lanes);
                vreinterpretq_f32_u32(vandq_u32(mask, vreinterpretq_u32_f32(v)))
            };
            Self(part(self.0, bits), part(self.1, bits >> 4))
        }
    }
    #[inline(always)]
    unsafe fn equals(self, other: Self) -> u32 {
        unsafe {
            let lanes = vld1q_u32([1u32, 2, 4, 8].as_ptr());
            let part = |a, b| vaddvq_u32(vandq_u32(vceqq_f32(a, b), lanes));
            part(self.0, other.0) | part(self.1, other.1) << 4
        }
    }
}
