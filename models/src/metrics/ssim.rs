//! Structural similarity.

use super::error::{check_finite, check_shape};
use super::{MetricError, mean};

/// Side of the Gaussian window, in pixels.
const WINDOW: usize = 11;
/// Standard deviation of the Gaussian window, in pixels.
const SIGMA: f64 = 1.5;
const K1: f64 = 0.01;
const K2: f64 = 0.03;

/// Mean structural similarity of two maps, in `[-1, 1]`; higher is more similar, identical maps
/// score 1.
///
/// Wang, Bovik, Sheikh and Simoncelli, Image Quality Assessment: From Error Visibility to
/// Structural Similarity, 2004, equation 13, averaged over the map (equation 15): 11 × 11 Gaussian
/// window with σ 1.5, K₁ 0.01, K₂ 0.03. Each map is first brought to `[0, 1]` by its own minimum
/// and maximum (min_max), so the data range is 1; a constant map becomes zeros. Only windows that
/// lie wholly inside the map count: there is no padding. A side shorter than 11 shrinks the window
/// along that side to the largest odd number that fits; σ stays.
///
/// # Shapes
/// `a` and `b`: `[height, width]`, row-major.
///
/// # Errors
/// [`MetricError`] for empty maps, lengths other than `height · width` and values that are not
/// finite.
pub fn ssim(a: &[f32], b: &[f32], height: usize, width: usize) -> Result<f64, MetricError> {
    for map in [a, b] {
        check_shape(&[height, width], map.len())?;
        check_finite(map)?;
    }
    Ok(plane_ssim(&min_max(a), &min_max(b), height, width))
}

/// Structural dissimilarity `(1 − SSIM) / 2` of two maps, in `[0, 1]`; lower is more similar. See
/// [`ssim`].
///
/// # Errors
/// Those of [`ssim`].
pub fn dssim(a: &[f32], b: &[f32], height: usize, width: usize) -> Result<f64, MetricError> {
    Ok((1.0 - ssim(a, b, height, width)?) / 2.0)
}

/// Mean SSIM of two `[height, width]` planes whose data range is 1; the caller has checked the
/// lengths.
pub(super) fn plane_ssim(a: &[f64], b: &[f64], height: usize, width: usize) -> f64 {
    let (rows, columns) = (gaussian(height), gaussian(width));
    let local_mean = |plane: &[f64]| filter(plane, width, &rows, &columns);
    let local_product = |x: &[f64], y: &[f64]| {
        let products: Vec<f64> = x.iter().zip(y).map(|(x, y)| x * y).collect();
        local_mean(&products)
    };
    let (mean_a, mean_b) = (local_mean(a), local_mean(b));
    let (square_a, square_b, product) =
        (local_product(a, a), local_product(b, b), local_product(a, b));

    let (c1, c2) = (K1 * K1, K2 * K2);
    let scores: Vec<f64> = (0..mean_a.len())
        .map(|at| {
            let (mu_a, mu_b) = (mean_a[at], mean_b[at]);
            let variance_a = square_a[at] - mu_a * mu_a;
            let variance_b = square_b[at] - mu_b * mu_b;
            let covariance = product[at] - mu_a * mu_b;
            let luminance = (2.0 * mu_a * mu_b + c1) / (mu_a * mu_a + mu_b * mu_b + c1);
            let structure = (2.0 * covariance + c2) / (variance_a + variance_b + c2);
            luminance * structure
        })
        .collect();
    mean(&scores).clamp(-1.0, 1.0)
}

/// Values in `[0, 1]`: the minimum becomes 0 and the maximum 1; a constant map becomes zeros.
fn min_max(map: &[f32]) -> Vec<f64> {
    let low = map.iter().copied().fold(f32::INFINITY, f32::min);
    let high = map.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let (low, range) = (f64::from(low), f64::from(high) - f64::from(low));
    let scale = if range > 0.0 { range.recip() } else { 0.0 };
    map.iter().map(|&value| (f64::from(value) - low) * scale).collect()
}

/// Weights of sum 1 of the window along an axis of `side` pixels.
fn gaussian(side: usize) -> Vec<f64> {
    let largest_odd = side - (side + 1) % 2;
    let radius = (WINDOW.min(largest_odd) / 2) as i32;
    let weights: Vec<f64> = (-radius..=radius)
        .map(|offset| (-f64::from(offset).powi(2) / (2.0 * SIGMA * SIGMA)).exp())
        .collect();
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / total).collect()
}

