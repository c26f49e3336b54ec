//! How alike maps are.

use saligate_models::metrics::rank::spearman;

use crate::error::Stop;

/// Rank correlation in [-1, 1]; none where one of the maps is the same everywhere and ranks nothing.
pub(crate) fn ranked(a: &[f32], b: &[f32]) -> Result<Option<f64>, Stop> {
    if is_flat(a) || is_flat(b) {
        return Ok(None);
    }
    Ok(Some(spearman(a, b)?))
}

/// Whether all values are equal.
pub(crate) fn is_flat(map: &[f32]) -> bool {
    map.iter().all(|value| value == &map[0])
}

/// Linear correlation in [-1, 1]; none where one side is the same everywhere.
pub(crate) fn linear(a: &[f32], b: &[f32]) -> Option<f64> {
    let count = a.len() as f64;
    let mean = |values: &[f32]| values.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
    let means = [mean(a), mean(b)];
    let sums = a.iter().zip(b).fold([0.0f64; 3], |[ab, aa, bb], (&x, &y)| {
        let (x, y) = (f64::from(x) - means[0], f64::from(y) - means[1]);
        [ab + x * y, aa + x * x, bb + y * y]
    });
    let scale = (sums[1] * sums[2]).sqrt();
    (scale > 0.0 && scale.is_finite()).then(|| sums[0] / scale)
}

/// For each map, its mean rank correlation with the others.
pub(crate) fn with_others(maps: &[Vec<f32>]) -> Result<Vec<f64>, Stop> {
    let ranks: Vec<Option<Vec<f32>>> = maps.iter().map(|map| standardized_ranks(map)).collect();
    let mut sums = vec![[0.0f64; 2]; maps.len()];
    for (at, own) in ranks.iter().enumerate() {
        for (other, theirs) in ranks.iter().enumerate().skip(at + 1) {
            let alike = match (own, theirs) {
                (Some(own), Some(theirs)) => {
                    own.iter().zip(theirs).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
                }
                // Two maps that rank nothing say the same.
                (None, None) => 1.0,
                _ => 0.0,
            };
            for place in [at, other] {
                sums[place][0] += alike;
                sums[place][1] += 1.0;
            }
        }
    }
    Ok(sums.iter().map(|[sum, count]| sum / count.max(1.0)).collect())
}

/// Ranks with mean zero and length one; none for a map that ranks nothing. Equal values share their
/// mean rank.
fn standardized_ranks(map: &[f32]) -> Option<Vec<f32>> {
    if is_flat(map) {
        return None;
    }
    let mut order: Vec<usize> = (0..map.len()).collect();
    order.sort_by(|&a, &b| map[a].total_cmp(&map[b]));
    let mut ranks = vec![0.0f32; map.len()];
    let mut first = 0;
    while first < order.len() {
        let value = map[order[first]];
        let equal = order[first..].iter().take_while(|&&at| map[at] == value).count();
        let rank = first as f32 + (equal - 1) as f32 / 2.0;
        order[first..first + equal].iter().for_each(|&at| ranks[at] = rank);
        first += equal;
    }
    let mean = (map.len() - 1) as f32 / 2.0;
    ranks.iter_mut().for_each(|rank| *rank -= mean);
    let length = ranks.iter().map(|r| f64::from(*r).powi(2)).sum::<f64>().sqrt() as f32;
    (length > 0.0).then(|| ranks.iter().map(|rank| rank / length).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortcut_agrees_with_the_metric() {
        let maps = [vec![1.0, 2.0, 2.0, 5.0], vec![3.0, 1.0, 2.0, 2.0], vec![0.0, 1.0, 2.0, 3.0]];
        let found = with_others(&maps).unwrap();
        let rho = |a: usize, b: usize| spearman(&maps[a], &maps[b]).unwrap();
        assert!((found[0] - (rho(0, 1) + rho(0, 2)) / 2.0).abs() < 1e-6);
        assert!((found[2] - (rho(0, 2) + rho(1, 2)) / 2.0).abs() < 1e-6);
    }

    #[test]
    fn flat_maps_say_the_same_as_each_other_and_nothing_of_others() {
        let maps = [vec![1.0; 3], vec![2.0; 3], vec![1.0, 2.0, 3.0]];
        assert_eq!(with_others(&maps).unwrap(), [0.5, 0.5, 0.0]);
        assert!(ranked(&maps[0], &maps[2]).unwrap().is_none());
    }

    #[test]
    fn a_line_has_correlation_one() {
        let (a, b) = ([1.0, 2.0, 4.0], [3.0, 5.0, 9.0]);
        assert!((linear(&a, &b).unwrap() - 1.0).abs() < 1e-12);
        assert!(linear(&a, &[1.0; 3]).is_none());
    }
}
