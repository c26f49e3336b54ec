//! Maps in a few parts, as what a coarse map can be compared in.

use crate::error::Stop;
use crate::similarity::ranked;

/// Parts along a side.
pub(super) const PARTS: usize = 8;

/// The part that a pixel lies in.
pub(super) fn place(pixel: usize, rows: usize, columns: usize) -> usize {
    (pixel / columns * PARTS / rows) * PARTS + pixel % columns * PARTS / columns
}

/// The mean of a map `[row, column]` of the picture's size in every part.
pub(super) fn parts(map: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let (mut sums, mut counts) = ([0.0f32; PARTS * PARTS], [0.0f32; PARTS * PARTS]);
    for (pixel, value) in map.iter().enumerate() {
        sums[place(pixel, rows, columns)] += value;
        counts[place(pixel, rows, columns)] += 1.0;
    }
    sums.iter().zip(&counts).map(|(sum, count)| sum / count.max(1.0)).collect()
}

/// Correlation of each pair; 0 where a map ranks nothing.
pub(super) fn correlations(ones: &[Vec<f32>], others: &[Vec<f32>]) -> Result<Vec<f64>, Stop> {
    let pairs = ones.iter().zip(others);
    pairs.map(|(one, other)| Ok(ranked(one, other)?.unwrap_or(0.0))).collect()
}

/// Standardized maps without their mean over the pictures.
pub(super) fn less_mean(maps: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let scored: Vec<Vec<f32>> = maps.iter().map(|map| z_scored(map)).collect();
    let mut mean = vec![0.0f32; scored[0].len()];
    for map in &scored {
        mean.iter_mut().zip(map).for_each(|(m, v)| *m += v / scored.len() as f32);
    }
    scored.iter().map(|map| map.iter().zip(&mean).map(|(v, m)| v - m).collect()).collect()
}

fn z_scored(map: &[f32]) -> Vec<f32> {
    let count = map.len() as f32;
    let mean = map.iter().sum::<f32>() / count;
    let deviation = (map.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / count).sqrt();
    map.iter().map(|v| (v - mean) / deviation.max(f32::MIN_POSITIVE)).collect()
}
