//! Does a map stay where it should, and change where it should?

use super::error::{check_finite, check_lengths};
use super::rank::spearman;
use super::{MetricError, check_pair};

/// Largest relative change of an attribution among those of perturbed pictures, `max ‖a' - a‖ / ‖a‖`
/// in Euclidean norm, in `[0, ∞)`; lower is steadier. An attribution of zeros has 0 where all others
/// are zeros, too, and else infinity's place is taken by the largest finite number.
///
/// Yeh et al., On the (In)fidelity and Sensitivity of Explanations, NeurIPS 2019, definition 2.2; the
/// perturbed pictures are the caller's.
///
/// # Errors
/// [`MetricError::Empty`] without attributions, and [`MetricError`] for two lengths and values that
/// are not finite.
pub fn max_sensitivity(original: &[f32], perturbed: &[Vec<f32>]) -> Result<f64, MetricError> {
    if perturbed.is_empty() {
        return Err(MetricError::Empty);
    }
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let length = norm(&mut original.iter().map(|&v| f64::from(v)));
    let mut largest = 0.0f64;
    for other in perturbed {
        check_pair(original, other)?;
        let mut apart = original.iter().zip(other).map(|(&a, &b)| f64::from(a) - f64::from(b));
        largest = largest.max(norm(&mut apart));
    }
    Ok(match length > 0.0 {
        true => largest / length,
        false if largest == 0.0 => 0.0,
        false => f64::MAX,
    })
}

/// Mean rank correlation of the magnitudes of a map with those of networks whose weights are random,
/// in `[-1, 1]`; near zero is better: a map that does not depend on the weights says nothing of them.
///
/// Model parameter randomisation, Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018,
/// section 3.1; which weights are random is the caller's choice.
///
/// # Errors
/// [`MetricError::Empty`] without maps of random networks, and [`MetricError`] for two lengths and
/// values that are not finite.
pub fn randomisation(original: &[f32], randomised: &[Vec<f32>]) -> Result<f64, MetricError> {
    if randomised.is_empty() {
        return Err(MetricError::Empty);
    }
    check_lengths(original.len(), original.len())?;
    check_finite(original)?;
    let magnitudes = |map: &[f32]| map.iter().map(|v| v.abs()).collect::<Vec<f32>>();
    let own = magnitudes(original);
    let alike = randomised.iter().map(|map| spearman(&own, &magnitudes(map)));
    let alike = alike.collect::<Result<Vec<f64>, _>>()?;
    Ok(super::mean(&alike))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_change_counts() {
        let found = max_sensitivity(&[3.0, 4.0], &[vec![3.0, 4.0], vec![3.0, 9.0]]);
        assert_eq!(found, Ok(1.0));
    }

    #[test]
    fn an_attribution_of_zeros_is_defined() {
        assert_eq!(max_sensitivity(&[0.0; 2], &[vec![0.0; 2]]), Ok(0.0));
        assert_eq!(max_sensitivity(&[0.0; 2], &[vec![1.0; 2]]), Ok(f64::MAX));
    }

    #[test]
    fn signs_do_not_matter_to_randomisation() {
        let map = [1.0, -2.0, 3.0];
        assert_eq!(randomisation(&map, &[vec![-1.0, 2.0, -3.0], vec![3.0, 2.0, 1.0]]), Ok(0.0));
        assert_eq!(randomisation(&map, &[map.to_vec()]), Ok(1.0));
    }

    #[test]
    fn bad_input_is_an_error() {
        assert_eq!(max_sensitivity(&[1.0], &[]), Err(MetricError::Empty));
        assert_eq!(randomisation(&[1.0], &[]), Err(MetricError::Empty));
        assert!(max_sensitivity(&[1.0], &[vec![1.0, 2.0]]).is_err());
        assert!(randomisation(&[1.0, f32::NAN], &[vec![1.0, 2.0]]).is_err());
    }
}
