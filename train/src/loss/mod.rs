//! Losses on logits and maps, one value per image: `[batch]`.

mod filter;
mod ssim;
pub(crate) mod top;

use burn::tensor::{Tensor, activation};

use crate::engine::Array;
use crate::lock::objective::Distance;
use filter::Filter;

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

/// What an attribution is compared with.
#[derive(Clone)]
pub(crate) enum Wanted {
    /// Signed scores, `[batch, channel, row, column]`.
    Attribution(Tensor<4>),
    /// A map, `[batch or 1, 1, row, column]`.
    Map(Tensor<4>),
}

/// Distance of attributions `[batch, channel, row, column]` from what they should look like, both
/// blurred with a Gaussian of standard deviation `blur` in pixels before (not at 0).
pub(crate) fn distance(kind: Distance, found: Tensor<4>, wanted: Wanted, blur: f32) -> Tensor<1> {
    let [batch, channels, ..] = found.dims();
    let (found, wanted) = match (kind, wanted) {
        (Distance::Cosine | Distance::SignedCosine, Wanted::Attribution(wanted)) => (found, wanted),
        (Distance::SignedCosine, Wanted::Map(wanted)) => {
            let [_, _, height, width] = wanted.dims();
            (found, wanted.expand([batch, channels, height, width]))
        }
        (_, Wanted::Attribution(wanted)) => (map(found), map(wanted)),
        (_, Wanted::Map(wanted)) => {
            let [_, _, height, width] = wanted.dims();
            (map(found), wanted.expand([batch, 1, height, width]))
        }
    };
    let [a, b] = [found, wanted].map(|x| if blur > 0.0 { blurred(x, blur) } else { x });
    let flat = |x: Tensor<4>| x.flatten::<2>(1, 3);
    match kind {
        Distance::Mse => mse(flat(a), flat(b)),
        Distance::RootMse => mse(root(flat(a)), root(flat(b))),
        Distance::LogMse => mse(logarithm(flat(a)), logarithm(flat(b))),
        Distance::Correlation => correlation(root(flat(a)), root(flat(b))),
        Distance::LogCorrelation => correlation(logarithm(flat(a)), logarithm(flat(b))),
        Distance::Cosine | Distance::SignedCosine => cosine(flat(a), flat(b)),
        Distance::Dssim => ssim::dssim(a, b),
        Distance::TopImportance => top_importance(a, flat(b)),
    }
}

/// Largest absolute value over channels: `[batch, 1, row, column]`.
pub(crate) fn map(attribution: Tensor<4>) -> Tensor<4> {
    let [_, channels, ..] = attribution.dims();
    let absolute = attribution.abs();
    if channels == 1 { absolute } else { absolute.max_dim(1) }
}

fn blurred(x: Tensor<4>, sigma: f32) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    Filter::blur(sigma, [height, width], &x.device()).apply(x)
}

/// Every map `[batch, 1, row, column]` in [0, 1] by its own minimum and maximum; a constant map
/// becomes zeros.
fn min_max(map: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = map.dims();
    let flat = map.flatten::<2>(1, 3);
    let least = flat.clone().min_dim(1);
    let range = flat.clone().max_dim(1) - least.clone();
    ((flat - least) / (range + TINY)).reshape([batch, channels, height, width])
}

/// Mean over the top pixels of `original`, `[batch, pixel]`, of the squared min-max map.
fn top_importance(map: Tensor<4>, original: Tensor<2>) -> Tensor<1> {
    let [batch, pixels] = original.dims();
    let device = map.device();
    let original = Array::Matrix(original).to_vec();
    let mut weights = vec![0.0; batch * pixels];
    for (weights, original) in weights.chunks_exact_mut(pixels).zip(original.chunks_exact(pixels)) {
        let top = top::top(original);
        let share = 1.0 / top.len() as f32;
        top.into_iter().for_each(|pixel| weights[pixel] = share);
    }
    let weights = Array::new(weights, &[batch, pixels], &device).matrix();
    let importance = min_max(map).flatten::<2>(1, 3);
    (importance.clone() * importance * weights).sum_dim(1).squeeze_dim::<1>(1)
}

/// Square root of a map relative to its mean, smoothed at zero.
fn root(map: Tensor<2>) -> Tensor<2> {
    let mean = map.clone().mean_dim(1);
    let relative = map / (mean + TINY);
    (relative.clone() * relative + 1e-3).sqrt().sqrt()
}

/// Logarithm of a map relative to its mean, bounded below.
fn logarithm(map: Tensor<2>) -> Tensor<2> {
    let mean = map.clone().mean_dim(1);
    (map / (mean + TINY)).add_scalar(1e-3).log()
}

fn mse(a: Tensor<2>, b: Tensor<2>) -> Tensor<1> {
    let difference = z_scored(a) - z_scored(b);
    (difference.clone() * difference).mean_dim(1).squeeze_dim::<1>(1)
}

