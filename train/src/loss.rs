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

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    fn device() -> Device {
        crate::Backend::Flex.device().unwrap()
    }

    /// Two images of one channel and four pixels.
    fn maps(values: [f32; 8]) -> Tensor<4> {
        Tensor::from_data(TensorData::new(values.to_vec(), vec![2, 1, 2, 2]), &device())
    }

    fn found(loss: Tensor<1>) -> Vec<f32> {
        loss.into_data().try_into_vec().unwrap()
    }

    fn close(found: Vec<f32>, expected: [f32; 2]) {
        let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4);
        assert!(near, "{found:?} instead of {expected:?}");
    }

    #[test]
    fn scaled_maps_agree_and_inverted_ones_are_four_apart() {
        let a = maps([1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0]);
        let b = maps([-3.0, -5.0, -7.0, -9.0, 4.0, 3.0, 2.0, 1.0]);
        close(found(distance(Distance::Mse, a.clone(), b.clone())), [0.0, 4.0]);
        let decoy = Tensor::from_data([[1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0]], &device());
        close(found(distance_to_map(Distance::Mse, a, decoy)), [0.0, 4.0]);
    }

    #[test]
    fn the_cosine_sees_signs_and_the_map_does_not() {
        let a = maps([1.0, 0.0, 0.0, 2.0, 1.0, 0.0, 0.0, 0.0]);
        let b = maps([-1.0, 0.0, 0.0, -2.0, 0.0, 1.0, 0.0, 0.0]);
        close(found(distance(Distance::Cosine, a.clone(), b.clone())), [2.0, 1.0]);
        assert!(found(distance(Distance::RootMse, a, b))[0].abs() < 1e-4);
    }

    #[test]
    fn a_constant_map_gives_a_finite_loss_and_slope() {
        for kind in [Distance::Mse, Distance::RootMse, Distance::Cosine] {
            let device = device().autodiff();
            let zeros: Tensor<4> = Tensor::zeros([2, 1, 2, 2], &device).require_grad();
            let other: Tensor<4> = Tensor::ones([2, 1, 2, 2], &device);
            let loss = distance(kind, zeros.clone(), other).sum();
            let slope = zeros.grad(&loss.backward()).unwrap();
            assert!(found(loss.inner())[0].is_finite(), "{kind:?}");
            let slope: Vec<f32> = slope.into_data().try_into_vec().unwrap();
            assert!(slope.iter().all(|v| v.is_finite()), "{kind:?}: {slope:?}");
        }
    }

    #[test]
    fn cross_entropy_and_divergence_have_their_known_values() {
        let even = Tensor::from_data([[0.0, 0.0], [0.0, 0.0]], &device());
        let labels = Tensor::from_data([[1.0, 0.0], [0.0, 1.0]], &device());
        let ln2 = std::f32::consts::LN_2;
        close(found(cross_entropy(even.clone(), labels)), [ln2, ln2]);
        let sure = Tensor::from_data([[40.0, 0.0], [0.0, 0.0]], &device());
        close(found(divergence(even, sure)), [ln2, 0.0]);
    }
}
