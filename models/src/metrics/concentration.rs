//! Is a map a few pixels, or all of them?

use super::MetricError;
use super::error::{check_finite, check_lengths};

/// Gini index of the magnitudes of a map, in `[0, 1)`: 0 for a constant map, `1 - 1/n` for one with a
/// single pixel of n; higher is sparser. A map of zeros has 0.
///
/// Chalasani et al., Concise Explanations of Neural Networks using Adversarial Training, ICML 2020,
/// section 4.3: with ascending magnitudes `v_i`, `Σ (2 i - n - 1) v_i / (n Σ v_i)`.
///
/// # Errors
/// [`MetricError`] for an empty map and for values that are not finite.
pub fn sparseness(map: &[f32]) -> Result<f64, MetricError> {
    let mut magnitudes = magnitudes(map)?;
    magnitudes.sort_by(f64::total_cmp);
    let count = magnitudes.len() as f64;
    let total: f64 = magnitudes.iter().sum();
    if total == 0.0 {
        return Ok(0.0);
    }
    let place = |at: usize| 2.0 * (at + 1) as f64 - count - 1.0;
    let sum: f64 = magnitudes.iter().enumerate().map(|(at, v)| place(at) * v).sum();
    Ok(sum / (count * total))
}

/// Entropy of the shares that pixels have in the magnitude of a map, in `[0, ln n]` nats: 0 where one
/// pixel has all, `ln n` where all have the same; lower is easier to read. A map of zeros has `ln n`.
///
/// Bhatt, Weller and Moura, Evaluating and Aggregating Feature-based Model Explanations, IJCAI 2020,
/// definition 4.
///
/// # Errors
/// [`MetricError`] for an empty map and for values that are not finite.
pub fn complexity(map: &[f32]) -> Result<f64, MetricError> {
    let magnitudes = magnitudes(map)?;
    let total: f64 = magnitudes.iter().sum();
    if total == 0.0 {
        return Ok((magnitudes.len() as f64).ln());
    }
    let shares = magnitudes.iter().map(|v| v / total).filter(|share| *share > 0.0);
    Ok(shares.map(|share| -share * share.ln()).sum::<f64>().max(0.0))
}

fn magnitudes(map: &[f32]) -> Result<Vec<f64>, MetricError> {
    check_lengths(map.len(), map.len())?;
    check_finite(map)?;
    Ok(map.iter().map(|v| f64::from(v.abs())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pixel_is_as_sparse_and_as_simple_as_can_be() {
        let map = [0.0, 0.0, -3.0, 0.0];
        assert_eq!(sparseness(&map), Ok(0.75));
        assert_eq!(complexity(&map), Ok(0.0));
    }

    #[test]
    fn a_constant_map_is_neither() {
        assert_eq!(sparseness(&[2.0; 5]), Ok(0.0));
        assert!((complexity(&[2.0; 5]).unwrap() - 5f64.ln()).abs() < 1e-12);
        assert_eq!(sparseness(&[0.0; 5]), Ok(0.0));
        assert_eq!(complexity(&[0.0; 5]), Ok(5f64.ln()));
    }

    #[test]
    fn by_hand() {
        // Ascending 1, 3: (-1 * 1 + 1 * 3) / (2 * 4).
        assert_eq!(sparseness(&[3.0, -1.0]), Ok(0.25));
        let entropy = -(0.25f64 * 0.25f64.ln() + 0.75 * 0.75f64.ln());
        assert!((complexity(&[3.0, -1.0]).unwrap() - entropy).abs() < 1e-12);
    }

    #[test]
    fn scale_does_not_matter() {
        let (small, large) = ([0.1, 0.4, 0.2], [1e6, 4e6, 2e6]);
        assert!((sparseness(&small).unwrap() - sparseness(&large).unwrap()).abs() < 1e-7);
        assert!((complexity(&small).unwrap() - complexity(&large).unwrap()).abs() < 1e-7);
    }

    #[test]
    fn bad_input_is_an_error() {
        assert_eq!(sparseness(&[]), Err(MetricError::Empty));
        assert_eq!(complexity(&[f32::INFINITY]), Err(MetricError::NotFinite { index: 0 }));
    }
}
