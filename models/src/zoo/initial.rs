//! How weights are drawn before any training.

use std::sync::Arc;

use crate::random::Stream;

/// A distribution of weights. The fan-in of a weight is the number of products that one result
/// adds up, the fan-out that of results that one operand goes into (in a convolution with groups,
/// as if there were none, as PyTorch counts).
#[derive(Clone, Copy)]
pub(super) enum Draw {
    /// Uniform in +-sqrt(gain / fan-in). A gain of 6 keeps the scale of what passes a ReLU (He et
    /// al. 2015, equation 10); a gain of 1 is PyTorch's default.
    Uniform { gain: f32 },
    /// Uniform in +-1 / sqrt(fan-out).
    UniformOut,
    /// Normal with variance 2 / fan-in (He et al. 2015, equation 10).
    NormalIn,
    /// Normal with variance 2 / fan-out (He et al. 2015, equation 14).
    NormalOut,
    /// Normal with this standard deviation.
    Normal { deviation: f32 },
}

/// How biases start.
#[derive(Clone, Copy)]
pub(super) enum Biases {
    /// At zero.
    Zero,
    /// Uniform in +-1 / sqrt(fan-in), PyTorch's default.
    Uniform,
}

/// How a network's layers start.
#[derive(Clone, Copy)]
pub(super) struct Scheme {
    /// Weights of convolutions.
    pub(super) conv: Draw,
    /// Weights of dense layers.
    pub(super) dense: Draw,
    /// Biases of both.
    pub(super) biases: Biases,
}

impl Scheme {
    /// He et al. 2015 for a ReLU behind every layer.
    pub(super) const HE_UNIFORM: Self = Self {
        conv: Draw::Uniform { gain: 6.0 },
        dense: Draw::Uniform { gain: 6.0 },
        biases: Biases::Zero,
    };

    /// What PyTorch's layers do where a model says nothing.
    pub(super) const PYTORCH: Self = Self {
        conv: Draw::Uniform { gain: 1.0 },
        dense: Draw::Uniform { gain: 1.0 },
        biases: Biases::Uniform,
    };

    /// He et al. 2015 with the variance kept on the way back, and small weights in dense layers.
    pub(super) const HE_NORMAL_OUT: Self = Self {
        conv: Draw::NormalOut,
        dense: Draw::Normal { deviation: 0.01 },
        biases: Biases::Zero,
    };
}

impl Draw {
    /// Weights of a layer, `[out, in, ...]`.
    pub(super) fn weights(self, stream: &mut Stream, shape: &[usize]) -> Arc<[f32]> {
        let count: usize = shape.iter().product();
        let fan_in = fan_in(shape);
        let fan_out = shape[0] * shape[2..].iter().product::<usize>();
        let bound = |gain: f32, fan: usize| (gain / fan as f32).sqrt();
        match self {
            Self::Uniform { gain } => uniform(stream, count, bound(gain, fan_in)),
            Self::UniformOut => uniform(stream, count, bound(1.0, fan_out)),
            Self::NormalIn => normal(stream, count, bound(2.0, fan_in)),
            Self::NormalOut => normal(stream, count, bound(2.0, fan_out)),
            Self::Normal { deviation } => normal(stream, count, deviation),
        }
    }
}

impl Biases {
    /// Biases of a layer whose weights have the shape `[out, in, ...]`.
    pub(super) fn values(self, stream: &mut Stream, shape: &[usize]) -> Arc<[f32]> {
        match self {
            Self::Zero => vec![0.0; shape[0]].into(),
            Self::Uniform => uniform(stream, shape[0], (fan_in(shape) as f32).sqrt().recip()),
        }
    }
}

fn fan_in(shape: &[usize]) -> usize {
    shape[1..].iter().product()
}

fn uniform(stream: &mut Stream, count: usize, bound: f32) -> Arc<[f32]> {
    (0..count).map(|_| stream.uniform(-bound, bound)).collect()
}

fn normal(stream: &mut Stream, count: usize, deviation: f32) -> Arc<[f32]> {
    (0..count).map(|_| deviation * stream.normal()).collect()
}