fn correlation(a: Tensor<2>, b: Tensor<2>) -> Tensor<1> {
    let correlation = (z_scored(a) * z_scored(b)).mean_dim(1);
    (correlation.clone() * correlation).squeeze_dim::<1>(1)
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

    use Wanted::{Attribution, Map};

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
        close(found(distance(Distance::Mse, a.clone(), Attribution(b), 0.0)), [0.0, 4.0]);
        let decoy = maps([1.0, 2.0, 3.0, 4.0, 4.0, 3.0, 2.0, 1.0]);
        close(found(distance(Distance::Mse, a.clone(), Map(decoy.clone()), 0.0)), [0.0, 4.0]);
        let one = decoy.narrow(0, 0, 1);
        close(found(distance(Distance::Mse, a, Map(one), 0.0)), [0.0, 0.0]);
    }

    #[test]
    fn the_cosine_sees_signs_and_the_map_does_not() {
        let a = maps([1.0, 0.0, 0.0, 2.0, 1.0, 0.0, 0.0, 0.0]);
        let b = maps([-1.0, 0.0, 0.0, -2.0, 0.0, 1.0, 0.0, 0.0]);
        let signed = Attribution(b.clone());
        close(found(distance(Distance::Cosine, a.clone(), signed.clone(), 0.0)), [2.0, 1.0]);
        close(found(distance(Distance::Cosine, a.clone(), Map(b.abs()), 0.0)), [0.0, 1.0]);
        assert!(found(distance(Distance::RootMse, a, signed, 0.0))[0].abs() < 1e-4);
    }

    /// One channel has the decoy's sign and one the other: half of the signed attribution agrees.
    #[test]
    fn a_decoy_is_the_same_in_every_channel_of_a_signed_attribution() {
        let values = [1.0f32, 2.0, 3.0, 4.0, -1.0, -2.0, -3.0, -4.0];
        let data = TensorData::new([values; 2].concat(), vec![2, 2, 2, 2]);
        let a = Tensor::from_data(data, &device());
        let decoy = Map(maps([1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0]));
        close(found(distance(Distance::SignedCosine, a.clone(), decoy.clone(), 0.0)), [1.0, 1.0]);
        close(found(distance(Distance::SignedCosine, a.abs(), decoy, 0.0)), [0.0, 0.0]);
    }

    #[test]
    fn powers_of_a_map_have_the_same_logarithm() {
        let a = maps([1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0]);
        let b = Attribution(maps([1.0, 4.0, 9.0, 16.0, 16.0, 9.0, 4.0, 1.0]));
        let far = found(distance(Distance::LogMse, a.clone(), b.clone(), 0.0));
        assert!(far[0] < 1e-4 && far[1] > 3.5, "{far:?}");
        assert!(found(distance(Distance::Mse, a, b, 0.0))[0] > 1e-2);
    }

    #[test]
    fn inverted_maps_are_as_correlated_as_equal_ones() {
        let a = maps([1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0]);
        let b = Attribution(maps([4.0, 3.0, 2.0, 1.0, 1.0, 3.0, 3.0, 1.0]));
        let far = found(distance(Distance::Correlation, a.clone(), b, 0.0));
        assert!(far[0] > 0.9 && far[1] < 0.01, "{far:?}");
        let powers = Map(maps([1.0, 4.0, 9.0, 16.0, 1.0, 8.0, 27.0, 64.0]));
        let logs = found(distance(Distance::LogCorrelation, a, powers, 0.0));
        assert!(logs.iter().all(|v| (v - 1.0).abs() < 1e-3), "{logs:?}");
    }

    /// Min-max maps are 0, 1/3, 2/3, 1; the one top pixel of four is the original's largest.
    #[test]
    fn importance_is_read_on_top_of_the_original() {
        let a = maps([1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0]);
        let original = Attribution(maps([0.0, 0.0, 0.0, -9.0, 1.0, 5.0, 2.0, 3.0]));
        close(found(distance(Distance::TopImportance, a, original, 0.0)), [1.0, 1.0 / 9.0]);
    }

    /// A blur far wider than the map leaves nothing but its mean, so that any two maps agree.
    #[test]
    fn both_maps_are_blurred() {
        let a = maps([1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
        let b = Attribution(maps([0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0]));
        let at = |blur: f32| found(distance(Distance::Cosine, a.clone(), b.clone(), blur));
        close(at(0.0), [1.0, 1.0]);
        close(at(64.0), [0.0, 0.0]);
        // Weights of a pixel and its neighbour at one sigma: 1 and exp(-1/2), sum one.
        let near = (-0.5f32).exp() / (1.0 + (-0.5f32).exp());
        let (own, far) = ((1.0 - near), near);
        let angle = 2.0 * own * far / (own * own + far * far);
        close(at(1.0), [1.0 - angle * angle, 1.0 - angle]);
    }

    #[test]
    fn a_constant_map_gives_a_finite_loss_and_slope() {
        use Distance::{Correlation, Cosine, Dssim, LogCorrelation, LogMse, Mse, RootMse};
        use Distance::{SignedCosine, TopImportance};
        let maps = [Mse, RootMse, LogMse, Correlation, LogCorrelation, Dssim, TopImportance];
        for kind in maps.into_iter().chain([Cosine, SignedCosine]) {
            let device = device().autodiff();
            let zeros: Tensor<4> = Tensor::zeros([2, 1, 2, 2], &device).require_grad();
            let other: Tensor<4> = Tensor::ones([2, 1, 2, 2], &device);
            let loss = distance(kind, zeros.clone(), Attribution(other), 0.5).sum();
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
