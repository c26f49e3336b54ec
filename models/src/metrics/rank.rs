//! Rank correlation of two maps.

use super::{MetricError, check_pair, mean};

/// Spearman's rank correlation ρ over pixels, in `[-1, 1]`; higher is more similar, 0 is chance.
///
/// ρ is Pearson's correlation of the two rank vectors, tied values sharing the mean of their ranks
/// (Kendall and Stuart, The Advanced Theory of Statistics, vol. 2, §31; SciPy's `spearmanr`).
/// A constant map ranks nothing: its correlation with any map, itself included, is 0.
///
/// # Errors
/// [`MetricError`] for empty maps, maps of two lengths and values that are not finite.
pub fn spearman(a: &[f32], b: &[f32]) -> Result<f64, MetricError> {
    check_pair(a, b)?;
    Ok(pearson(&average_ranks(a), &average_ranks(b)))
}

/// Ranks from 1, ties sharing the mean of the ranks they cover.
fn average_ranks(map: &[f32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..map.len()).collect();
    order.sort_unstable_by(|&i, &j| map[i].total_cmp(&map[j]));
    let mut ranks = vec![0.0; map.len()];
    let mut below = 0;
    for tied in order.chunk_by(|&i, &j| map[i] == map[j]) {
        let shared = below as f64 + (tied.len() + 1) as f64 / 2.0;
        for &pixel in tied {
            ranks[pixel] = shared;
        }
        below += tied.len();
    }
    ranks
}

/// Pearson's correlation, 0 where either side is constant.
fn pearson(a: &[f64], b: &[f64]) -> f64 {
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut covariance, mut variance_a, mut variance_b) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (x - mean_a, y - mean_b);
        covariance += x * y;
        variance_a += x * x;
        variance_b += y * y;
    }
    if variance_a == 0.0 || variance_b == 0.0 {
        return 0.0;
    }
    (covariance / (variance_a * variance_b).sqrt()).clamp(-1.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "expected {expected}, found {found}");
    }

    #[test]
    fn the_same_order_scores_one_whatever_the_values() {
        close(spearman(&[1.0, 2.0, 3.0], &[-5.0, 0.0, 1e30]).unwrap(), 1.0);
    }

    #[test]
    fn an_inverted_map_scores_minus_one() {
        let map = [0.3, -2.0, 7.0, 0.0];
        close(spearman(&map, &map.map(|value| -value)).unwrap(), -1.0);
    }

    #[test]
    fn orthogonal_rankings_score_zero() {
        close(spearman(&[1.0, 2.0, 3.0, 4.0], &[2.0, 4.0, 1.0, 3.0]).unwrap(), 0.0);
    }

    #[test]
    fn a_constant_map_scores_zero_even_against_itself() {
        assert_eq!(spearman(&[0.0; 4], &[1.0, 2.0, 3.0, 4.0]), Ok(0.0));
        assert_eq!(spearman(&[7.0; 4], &[7.0; 4]), Ok(0.0));
        assert_eq!(spearman(&[7.0], &[7.0]), Ok(0.0));
    }

    #[test]
    fn both_zeros_are_one_value() {
        assert_eq!(average_ranks(&[0.0, -0.0, 1.0]), [1.5, 1.5, 3.0]);
    }

    /// `scipy.stats.spearmanr([1,2,2,3,5,5,5,-1], [2,1,4,4,0,9,8,-3]).statistic`, SciPy 1.17.1.
    #[test]
    fn ties_agree_with_scipy() {
        let a = [1.0, 2.0, 2.0, 3.0, 5.0, 5.0, 5.0, -1.0];
        let b = [2.0, 1.0, 4.0, 4.0, 0.0, 9.0, 8.0, -3.0];
        close(spearman(&a, &b).unwrap(), 0.574_249_150_038_520_6);
    }

    #[test]
    fn bad_input_is_an_error() {
        assert_eq!(spearman(&[], &[]), Err(MetricError::Empty));
        assert_eq!(
            spearman(&[1.0], &[1.0, 2.0]),
            Err(MetricError::Length { expected: 1, found: 2 })
        );
        assert_eq!(
            spearman(&[1.0, 2.0], &[1.0, f32::NAN]),
            Err(MetricError::NotFinite { index: 1 })
        );
    }
}
