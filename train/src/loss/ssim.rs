//! Structural dissimilarity as a loss: the definition of `saligate_models::metrics::ssim` on
//! tensors.

use burn::tensor::Tensor;

use super::filter::Filter;
use super::min_max;

/// Side of the Gaussian window, in pixels.
const WINDOW: usize = 11;
/// Standard deviation of the Gaussian window, in pixels.
const SIGMA: f64 = 1.5;
/// Squares of 0.01 and 0.03 times the data range of 1.
const C1: f32 = 1e-4;
const C2: f32 = 9e-4;

/// `(1 - SSIM) / 2` of the min-max maps `[batch, 1, row, column]`: `[batch]`, in [0, 1].
///
/// Wang, Bovik, Sheikh and Simoncelli 2004, equations 13 and 15.
pub(super) fn dssim(a: Tensor<4>, b: Tensor<4>) -> Tensor<1> {
    let [_, _, height, width] = a.dims();
    let filter = Filter::windows(SIGMA, WINDOW, [height, width], &a.device());
    let (a, b) = (min_max(a), min_max(b));
    let local = |x: Tensor<4>| filter.apply(x);
    let (mean_a, mean_b) = (local(a.clone()), local(b.clone()));
    let square_a = local(a.clone() * a.clone());
    let square_b = local(b.clone() * b.clone());
    let product = local(a * b);

    let means = mean_a.clone() * mean_b.clone();
    let squares = mean_a.clone() * mean_a + mean_b.clone() * mean_b;
    let variances = square_a + square_b - squares.clone();
    let luminance = (means.clone() * 2.0 + C1) / (squares + C1);
    let structure = ((product - means) * 2.0 + C2) / (variances + C2);
    let similarity = (luminance * structure).flatten::<2>(1, 3).mean_dim(1).squeeze_dim::<1>(1);
    (-similarity).add_scalar(1.0) * 0.5
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;
    use saligate_models::metrics;

    use super::*;

    fn tensor(map: &[f32], height: usize, width: usize) -> Tensor<4> {
        let data = TensorData::new(map.to_vec(), vec![1, 1, height, width]);
        Tensor::from_data(data, &crate::Backend::Flex.device().unwrap())
    }

    fn fixture(height: usize, width: usize, a: usize, b: usize, modulus: usize) -> Vec<f32> {
        (0..height * width).map(|i| ((i / width * a + i % width * b) % modulus) as f32).collect()
    }

    #[test]
    fn agrees_with_the_metric() {
        for (height, width) in [(16, 20), (32, 32), (11, 11), (7, 30), (2, 3), (1, 1)] {
            let a = fixture(height, width, 7, 3, 17);
            let smooth: Vec<f32> = (0..a.len()).map(|i| (i as f32 * 0.05).sin() * 1e-3).collect();
            for b in [a.clone(), fixture(height, width, 5, 11, 13), smooth, vec![3.0; a.len()]] {
                let found = dssim(tensor(&a, height, width), tensor(&b, height, width));
                let found = f64::from(found.into_scalar::<f32>());
                let wanted = metrics::ssim::dssim(&a, &b, height, width).unwrap();
                assert!((found - wanted).abs() < 1e-4, "{height} x {width}: {found}, {wanted}");
            }
        }
    }
}
