//! Overlap of the most salient pixels of two maps.

use super::{MetricError, check_pair, highest_first, is_constant};

/// Share of common pixels among the top `share` of each map, in `[0, 1]`; higher is more similar.
///
/// With n pixels, `k = round(share · n)`, at least 1: the result is |top-k(a) ∩ top-k(b)| / k. Of
/// equal values the one with the lower index counts as higher, so a map with fewer than k distinct
/// peaks is filled from the top left. Chance is `k / n`, which is about `share`. A constant map has
/// no top and scores chance against any map, itself included.
///
/// # Errors
/// [`MetricError::Share`] unless `0 < share <= 1`, and [`MetricError`] for empty maps, maps of two
/// lengths and values that are not finite.
pub fn top_k_overlap(a: &[f32], b: &[f32], share: f64) -> Result<f64, MetricError> {
    check_pair(a, b)?;
    if !(share > 0.0 && share <= 1.0) {
        return Err(MetricError::Share { share });
    }
    let pixels = a.len();
    let k = ((share * pixels as f64).round() as usize).clamp(1, pixels);
    if is_constant(a) || is_constant(b) {
        return Ok(k as f64 / pixels as f64);
    }
    let (top_a, top_b) = (top(a, k), top(b, k));
    let common = top_a.iter().zip(&top_b).filter(|(in_a, in_b)| **in_a && **in_b).count();
    Ok(common as f64 / k as f64)
}

/// Marks the `k` highest pixels.
fn top(map: &[f32], k: usize) -> Vec<bool> {
    let mut chosen = vec![false; map.len()];
    for &pixel in &highest_first(map)[..k] {
        chosen[pixel] = true;
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(pixels: usize) -> Vec<f32> {
        (0..pixels).map(|pixel| pixel as f32).collect()
    }

    #[test]
    fn identical_maps_overlap_fully() {
        assert_eq!(top_k_overlap(&ramp(100), &ramp(100), 0.1), Ok(1.0));
    }

    #[test]
    fn inverted_maps_do_not_overlap() {
        let inverted: Vec<f32> = ramp(100).iter().map(|value| -value).collect();
        assert_eq!(top_k_overlap(&ramp(100), &inverted, 0.1), Ok(0.0));
    }

    #[test]
    fn half_of_the_top_in_common_scores_one_half() {
        assert_eq!(top_k_overlap(&[9.0, 8.0, 0.0, 1.0], &[9.0, 0.0, 8.0, 1.0], 0.5), Ok(0.5));
    }

    #[test]
    fn a_constant_map_scores_chance() {
        assert_eq!(top_k_overlap(&[0.0; 100], &ramp(100), 0.1), Ok(0.1));
        assert_eq!(top_k_overlap(&[3.0; 100], &[3.0; 100], 0.1), Ok(0.1));
    }

    #[test]
    fn maps_made_independently_score_chance_on_average() {
        let pixels = 1000;
        let shuffled = |factor: usize| -> Vec<f32> {
            (0..pixels).map(|i| (i * factor % 1009) as f32).collect()
        };
        let scores: Vec<f64> = (2..102)
            .map(|factor| top_k_overlap(&shuffled(389), &shuffled(factor), 0.1).unwrap())
            .collect();
        let average = scores.iter().sum::<f64>() / scores.len() as f64;
        assert!((average - 0.1).abs() < 0.03, "average overlap {average}");
    }

    #[test]
    fn ties_fall_to_the_lower_index() {
        assert_eq!(top(&[1.0, 5.0, 1.0, 1.0], 2), [true, true, false, false]);
        assert_eq!(top(&[-0.0, 0.0, -1.0], 1), [true, false, false]);
    }

    #[test]
    fn at_least_one_pixel_is_compared() {
        assert_eq!(top_k_overlap(&[1.0, 2.0], &[3.0, 4.0], 0.01), Ok(1.0));
    }

    #[test]
    fn bad_input_is_an_error() {
        for share in [0.0, -0.1, 1.1] {
            assert_eq!(top_k_overlap(&[1.0], &[1.0], share), Err(MetricError::Share { share }));
        }
        assert!(matches!(top_k_overlap(&[1.0], &[1.0], f64::NAN), Err(MetricError::Share { .. })));
        assert_eq!(
            top_k_overlap(&[f32::NAN], &[1.0], 0.1),
            Err(MetricError::NotFinite { index: 0 })
        );
    }
}
