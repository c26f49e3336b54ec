//! Does an attribution say how the score changes?

use super::MetricError;

/// Mean squared difference between the change of the score that an attribution promises, the sum of
/// its products with the change of the pixels, and the one that is found, in squared units of the
/// score; lower is better.
///
/// Yeh et al., On the (In)fidelity and Sensitivity of Explanations, NeurIPS 2019, definition 2.1; the
/// perturbations are the caller's ([`promised`] makes one of the promises).
///
/// # Errors
/// [`MetricError`] without changes, for two lengths and values that are not finite.
pub fn infidelity(promised: &[f64], found: &[f64]) -> Result<f64, MetricError> {
    check(promised, found)?;
    Ok(mean_square(promised, found, 1.0))
}

/// The same for the scale of the attribution at which it is smallest, as a share of the mean square of
/// the changes that are found, in `[0, 1]`: 0 where the attribution is the changes up to a factor, 1
/// where it says nothing of them. Methods whose units differ can be compared by it (the scale is that
/// of the paper's section 5). Where the score does not change, it is 0.
///
/// # Errors
/// As [`infidelity`].
pub fn scaled_infidelity(promised: &[f64], found: &[f64]) -> Result<f64, MetricError> {
    check(promised, found)?;
    let product: f64 = promised.iter().zip(found).map(|(p, f)| p * f).sum();
    let square: f64 = promised.iter().map(|p| p * p).sum();
    let scale = if square > 0.0 { product / square } else { 0.0 };
    let all = found.iter().map(|f| f * f).sum::<f64>() / found.len() as f64;
    Ok(if all > 0.0 { (mean_square(promised, found, scale) / all).min(1.0) } else { 0.0 })
}

/// What an attribution promises for a change of the pixels: the sum of products, in units of the
/// score.
///
/// # Errors
/// [`MetricError::Length`] where the lengths differ.
pub fn promised(attribution: &[f32], before: &[f32], after: &[f32]) -> Result<f64, MetricError> {
    for other in [before, after] {
        if other.len() != attribution.len() {
            return Err(MetricError::Length { expected: attribution.len(), found: other.len() });
        }
    }
    let change = before.iter().zip(after).map(|(b, a)| f64::from(*b) - f64::from(*a));
    Ok(attribution.iter().zip(change).map(|(&value, change)| f64::from(value) * change).sum())
}

fn check(promised: &[f64], found: &[f64]) -> Result<(), MetricError> {
    if promised.is_empty() {
        return Err(MetricError::Empty);
    }
    if promised.len() != found.len() {
        return Err(MetricError::Length { expected: promised.len(), found: found.len() });
    }
    let bad = promised.iter().zip(found).position(|(p, f)| !p.is_finite() || !f.is_finite());
    bad.map_or(Ok(()), |index| Err(MetricError::NotFinite { index }))
}

fn mean_square(promised: &[f64], found: &[f64], scale: f64) -> f64 {
    let squares = promised.iter().zip(found).map(|(p, f)| (scale * p - f).powi(2));
    squares.sum::<f64>() / found.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_score_is_explained_by_its_weights() {
        let (weights, before) = ([2.0, -1.0, 0.5], [1.0, 2.0, 3.0]);
        let score = |x: &[f32]| {
            x.iter().zip(&weights).map(|(&x, &w): (&f32, &f32)| f64::from(x * w)).sum::<f64>()
        };
        let after = [[0.0, 2.0, 3.0], [1.0, 0.0, 0.0]];
        let promises: Vec<f64> =
            after.iter().map(|a| promised(&weights, &before, a).unwrap()).collect();
        let found: Vec<f64> = after.iter().map(|a| score(&before) - score(a)).collect();
        assert_eq!(infidelity(&promises, &found), Ok(0.0));
        let half: Vec<f64> = promises.iter().map(|p| p / 2.0).collect();
        assert!(infidelity(&half, &found).unwrap() > 0.1);
        assert!(scaled_infidelity(&half, &found).unwrap() < 1e-12);
    }

    #[test]
    fn an_attribution_that_says_nothing_has_all_of_it() {
        assert_eq!(scaled_infidelity(&[0.0, 0.0], &[1.0, -1.0]), Ok(1.0));
        assert_eq!(scaled_infidelity(&[1.0, 1.0], &[1.0, -1.0]), Ok(1.0));
        assert_eq!(scaled_infidelity(&[1.0, 2.0], &[0.0, 0.0]), Ok(0.0));
    }

    #[test]
    fn bad_input_is_an_error() {
        assert_eq!(infidelity(&[], &[]), Err(MetricError::Empty));
        assert_eq!(
            infidelity(&[1.0], &[1.0, 2.0]),
            Err(MetricError::Length { expected: 1, found: 2 })
        );
        assert_eq!(
            scaled_infidelity(&[1.0], &[f64::NAN]),
            Err(MetricError::NotFinite { index: 0 })
        );
        assert!(promised(&[1.0], &[1.0, 2.0], &[1.0]).is_err());
    }
}
