//! The pixels on top of a map.

use std::cmp::Ordering;

use saligate_measure::TOP;

/// The top pixels of a map: `round(TOP * pixels)` of them, at least one; the first among equals.
pub(crate) fn top(map: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..map.len()).collect();
    order.sort_by(|&a, &b| map[b].partial_cmp(&map[a]).unwrap_or(Ordering::Equal));
    order.truncate(((TOP * map.len() as f64).round() as usize).max(1));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_pixels_is_on_top() {
        let map: Vec<f32> = (0..20).map(|i| ((i * 7) % 20) as f32).collect();
        assert_eq!(top(&map).iter().map(|&i| map[i]).collect::<Vec<_>>(), [19.0, 18.0]);
        assert_eq!(top(&[1.0, 3.0, 3.0]), [1]);
        assert!(top(&[]).is_empty());
    }
}
