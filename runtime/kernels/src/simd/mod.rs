//! Vector registers behind one interface.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;
pub(crate) mod portable;

/// A vector register of floats.
///
/// # Safety
/// All methods need a processor with the instructions of the implementation; pointers must be good
/// for [`LANES`](Self::LANES) floats.
pub(crate) trait Simd: Copy {
    /// Floats per register.
    const LANES: usize;

    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// Asks for what will soon be loaded, where the processor can be asked.
    #[inline(always)]
    fn expect(_from: *const f32) {}
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    /// The sum over all lanes.
    unsafe fn sum(self) -> f32;
    /// `self * factor + sum`.
    unsafe fn times_plus(self, factor: Self, sum: Self) -> Self;
    /// The larger one; `value` where it is no number.
    unsafe fn at_least(bound: Self, value: Self) -> Self;
    /// The smaller one; `value` where it is no number.
    unsafe fn at_most(bound: Self, value: Self) -> Self;
    /// A bit for each lane, the lowest for the first: whether it is strictly between two bounds.
    unsafe fn inside(self, low: Self, high: Self) -> u32;
    /// A bit for each lane: whether it is equal to the other one.
    unsafe fn equals(self, other: Self) -> u32;
    /// The lanes whose bit is set, 0 elsewhere; bits beyond the lanes mean nothing.
    unsafe fn only(self, bits: u32) -> Self;
}
