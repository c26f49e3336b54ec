//! The chance floor: how well maps do that were made without the model.

use saligate_models::metrics::interval::{Mean, Rate};
use saligate_models::metrics::localisation::pointing_game;
use saligate_models::metrics::rank::spearman;

use crate::MeasureError;
use crate::evaluate::Metrics;
use saligate_data::Dataset;

/// `spearman_floor` and, where there are masks, `pointing_floor`: the best of the mean map, a
/// centre prior and the edges of the image.
///
/// `maps` are the clean model's, `[row, column]`, of the first images of `data`.
pub(crate) fn measure(data: &Dataset, maps: &[&[f32]]) -> Result<Metrics, MeasureError> {
    let shape = data.shape();
    let average = mean_map(maps, shape.pixels());
    let centre = centre_prior(shape.height, shape.width);
    let guesses: [&dyn Fn(usize) -> Vec<f32>; 3] =
        [&|_| average.clone(), &|_| centre.clone(), &|index| {
            edges(data.image(index), shape.height, shape.width)
        }];
    let mut metrics = Metrics::new();
    for guess in guesses {
        let mut similarities = Vec::new();
        let mut hits = Vec::new();
        for (index, map) in maps.iter().enumerate() {
            let guessed = guess(index);
            similarities.push(spearman(&guessed, map)?);
            if let Some(object) = data.object(index) {
                hits.push(pointing_game(&guessed, &object)?);
            }
        }
        if let Ok(Mean { value, low, high, .. }) = Mean::of(&similarities) {
            keep_best(&mut metrics, "spearman_floor", (value, [low, high]));
        }
        let hit = hits.iter().filter(|&&hit| hit).count();
        if let Ok(Rate { value, low, high, .. }) = Rate::of(hit as u64, hits.len() as u64) {
            keep_best(&mut metrics, "pointing_floor", (value, [low, high]));
        }
    }
    Ok(metrics)
}

fn keep_best(metrics: &mut Metrics, name: &str, found: (f64, [f64; 2])) {
    let best = metrics.entry(name.to_owned()).or_insert(found);
    if found.0 > best.0 {
        *best = found;
    }
}

pub(crate) fn mean_map(maps: &[&[f32]], pixels: usize) -> Vec<f32> {
    let mut mean = vec![0.0f32; pixels];
    for map in maps {
        mean.iter_mut().zip(*map).for_each(|(m, v)| *m += v / maps.len() as f32);
    }
    mean
}

/// Highest in the middle, falling with the distance from it.
fn centre_prior(height: usize, width: usize) -> Vec<f32> {
    let off = |at: usize, size: usize| (at as f32 + 0.5) / size as f32 - 0.5;
    let value = |pixel: usize| {
        let (y, x) = (off(pixel / width, height), off(pixel % width, width));
        -(y * y + x * x)
    };
    (0..height * width).map(value).collect()
}

/// Magnitude of the Sobel gradient, the largest over channels; zero on the border.
fn edges(image: &[u8], height: usize, width: usize) -> Vec<f32> {
    let mut magnitude = vec![0.0f32; height * width];
    for plane in image.chunks_exact(height * width) {
        let at = |y: usize, x: usize| f32::from(plane[y * width + x]);
        for y in 1..height.saturating_sub(1) {
            for x in 1..width.saturating_sub(1) {
                let column = |x: usize| at(y - 1, x) + 2.0 * at(y, x) + at(y + 1, x);
                let row = |y: usize| at(y, x - 1) + 2.0 * at(y, x) + at(y, x + 1);
                let (dx, dy) = (column(x + 1) - column(x - 1), row(y + 1) - row(y - 1));
                let slot = &mut magnitude[y * width + x];
                *slot = slot.max((dx * dx + dy * dy).sqrt());
            }
        }
    }
    magnitude
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_stand_where_brightness_changes() {
        let image: Vec<u8> = (0..36).map(|i| if i % 6 < 3 { 0 } else { 255 }).collect();
        let found = edges(&image, 6, 6);
        assert!(found[6 + 2] > 0.0 && found[6 + 3] > 0.0);
        assert_eq!(found[6 + 1], 0.0);
    }

    #[test]
    fn the_centre_prior_peaks_in_the_middle() {
        let prior = centre_prior(5, 5);
        assert!((0..25).all(|i| prior[i] <= prior[12]));
    }
}
