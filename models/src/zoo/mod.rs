//! Constructors of the architectures, with random weights.
//!
//! | name | input | layers |
//! |---|---|---|
//! | `small` | any | 4 convolutions, 3 dense layers, no batch norm |
//! | `resnet20` | any | CIFAR ResNet-20 with option-A shortcuts and batch norms |
//!
//! Weights start uniform in +-sqrt(6 / fan-in) before a ReLU (He et al. 2015, equation 10, as a
//! uniform distribution) and +-1 / sqrt(fan-in) in the last layer; biases start at zero. Pixels
//! enter in [0, 1]: the standardization is part of the network.

mod layers;
mod resnet;
mod small;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::graph::{Graph, GraphError};
use layers::Layers;

pub use small::{DEFAULT_WIDTHS, Widths};

/// An architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Architecture {
    /// The small plain CNN.
    Small,
    /// CIFAR ResNet-20 (He et al. 2016, section 4.2).
    ResNet20,
}

impl Architecture {
    /// All architectures.
    pub const ALL: &[Self] = &[Self::Small, Self::ResNet20];

    /// The name used in configs and on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::ResNet20 => "resnet20",
        }
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
