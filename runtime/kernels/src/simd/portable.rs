//! Plain arrays, for processors without a kernel of their own, and single floats.

use super::Simd;

/// Some floats.
#[derive(Clone, Copy)]
pub(crate) struct Lanes<const N: usize>([f32; N]);

impl<const N: usize> Lanes<N> {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }
}

impl<const N: usize> Simd for Lanes<N> {
    const LANES: usize = N;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self([value; N])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: good for N floats, as the trait demands.
        Self(unsafe { from.cast::<[f32; N]>().read() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: as above.
        unsafe { to.cast::<[f32; N]>().write(self.0) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        self.0.iter().sum()
    }
    #[inline(always)]
    unsafe fn times_plus(self, factor: Self, sum: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] * factor.0[i] + sum.0[i]))
    }
    #[inline(always)]
    unsafe fn at_least(bound: Self, value: Self) -> Self {
        bound.zip(value, |b, v| if b > v { b } else { v })
    }
    #[inline(always)]
    unsafe fn at_most(bound: Self, value: Self) -> Self {
        bound.zip(value, |b, v| if b < v { b } else { v })
    }
    #[inline(always)]
    unsafe fn inside(self, low: Self, high: Self) -> u32 {
        (0..N).fold(0, |bits, i| {
            let inside = low.0[i] < self.0[i] && self.0[i] < high.0[i];
            bits | u32::from(inside) << i
        })
    }
    #[inline(always)]
    unsafe fn only(self, bits: u32) -> Self {
        Self(std::array::from_fn(|i| if bits >> i & 1 == 1 { self.0[i] } else { 0.0 }))
    }
    #[inline(always)]
    unsafe fn equals(self, other: Self) -> u32 {
        (0..N).fold(0, |bits, i| bits | u32::from(self.0[i] == other.0[i]) << i)
    }
}
