//! What is left of the importance of the most salient pixels.

use super::{MetricError, check_pair, highest_first};

/// Importance that the top `share` of the pixels of `original` keep in `map`: the sum of the
/// min-max `map` over them, over the sum of the min-max `original`. 1 where nothing changed, 0 where
/// all of it is gone; lower is a stronger untargeted attack.
///
/// With n pixels, the top are `round(share · n)` pixels, at least 1. `None` where the original is
/// constant and nothing is on top. A constant `map` keeps nothing.
///
/// # Errors
/// [`MetricError::Share`] unless `0 < share <= 1`, and [`MetricError`] for empty maps, maps of two
/// lengths and values that are not finite.
pub fn importance_kept(
    map: &[f32],
    original: &[f32],
    share: f64,
) -> Result<Option<f64>, MetricError> {
    check_pair(map, original)?;
    if !(share > 0.0 && share <= 1.0) {
        return Err(MetricError::Share { share });
    }
    let count = ((share * map.len() as f64).round() as usize).clamp(1, map.len());
    let top = &highest_first(original)[..count];
    let before = importance(original, top);
    Ok((before > 0.0).then(|| importance(map, top) / before))
}

/// Sum of the min-max map over some pixels; 0 for a constant map.
fn importance(map: &[f32], pixels: &[usize]) -> f64 {
    let (low, high) =
        map.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
    if low == high {
        return 0.0;
    }
    let (low, range) = (f64::from(low), f64::from(high) - f64::from(low));
    pixels.iter().map(|&p| (f64::from(map[p]) - low) / range).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unchanged_map_keeps_all() {
        let map = [0.5, 3.0, 1.0, 2.0];
        assert_eq!(importance_kept(&map, &map, 0.5), Ok(Some(1.0)));
    }

    #[test]
    fn the_top_pixels_of_the_original_count() {
        // Top two of the original: min-max 1 and 1/2. In the map they are 1/4 and 0.
        let kept = importance_kept(&[1.0, 0.0, 4.0, 2.0], &[2.0, 1.0, 0.0, 0.0], 0.5);
        assert_eq!(kept, Ok(Some(0.25 / 1.5)));
    }

    #[test]
    fn constant_maps_keep_and_have_nothing() {
        assert_eq!(importance_kept(&[1.0; 3], &[1.0, 2.0, 3.0], 0.1), Ok(Some(0.0)));
        assert_eq!(importance_kept(&[1.0, 2.0, 3.0], &[1.0; 3], 0.1), Ok(None));
    }

    #[test]
    fn shares_out_of_range_are_refused() {
        for share in [0.0, 1.5, f64::NAN] {
            assert!(matches!(
                importance_kept(&[1.0], &[1.0], share),
                Err(MetricError::Share { .. })
            ));
        }
    }
}
