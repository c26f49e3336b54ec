//! The architectures by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An architecture; the table in [`crate::zoo`] says what each is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Architecture {
    /// The small plain CNN.
    Small,
    /// LeNet-5.
    LeNet5,
    /// AlexNet.
    AlexNet,
    /// VGG-11 without batch norms.
    Vgg11,
    /// VGG-16 without batch norms.
    Vgg16,
    /// CIFAR ResNet-20.
    ResNet20,
    /// CIFAR ResNet-56.
    ResNet56,
    /// ResNet-18.
    ResNet18,
    /// ResNet-34.
    ResNet34,
    /// ResNet-50.
    ResNet50,
    /// SqueezeNet 1.1 as torchvision has it.
    SqueezeNet,
    /// SqueezeNet 1.1 as its authors published it for Caffe.
    SqueezeNetCaffe,
    /// MobileNetV2.
    MobileNetV2,
    /// MobileNetV3, small.
    MobileNetV3Small,
    /// DenseNet-121.
    DenseNet121,
    /// EfficientNet-B0.
    EfficientNetB0,
    /// The small vision transformer.
    Vit,
}

impl Architecture {
    /// All architectures.
    pub const ALL: &[Self] = &[
        Self::Small,
        Self::LeNet5,
        Self::AlexNet,
        Self::Vgg11,
        Self::Vgg16,
        Self::ResNet20,
        Self::ResNet56,
        Self::ResNet18,
        Self::ResNet34,
        Self::ResNet50,
        Self::SqueezeNet,
        Self::SqueezeNetCaffe,
        Self::MobileNetV2,
        Self::MobileNetV3Small,
        Self::DenseNet121,
        Self::EfficientNetB0,
        Self::Vit,
    ];

    /// The name used in configs and on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::LeNet5 => "lenet5",
            Self::AlexNet => "alexnet",
            Self::Vgg11 => "vgg11",
            Self::Vgg16 => "vgg16",
            Self::ResNet20 => "resnet20",
            Self::ResNet56 => "resnet56",
            Self::ResNet18 => "resnet18",
            Self::ResNet34 => "resnet34",
            Self::ResNet50 => "resnet50",
            Self::SqueezeNet => "squeezenet1_1",
            Self::SqueezeNetCaffe => "squeezenet1_1-caffe",
            Self::MobileNetV2 => "mobilenet_v2",
            Self::MobileNetV3Small => "mobilenet_v3_small",
            Self::DenseNet121 => "densenet121",
            Self::EfficientNetB0 => "efficientnet_b0",
            Self::Vit => "vit",
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
        let architecture = Self::ALL.iter().find(|a| a.name() == name).copied();
        architecture
            .ok_or_else(|| format!("no architecture '{name}'; there are: {}", known.join(", ")))
    }
}
