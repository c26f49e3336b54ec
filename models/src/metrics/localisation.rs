//! Does the map point at the object that a mask marks?

use super::error::{check_finite, check_lengths};
use super::{MetricError, is_constant};

/// Pointing game: whether the highest pixel lies in the mask. Over images the share of hits is
/// reported, in `[0, 1]`; higher is better, chance is the mean share of masked pixels.
///
/// Zhang et al., Top-down Neural Attention by Excitation Backprop, 2016, section 4.2, without their
/// tolerance of 15 pixels, which exceeds our images. Of equal highest pixels the one with the
/// lowest index decides. A constant map points nowhere and misses.
///
/// # Shapes
/// `map` and `mask`: `[height, width]`, row-major; `true` marks the object.
///
/// # Errors
/// [`MetricError`] for empty maps, a mask of another length and values that are not finite.
pub fn pointing_game(map: &[f32], mask: &[bool]) -> Result<bool, MetricError> {
    check(map, mask)?;
    if is_constant(map) {
        return Ok(false);
    }
    let highest = map.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let peak = map.iter().zip(mask).find(|(value, _)| **value == highest);
    Ok(peak.is_some_and(|(_, inside)| *inside))
}

/// Share of the positive relevance that lies in the mask, in `[0, 1]`; higher is better, a uniform
/// map scores the share of masked pixels.
///
/// Relevance mass accuracy of Arras, Osman and Samek, CLEVR-XAI, 2022, over the positive part of
/// the map. A map without positive values scores 0.
///
/// # Shapes
/// `map` and `mask`: `[height, width]`, row-major; `true` marks the object.
///
/// # Errors
/// [`MetricError`] for empty maps, a mask of another length and values that are not finite.
pub fn relevance_inside(map: &[f32], mask: &[bool]) -> Result<f64, MetricError> {
    check(map, mask)?;
    let (mut inside, mut total) = (0.0, 0.0);
    for (&value, &marked) in map.iter().zip(mask) {
        let mass = f64::from(value.max(0.0));
        total += mass;
        if marked {
            inside += mass;
        }
    }
    Ok(if total > 0.0 { inside / total } else { 0.0 })
}

fn check(map: &[f32], mask: &[bool]) -> Result<(), MetricError> {
    check_lengths(map.len(), mask.len())?;
    check_finite(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [bool; 4] = [false, true, true, false];

    #[test]
    fn a_map_inside_the_mask_scores_best() {
        assert_eq!(pointing_game(&[0.0, 1.0, 2.0, 0.0], &MASK), Ok(true));
        assert_eq!(relevance_inside(&[0.0, 1.0, 2.0, 0.0], &MASK), Ok(1.0));
    }

    #[test]
    fn a_map_outside_the_mask_scores_worst() {
        assert_eq!(pointing_game(&[1.0, 0.0, 0.0, 3.0], &MASK), Ok(false));
        assert_eq!(relevance_inside(&[1.0, 0.0, 0.0, 3.0], &MASK), Ok(0.0));
    }

    #[test]
    fn a_uniform_map_misses_and_spreads_evenly() {
        assert_eq!(pointing_game(&[2.0; 4], &[true; 4]), Ok(false));
        assert_eq!(relevance_inside(&[2.0; 4], &MASK), Ok(0.5));
    }

    #[test]
    fn negative_relevance_does_not_count() {
        assert_eq!(relevance_inside(&[1.0, 3.0, -5.0, -9.0], &MASK), Ok(0.75));
        assert_eq!(pointing_game(&[-3.0, -1.0, -2.0, -4.0], &MASK), Ok(true));
    }

    #[test]
    fn without_positive_relevance_the_share_is_zero() {
        assert_eq!(relevance_inside(&[0.0; 4], &MASK), Ok(0.0));
        assert_eq!(relevance_inside(&[-1.0; 4], &MASK), Ok(0.0));
    }

    #[test]
    fn of_equal_peaks_the_first_decides() {
        assert_eq!(pointing_game(&[0.0, 5.0, 0.0, 5.0], &MASK), Ok(true));
        assert_eq!(pointing_game(&[5.0, 5.0, 0.0, 0.0], &MASK), Ok(false));
    }

    #[test]
    fn an_empty_mask_is_never_hit() {
        assert_eq!(pointing_game(&[1.0, 2.0], &[false; 2]), Ok(false));
        assert_eq!(relevance_inside(&[1.0, 2.0], &[false; 2]), Ok(0.0));
    }

    #[test]
    fn bad_input_is_an_error() {
        assert_eq!(pointing_game(&[], &[]), Err(MetricError::Empty));
        assert_eq!(
            relevance_inside(&[1.0], &MASK),
            Err(MetricError::Length { expected: 1, found: 4 })
        );
        assert_eq!(pointing_game(&[f32::NAN; 4], &MASK), Err(MetricError::NotFinite { index: 0 }));
    }
}
