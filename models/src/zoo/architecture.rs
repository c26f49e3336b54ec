//! The architectures by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An architecture; the table in [`crate::zoo`] says what each is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
#[non_exhaustive]
pub enum Architecture {
    /// The small plain CNN.
    Small,
    /// CIFAR ResNet-20.
    ResNet20,
    /// SqueezeNet 1.1 as torchvision has it.
    SqueezeNet,
    /// SqueezeNet 1.1 as its authors published it for Caffe.
    SqueezeNetCaffe,
}

impl Architecture {
    /// All architectures.
    pub const ALL: &[Self] =
        &[Self::Small, Self::ResNet20, Self::SqueezeNet, Self::SqueezeNetCaffe];

    /// The name used in configs and on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::ResNet20 => "resnet20",
            Self::SqueezeNet => "squeezenet1_1",
            Self::SqueezeNetCaffe => "squeezenet1_1-caffe",
        }
    }
}

impl From<Architecture> for &'static str {
    fn from(architecture: Architecture) -> Self {
        architecture.name()
    }
}

impl TryFrom<String> for Architecture {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        name.parse()
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Architecture {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known: Vec<_> = Self::ALL.iter().map(|a| a.name()).collect();
        let found = Self::ALL.iter().find(|a| a.name() == name).copied();
        found.ok_or_else(|| format!("no architecture '{name}'; there are: {}", known.join(", ")))
    }
}
