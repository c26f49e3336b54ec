//! Which instructions the kernels use.

use std::fmt;

/// A set of vector instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Isa {
    /// What every processor has.
    Portable,
    /// AVX2 with FMA.
    Avx2,
    /// AVX-512F.
    Avx512,
    /// NEON, on every aarch64.
    Neon,
}

impl Isa {
    /// All that this processor has, the best one first.
    pub fn available() -> Vec<Self> {
        let all = [Self::Avx512, Self::Avx2, Self::Neon, Self::Portable];
        all.into_iter().filter(|isa| isa.is_available()).collect()
    }

    /// The best one that this processor has.
    pub fn best() -> Self {
        Self::available()[0]
    }

    /// Whether this processor has it.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => is_x86_feature_detected!("avx512f"),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => true,
            _ => false,
        }
    }

    /// Channels per block of a [`Map`](crate::Map).
    pub fn lanes(self) -> usize {
        match self {
            Self::Avx512 => 16,
            _ => 8,
        }
    }

    /// Registers that a tile may keep its sums in.
    pub(crate) fn sums(self) -> usize {
        match self {
            Self::Avx512 => 28,
            _ => 12,
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Portable => "portable",
            Self::Avx2 => "AVX2",
            Self::Avx512 => "AVX-512",
            Self::Neon => "NEON",
        })
    }
}
