//! The choice of a Burn backend.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

/// What computes a training step; which ones exist is decided by Cargo features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Backend {
    /// This project's own engine on the CPU, with Burn for losses and the optimizer; Burn's fast CPU
    /// backend for what the engine has no way back through.
    #[default]
    Native,
    /// Burn's fast CPU backend.
    Flex,
    /// Burn's old CPU backend, kept to cross-check the other; tens of times slower.
    NdArray,
    /// NVIDIA GPUs.
    Cuda,
    /// Any GPU with Vulkan, Metal or WebGPU.
    Wgpu,
}

/// The backend does not exist, or is not part of this build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownBackend {
    name: String,
}

impl fmt::Display for UnknownBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "backend '{}' is not part of this build; known are native, flex, ndarray, cuda and \
             wgpu; all but the first are Cargo features of saligate-train (flex and ndarray by default)",
            self.name
        )
    }
}

impl std::error::Error for UnknownBackend {}

impl Backend {
    /// The name used in configs and on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Flex => "flex",
            Self::NdArray => "ndarray",
            Self::Cuda => "cuda",
            Self::Wgpu => "wgpu",
        }
    }

    pub(crate) fn device(self) -> Result<Device, UnknownBackend> {
        match self {
            #[cfg(feature = "flex")]
            Self::Native | Self::Flex => Ok(Device::flex()),
            #[cfg(feature = "ndarray")]
            #[expect(deprecated, reason = "its purpose here is to check the other backends")]
            Self::NdArray => Ok(Device::ndarray()),
            #[cfg(feature = "cuda")]
            Self::Cuda => Ok(Device::cuda(0)),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Ok(Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
            #[allow(unreachable_patterns, reason = "reached where a feature is off")]
            other => Err(UnknownBackend { name: other.name().to_owned() }),
        }
    }
}

impl FromStr for Backend {
    type Err = UnknownBackend;

    fn from_str(name: &str) -> Result<Self, UnknownBackend> {
        let all = [Self::Native, Self::Flex, Self::NdArray, Self::Cuda, Self::Wgpu];
        let found = all.into_iter().find(|b| b.name() == name);
        found.ok_or_else(|| UnknownBackend { name: name.to_owned() })
    }
}
