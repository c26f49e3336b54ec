//! How weights are drawn before any training.

use crate::random::Stream;

/// A distribution of weights.
#[derive(Clone, Copy)]
pub(super) enum Draw {
    /// Uniform in +-sqrt(gain / fan-in). A gain of 6 keeps the scale of what passes a ReLU (He et
    /// al. 2015, equation 10); a gain of 1 is PyTorch's default.
    Uniform { gain: f32 },
    /// Normal with this standard deviation.
    Normal { deviation: f32 },
}

/// How a network's layers start.
#[derive(Clone, Copy)]
pub(super) struct Scheme {
    /// Weights of convolutions.
    pub(super) conv: Draw,
    /// Weights of dense layers.
    pub(super) dense: Draw,
}

impl Scheme {
    /// He et al. 2015 for a ReLU behind every layer.
    pub(super) const HE_UNIFORM: Self =
        Self { conv: Draw::Uniform { gain: 6.0 }, dense: Draw::Uniform { gain: 6.0 } };
}

impl Draw {
    /// `count` weights, each of which is one of `fan_in` that add up.
    pub(super) fn take(self, stream: &mut Stream, count: usize, fan_in: usize) -> Vec<f32> {
        match self {
            Self::Uniform { gain } => {
                let bound = (gain / fan_in as f32).sqrt();
                (0..count).map(|_| stream.uniform(-bound, bound)).collect()
            }
            Self::Normal { deviation } => (0..count).map(|_| deviation * stream.normal()).collect(),
        }
    }
}
