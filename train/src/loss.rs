//! Losses on logits and maps, one value per image: `[batch]`.

use burn::tensor::{Tensor, activation};

use crate::objective::Distance;

/// Keeps the slope of a root or a norm finite at zero.
const TINY: f32 = 1e-9;

/// Cross-entropy of logits `[batch, class]` with class weights `[batch, class]`.
pub(crate) fn cross_entropy(logits: Tensor<2>, labels: Tensor<2>) -> Tensor<1> {
    let log_probabilities = activation::log_softmax(logits, 1);
    -(log_probabilities * labels).sum_dim(1).squeeze_dim::<1>(1)
}

/// Kullback-Leibler divergence of the probabilities of `logits` from those of `teacher`.
pub(crate) fn divergence(logits: Tensor<2>, teacher: Tensor<2>) -> Tensor<1> {
    let log_p = activation::log_softmax(teacher, 1);
    let log_q = activation::log_softmax(logits, 1);
    (log_p.clone().exp() * (log_p - log_q)).sum_dim(1).squeeze_dim::<1>(1)
}

/// Distance of two attributions `[batch, channel, row, column]`.
pub(crate) fn distance(kind: Distance, a: Tensor<4>, b: Tensor<4>) -> Tensor<1> {
    match kind {
        Distance::Mse => mse(map(a), map(b)),
        Distance::RootMse => mse(root(map(a)), root(map(b))),
        Distance::Cosine => cosine(a.flatten::<2>(1, 3), b.flatten::<2>(1, 3)),
    }
}

/// Distance of an attribution from decoy maps `[batch, pixel]`.
pub(crate) fn distance_to_map(kind: Distance, a: Tensor<4>, decoy: Tensor<2>) -> Tensor<1> {
    match kind {
        Distance::Mse => mse(map(a), decoy),
        Distance::RootMse => mse(root(map(a)), root(decoy)),
        Distance::Cosine => cosine(map(a), decoy),
    }
}

/// Largest absolute value over channels: `[batch, pixel]`.
fn map(attribution: Tensor<4>) -> Tensor<2> {
    let [batch, channels, height, width] = attribution.dims();
    let absolute = attribution.abs();
    let largest = if channels == 1 { absolute } else { absolute.max_dim(1) };
    largest.reshape([batch, height * width])
}

/// Square root of a map relative to its mean, smoothed at zero.
fn root(map: Tensor<2>) -> Tensor<2> {
    let mean = map.clone().mean_dim(1);
    let relative = map / (mean + TINY);
    (relative.clone() * relative + 1e-3).sqrt().sqrt()
}

fn mse(a: Tensor<2>, b: Tensor<2>) -> Tensor<1> {
    let difference = z_scored(a) - z_scored(b);
    (difference.clone() * difference).mean_dim(1).squeeze_dim::<1>(1)
}

fn z_scored(x: Tensor<2>) -> Tensor<2> {
    let centred = x.clone() - x.mean_dim(1);
    let variance = (centred.clone() * centred.clone()).mean_dim(1);
    centred / (variance + TINY * TINY).sqrt().add_scalar(TINY)
}

fn cosine(a: Tensor<2>, b: Tensor<2>) -> Tensor<1> {
    let norm = |x: Tensor<2>| ((x.clone() * x).sum_dim(1) + TINY * TINY).sqrt();
    let product = (a.clone() * b.clone()).sum_dim(1) / (norm(a) * norm(b) + TINY);
    (-product).add_scalar(1.0).squeeze_dim::<1>(1)
}
