//! Distance and angle between two maps.

use super::{MetricError, check_pair, mean};

/// Mean squared error of the two standardized maps, in `[0, 4]`; lower is more similar.
///
/// Each map is standardized on its own to mean 0 and population standard deviation 1. For maps that
/// are not constant this is 2 (1 − r) with Pearson's r: identical up to scale and offset 0,
/// uncorrelated 2, inverted 4. A constant map standardizes to zeros: two of them score 0, one
/// against any other map scores 1.
///
/// # Errors
/// [`MetricError`] for empty maps, maps of two lengths and values that are not finite.
pub fn mse_zscored(a: &[f32], b: &[f32]) -> Result<f64, MetricError> {
    check_pair(a, b)?;
    let squares: Vec<f64> =
        standardize(a).into_iter().zip(standardize(b)).map(|(x, y)| (x - y) * (x - y)).collect();
    Ok(mean(&squares))
}

/// Cosine of the angle between the two maps as vectors, in `[-1, 1]`; higher is more similar.
///
/// `Σ a·b / (|a| |b|)`, without centring: maps of one sign are never below 0. An all-zero map has
/// no direction and scores 0 against any map, itself included.
///
/// # Errors
/// [`MetricError`] for empty maps, maps of two lengths and values that are not finite.
pub fn cosine(a: &[f32], b: &[f32]) -> Result<f64, MetricError> {
    check_pair(a, b)?;
    let dot = |x: &[f32], y: &[f32]| -> f64 {
        x.iter().zip(y).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
    };
    let lengths = dot(a, a).sqrt() * dot(b, b).sqrt();
    if lengths == 0.0 {
        return Ok(0.0);
    }
    Ok((dot(a, b) / lengths).clamp(-1.0, 1.0))
}

/// Mean 0 and population standard deviation 1; zeros for a constant map.
fn standardize(map: &[f32]) -> Vec<f64> {
    let values: Vec<f64> = map.iter().copied().map(f64::from).collect();
    if super::is_constant(map) {
        return vec![0.0; map.len()];
    }
    let centre = mean(&values);
    let squares: Vec<f64> = values.iter().map(|value| (value - centre).powi(2)).collect();
    let deviation = mean(&squares).sqrt();
    values.iter().map(|value| (value - centre) / deviation).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: [f32; 4] = [1.0, -2.0, 0.5, 8.0];

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "expected {expected}, found {found}");
    }

    #[test]
    fn scale_and_offset_do_not_matter_to_the_standardized_error() {
        close(mse_zscored(&MAP, &MAP.map(|value| 4.0 * value + 2.0)).unwrap(), 0.0);
    }

    #[test]
    fn an_inverted_map_is_farthest() {
        close(mse_zscored(&MAP, &MAP.map(|value| -value)).unwrap(), 4.0);
        close(cosine(&MAP, &MAP.map(|value| -value)).unwrap(), -1.0);
    }

    #[test]
    fn uncorrelated_maps_score_two() {
        close(mse_zscored(&[1.0, 1.0, -1.0, -1.0], &[1.0, -1.0, 1.0, -1.0]).unwrap(), 2.0);
    }

    #[test]
    fn a_constant_map_standardizes_to_zeros() {
        // 0.1 has no exact sum: the mean would leave a rest that looks like a deviation.
        assert_eq!(standardize(&[0.1; 7]), [0.0; 7]);
        assert_eq!(mse_zscored(&[0.1; 4], &[0.0; 4]), Ok(0.0));
        close(mse_zscored(&[0.1; 4], &MAP).unwrap(), 1.0);
    }

    #[test]
    fn cosine_by_hand() {
        close(cosine(&[3.0, 4.0], &[4.0, 3.0]).unwrap(), 24.0 / 25.0);
        close(cosine(&MAP, &MAP.map(|value| 1e-3 * value)).unwrap(), 1.0);
        close(cosine(&[1.0, 0.0], &[0.0, 5.0]).unwrap(), 0.0);
    }

    #[test]
    fn an_all_zero_map_has_cosine_zero() {
        assert_eq!(cosine(&[0.0; 4], &MAP), Ok(0.0));
        assert_eq!(cosine(&[0.0; 4], &[0.0; 4]), Ok(0.0));
    }

    #[test]
    fn extreme_values_stay_finite() {
        let large = [f32::MAX, f32::MIN, 0.0, f32::MAX];
        let small = [f32::from_bits(1), 0.0, 0.0, 0.0];
        for map in [large, small] {
            close(cosine(&map, &map).unwrap(), 1.0);
            close(mse_zscored(&map, &map).unwrap(), 0.0);
        }
    }

    #[test]
    fn bad_input_is_an_error() {
        for metric in [mse_zscored, cosine] {
            assert_eq!(metric(&[], &[]), Err(MetricError::Empty));
            assert_eq!(
                metric(&[1.0], &[1.0, 2.0]),
                Err(MetricError::Length { expected: 1, found: 2 })
            );
            assert_eq!(metric(&[f32::INFINITY], &[1.0]), Err(MetricError::NotFinite { index: 0 }));
        }
    }
}
