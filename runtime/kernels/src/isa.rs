//! Which instructions the kernels use.

use std::fmt;

/// A set of vector instructions that this processor has.
///
/// A value is a proof: it comes from [`available`](Self::available) or [`best`](Self::best), which
/// ask the processor, and from nowhere else. So no kernel can be called with instructions that are
/// not there.
///
/// ```compile_fail
/// // There is no way to name a set without asking for it.
/// let isa = saligate_kernels::Isa::Avx512;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Isa(InstructionSet);

/// The sets that there are kernels for on this architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum InstructionSet {
    /// AVX-512F.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// AVX2 with FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// NEON, on every aarch64.
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// What every processor has.
    Portable,
}

impl Isa {
    /// All that this processor has, the best one first.
    pub fn available() -> Vec<Self> {
        let mut found = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                found.push(Self(InstructionSet::Avx512));
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                found.push(Self(InstructionSet::Avx2));
            }
        }
        #[cfg(target_arch = "aarch64")]
        found.push(Self(InstructionSet::Neon));
        found.push(Self(InstructionSet::Portable));
        found
    }

    /// The best one that this processor has.
    pub fn best() -> Self {
        // The portable one is always there.
        Self::available()[0]
    }

    /// Which one it is: the processor has it.
    pub(crate) fn set(self) -> InstructionSet {
        self.0
    }

    /// Channels per block of a [`Map`](crate::Map).
    pub fn lanes(self) -> usize {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => 16,
            _ => 8,
        }
    }

    /// Registers that a tile may keep its sums in.
    pub(crate) fn sums(self) -> usize {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => 28,
            _ => 12,
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => "AVX-512",
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => "AVX2",
            #[cfg(target_arch = "aarch64")]
            InstructionSet::Neon => "NEON",
            InstructionSet::Portable => "portable",
        })
    }
}
