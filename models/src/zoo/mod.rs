//! Constructors of the architectures, with random weights.
//!
//! | name | input | layers |
//! |---|---|---|
//! | `small` | any | 4 convolutions, 3 dense layers, no batch norm |
//! | `resnet20` | any | CIFAR ResNet-20 with option-A shortcuts and batch norms |
//! | `squeezenet1_1` | from 18 x 18 | SqueezeNet 1.1 with torchvision's names |
//! | `squeezenet1_1-caffe` | from 18 x 18 | the same with the names of its authors, and a padded last layer |
//!
//! Weights start uniform in +-sqrt(6 / fan-in) before a ReLU (He et al. 2015, equation 10, as a
//! uniform distribution) and +-1 / sqrt(fan-in) in the last layer; biases start at zero. Pixels
//! enter in [0, 1]: the standardization is part of the network.

mod architecture;
mod initial;
mod layers;
mod resnet;
mod small;
mod squeezenet;

use crate::graph::{Graph, GraphError};
use layers::Layers;
use squeezenet::Naming;

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
/// The image has an empty axis, or mean and std do not fit its channels.
pub fn build(architecture: Architecture, task: &Task, seed: u64) -> Result<Graph, GraphError> {
    let mut layers = Layers::new(task, seed)?;
    let logits = match architecture {
        Architecture::Small => {
            small::body(&mut layers, task, &task.widths.unwrap_or(DEFAULT_WIDTHS))?
        }
        Architecture::ResNet20 => resnet::body(&mut layers, task)?,
        Architecture::SqueezeNet => squeezenet::body(&mut layers, task, Naming::Torchvision)?,
        Architecture::SqueezeNetCaffe => squeezenet::body(&mut layers, task, Naming::Caffe)?,
    };
    layers.finish(logits)
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use ndarray::ArrayD;

    use super::*;
    use crate::reference::run;
    use crate::saliency::{Explained, Method, attach};

    fn task(image: [usize; 3]) -> Task {
        Task {
            image,
            classes: 10,
            mean: vec![0.5; image[0]],
            std: vec![0.25; image[0]],
            bgr: false,
            widths: None,
        }
    }

    #[test]
    fn resnet20_has_the_published_size() {
        let net = build(Architecture::ResNet20, &task([3, 32, 32]), 1).unwrap();
        // 269,722 trained weights (He et al. 2016, table 6: 0.27 M), two running statistics for
        // each of 688 channels, and the mean and scale of three pixel channels.
        assert_eq!(net.parameter_count(), 269_722 + 2 * 688 + 6);
    }

    #[test]
    fn squeezenet_has_the_published_size() {
        for architecture in [Architecture::SqueezeNet, Architecture::SqueezeNetCaffe] {
            let task = Task { classes: 1000, ..task([3, 32, 32]) };
            let net = build(architecture, &task, 1).unwrap();
            assert_eq!(net.parameter_count(), 1_235_496 + 6);
        }
    }

    #[test]
    fn windows_that_start_in_the_image_count() {
        // Side of the pooled map with windows of 3 every 2 pixels, rounded up, as PyTorch has it.
        for (size, pooled) in [(2, 1), (3, 1), (4, 2), (5, 2), (6, 3), (113, 56), (114, 57)] {
            let mut layers = Layers::new(&task([1, size, 3]), 1).unwrap();
            let y = layers.max_pool_ceil("pool", layers.pixels, 3, 2).unwrap();
            assert_eq!(layers.graph.shape(y), [1, 1, pooled, 1], "{size}");
        }
    }

    #[test]
    fn a_network_for_bgr_sees_the_channels_in_reverse() {
        let image = ArrayD::from_shape_fn(vec![1, 3, 8, 8], |i| (i[1] * 7 + i[2] + i[3]) as f64);
        let mut reversed = image.clone();
        reversed.invert_axis(ndarray::Axis(1));
        let statistics = Task { mean: vec![0.2, 0.5, 0.8], ..task([3, 8, 8]) };
        let turned = Task { mean: vec![0.8, 0.5, 0.2], bgr: true, ..task([3, 8, 8]) };
        let [a, b] = [(statistics, image), (turned, reversed)].map(|(task, image)| {
            run(&build(Architecture::Small, &task, 1).unwrap(), &[image]).unwrap()
        });
        assert_eq!(a, b);
    }

    #[test]
    fn names_are_those_of_configurations() {
        for architecture in Architecture::ALL {
            assert_eq!(architecture.name().parse(), Ok(*architecture));
            let text = serde_json::to_string(architecture).unwrap();
            assert_eq!(text, format!("\"{architecture}\""));
            assert_eq!(serde_json::from_str::<Architecture>(&text).unwrap(), *architecture);
        }
        assert!("resnet19".parse::<Architecture>().unwrap_err().contains("small, resnet20"));
    }

    #[test]
    fn folding_keeps_the_logits() {
        let net = build(Architecture::ResNet20, &task([3, 8, 8]), 1).unwrap();
        let folded = net.fold_batch_norm().unwrap();
        let image = ArrayD::from_shape_fn(vec![2, 3, 8, 8], |i| {
            ((i[0] * 7 + i[1] * 5 + i[2] * 3 + i[3]) % 11) as f64 / 11.0
        });
        let (a, b) = (run(&net, from_ref(&image)).unwrap(), run(&folded, &[image]).unwrap());
        let largest = (&a[0] - &b[0]).iter().fold(0.0f64, |m, d| m.max(d.abs()));
        assert!(largest < 1e-5, "{largest}");
    }

    #[test]
    fn every_net_can_be_explained() {
        for architecture in Architecture::ALL {
            let net = build(*architecture, &task([1, 28, 28]), 1).unwrap();
            let net = net.fold_batch_norm().unwrap();
            for method in Method::ALL {
                let explained = Explained::found(*method, &net).unwrap();
                assert!(attach(&net, &[explained]).is_ok(), "{architecture} {method}");
            }
        }
    }

    #[test]
    fn the_seed_decides_the_weights() {
        let net = |seed| build(Architecture::Small, &task([1, 28, 28]), seed).unwrap();
        assert_eq!(net(1), net(1));
        assert_ne!(net(1), net(2));
    }

    #[test]
    fn statistics_that_do_not_fit_the_channels_are_an_error() {
        let task = Task { mean: vec![0.5; 2], ..task([3, 8, 8]) };
        assert!(build(Architecture::Small, &task, 1).is_err());
    }
}
