//! Constructors of the architectures, with random weights.
//!
//! | name | smallest image | layers |
//! |---|---|---|
//! | `small` | any | 4 convolutions, 3 dense layers, no batch norm |
//! | `lenet5` | 12 x 12 | LeNet-5 with ReLU and max pools |
//! | `alexnet` | 63 x 63 | AlexNet in one column |
//! | `vgg11`, `vgg16` | 32 x 32 | VGG without batch norms |
//! | `resnet20`, `resnet56` | any | CIFAR ResNets with option-A shortcuts |
//! | `resnet18`, `resnet34`, `resnet50` | any | ResNets for ImageNet |
//! | `squeezenet1_1` | 17 x 17 | SqueezeNet 1.1 |
//! | `squeezenet1_1-caffe` | 17 x 17 | the same with the names of its authors, and a padded last layer |
//! | `mobilenet_v2` | any | MobileNetV2: depthwise convolutions, ReLU6 |
//! | `mobilenet_v3_small` | any | MobileNetV3, small: squeeze-and-excite, hard-swish |
//! | `densenet121` | 29 x 29 | DenseNet-121: batch norms before convolutions, concatenations |
//! | `efficientnet_b0` | any | EfficientNet-B0: squeeze-and-excite, SiLU |
//! | `vit` | squares of a multiple of 8 | a small vision transformer: 64 tokens, 4 blocks of 4 heads, width 64, GELU |
//!
//! Parameters have the names and shapes of torchvision's `state_dict`, those of LeNet-5 of PyTorch's
//! tutorials, so that published weights fit. The dense layers of `small`, `lenet5`, `alexnet` and
//! `vgg*` fit one size of images. AlexNet and VGG bring larger maps to 6 x 6 and 7 x 7 as
//! torchvision's adaptive average pools do, if rows and columns are multiples of that; smaller maps
//! go into the first dense layer as they are, where torchvision repeats their pixels.
//!
//! The networks are those of inference: there is no dropout and no stochastic depth in training
//! either.
//!
//! Weights start as each constructor says, after torchvision. In `small` and the CIFAR ResNets they
//! start uniform in +-sqrt(6 / fan-in) (He et al. 2015, equation 10, as a uniform distribution) and
//! +-1 / sqrt(fan-in) in the last layer, with biases at zero. Pixels enter in [0, 1]: the
//! standardization is part of the network.

mod alexnet;
mod architecture;
mod blocks;
mod cifar_resnet;
mod densenet;
mod efficientnet;
mod initial;
mod layers;
mod lenet;
mod mobilenet_v2;
mod mobilenet_v3;
mod resnet;
mod small;
mod squeezenet;
#[cfg(test)]
mod tests;
mod vgg;
mod vit;

use crate::graph::{Graph, GraphError};
use densenet::DENSENET121;
use layers::Layers;
use resnet::Block;
use squeezenet::Naming;
use vgg::{VGG11, VGG16};

pub use architecture::Architecture;
pub use small::{DEFAULT_WIDTHS, Widths};

/// What a network is built for.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Channels, rows and columns of an image.
    pub image: [usize; 3],
    /// Number of classes.
    pub classes: usize,
    /// Mean of the pixels per channel, in [0, 1].
    pub mean: Vec<f32>,
    /// Standard deviation of the pixels per channel, positive.
    pub std: Vec<f32>,
    /// Whether the network takes the channels in reverse order (B, G, R for R, G, B images), as
    /// those trained in Caffe do. The image, `mean` and `std` are in the usual order all the same.
    pub bgr: bool,
    /// Widths of the small CNN; [`DEFAULT_WIDTHS`] where absent.
    pub widths: Option<Widths>,
}

/// Builds an architecture with weights drawn from `seed`.
///
/// # Errors
/// The image is too small or does not fit the dense layers, or mean and std do not fit its
/// channels.
pub fn build(architecture: Architecture, task: &Task, seed: u64) -> Result<Graph, GraphError> {
    let mut layers = Layers::new(task, seed)?;
    let net = &mut layers;
    let logits = match architecture {
        Architecture::Small => small::body(net, task, &task.widths.unwrap_or(DEFAULT_WIDTHS)),
        Architecture::LeNet5 => lenet::body(net, task),
        Architecture::AlexNet => alexnet::body(net, task),
        Architecture::Vgg11 => vgg::body(net, task, VGG11),
        Architecture::Vgg16 => vgg::body(net, task, VGG16),
        Architecture::ResNet20 => cifar_resnet::body(net, task, 3),
        Architecture::ResNet56 => cifar_resnet::body(net, task, 9),
        Architecture::ResNet18 => resnet::body(net, task, Block::Basic, [2, 2, 2, 2]),
        Architecture::ResNet34 => resnet::body(net, task, Block::Basic, [3, 4, 6, 3]),
        Architecture::ResNet50 => resnet::body(net, task, Block::Bottleneck, [3, 4, 6, 3]),
        Architecture::SqueezeNet => squeezenet::body(net, task, Naming::Torchvision),
        Architecture::SqueezeNetCaffe => squeezenet::body(net, task, Naming::Caffe),
        Architecture::MobileNetV2 => mobilenet_v2::body(net, task),
        Architecture::MobileNetV3Small => mobilenet_v3::small(net, task),
        Architecture::DenseNet121 => densenet::body(net, task, DENSENET121),
        Architecture::EfficientNetB0 => efficientnet::body(net, task),
        Architecture::Vit => vit::body(net, task),
    }?;
    layers.finish(logits)
}