/// Separable correlation over valid positions only, first along rows, then along columns.
fn filter(plane: &[f64], width: usize, rows: &[f64], columns: &[f64]) -> Vec<f64> {
    let across: Vec<f64> = plane
        .chunks_exact(width)
        .flat_map(|row| {
            row.windows(columns.len()).map(|window| weighted_sum(window.iter(), columns))
        })
        .collect();
    let across_width = width - columns.len() + 1;
    let bottom = across.len() - (rows.len() - 1) * across_width;
    (0..bottom)
        .map(|start| weighted_sum(across[start..].iter().step_by(across_width), rows))
        .collect()
}

fn weighted_sum<'a>(values: impl Iterator<Item = &'a f64>, weights: &[f64]) -> f64 {
    values.zip(weights).map(|(value, weight)| value * weight).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "expected {expected}, found {found}");
    }

    fn fixture(height: usize, width: usize, a: usize, b: usize, modulus: usize) -> Vec<f32> {
        (0..height * width).map(|i| ((i / width * a + i % width * b) % modulus) as f32).collect()
    }

    #[test]
    fn identical_maps_score_one() {
        let map = fixture(16, 20, 7, 3, 17);
        assert_eq!(ssim(&map, &map, 16, 20), Ok(1.0));
        assert_eq!(dssim(&map, &map, 16, 20), Ok(0.0));
    }

    #[test]
    fn an_inverted_map_scores_below_zero() {
        let map = fixture(16, 20, 7, 3, 17);
        let inverted: Vec<f32> = map.iter().map(|value| -value).collect();
        assert!(ssim(&map, &inverted, 16, 20).unwrap() < -0.5);
        assert!(dssim(&map, &inverted, 16, 20).unwrap() > 0.75);
    }

    #[test]
    fn scale_and_offset_do_not_matter() {
        let map = fixture(16, 20, 7, 3, 17);
        let scaled: Vec<f32> = map.iter().map(|value| value * 4.0 - 8.0).collect();
        close(ssim(&map, &scaled, 16, 20).unwrap(), 1.0);
    }

    #[test]
    fn constant_maps_are_equal_to_each_other_and_unlike_structure() {
        assert_eq!(ssim(&[5.0; 144], &[0.0; 144], 12, 12), Ok(1.0));
        let score = ssim(&[0.0; 144], &fixture(12, 12, 5, 1, 2), 12, 12).unwrap();
        assert!(score.abs() < 0.01, "{score}");
    }

    /// With 0 against a plane of ones only the luminance term differs from 1: C₁ / (1 + C₁).
    #[test]
    fn flat_planes_by_hand() {
        close(plane_ssim(&[0.0; 121], &[1.0; 121], 11, 11), 1e-4 / 1.0001);
    }

    /// One pixel: no variance, and min_max makes both maps zero.
    #[test]
    fn a_single_pixel_is_defined() {
        assert_eq!(ssim(&[3.0], &[-4.0], 1, 1), Ok(1.0));
    }

    /// Two windows of one pixel each: equal where both are 0 or 1, C₁ / (1 + C₁) where they differ.
    #[test]
    fn a_side_of_two_shrinks_the_window_to_one_pixel() {
        close(ssim(&[0.0, 1.0], &[1.0, 0.0], 1, 2).unwrap(), 1e-4 / 1.0001);
        close(ssim(&[0.0, 1.0], &[0.0, 1.0], 2, 1).unwrap(), 1.0);
    }

    #[test]
    fn the_window_never_exceeds_the_map_and_sums_to_one() {
        for (side, taps) in [(1, 1), (2, 1), (3, 3), (10, 9), (11, 11), (12, 11), (500, 11)] {
            let window = gaussian(side);
            assert_eq!(window.len(), taps);
            close(window.iter().sum(), 1.0);
        }
    }

    /// scikit-image 0.26.0, whose average leaves out the border that padding touches:
    /// `r, c = numpy.mgrid[0:16, 0:20]; a = (7*r + 3*c) % 17 / 16; b = (5*r + 11*c) % 13 / 12`
    /// `structural_similarity(a, b, data_range=1, gaussian_weights=True, sigma=1.5,`
    /// `use_sample_covariance=False)`
    #[test]
    fn agrees_with_scikit_image() {
        close(
            ssim(&fixture(16, 20, 7, 3, 17), &fixture(16, 20, 5, 11, 13), 16, 20).unwrap(),
            -0.026_363_050_435_482_41,
        );
    }

    #[test]
    fn bad_input_is_an_error() {
        assert_eq!(ssim(&[], &[], 0, 5), Err(MetricError::Empty));
        assert_eq!(
            ssim(&[1.0; 4], &[1.0; 6], 2, 2),
            Err(MetricError::Length { expected: 4, found: 6 })
        );
        assert_eq!(
            ssim(&[1.0; 2], &[1.0, f32::NAN], 1, 2),
            Err(MetricError::NotFinite { index: 1 })
        );
    }
}
