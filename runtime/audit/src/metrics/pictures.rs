//! A picture, and what is made of it to see what a model does.

use saligate_models::random::Stream;
use saligate_runtime::Model;
use saligate_runtime::picture::Picture;

use super::{MapSettings, MetricsError, Sample};

/// Side of the blur under insertion, as a part of the picture's.
const BLUR: usize = 16;

/// A picture, what the model says of it, and changed forms of it.
pub(super) struct Changed<'a> {
    pub(super) sample: &'a Sample,
    /// The predicted class, which is explained.
    pub(super) class: usize,
    /// Its mean colour everywhere.
    pub(super) flat: Vec<u8>,
    pub(super) blurred: Vec<u8>,
    /// With a part covered by the mean colour, and how much the logit falls by it.
    pub(super) covered: Vec<(Vec<u8>, f64)>,
    pub(super) noisy: Vec<Picture>,
}

impl<'a> Changed<'a> {
    pub(super) fn new(
        model: &Model,
        sample: &'a Sample,
        settings: &MapSettings,
        number: usize,
    ) -> Result<Self, MetricsError> {
        let picture = &sample.picture;
        let (rows, columns) = (picture.height(), picture.width());
        let plane = rows * columns;
        let means: Vec<u8> = picture
            .pixels()
            .chunks_exact(plane)
            .map(|channel| {
                let sum: usize = channel.iter().map(|&v| usize::from(v)).sum();
                ((sum + plane / 2) / plane) as u8
            })
            .collect();
        let flat: Vec<u8> =
            means.iter().flat_map(|&mean| std::iter::repeat_n(mean, plane)).collect();
        let prediction = model.predict(picture)?;
        let (class, logits) = (prediction.class, prediction.logits);
        let parts = settings.parts.clamp(1, rows.min(columns));
        let mut covered = Vec::with_capacity(parts * parts);
        for part in 0..parts * parts {
            let inside = |pixel: usize| {
                let (row, column) = (pixel / columns, pixel % columns);
                row * parts / rows * parts + column * parts / columns == part
            };
            let pixels = picture.pixels().iter().zip(&flat).enumerate();
            let pixels: Vec<u8> = pixels
                .map(|(at, (&own, &mean))| if inside(at % plane) { mean } else { own })
                .collect();
            let changed = with_pixels(picture, pixels.clone())?;
            let fall = f64::from(logits[class]) - f64::from(model.predict(&changed)?.logits[class]);
            covered.push((pixels, fall));
        }
        let mut stream = Stream::numbered(settings.seed, "noise of max-sensitivity", number as u64);
        let span = 2 * usize::from(settings.levels) + 1;
        let noisy = (0..settings.noisy).map(|_| {
            let step = |&byte: &u8| {
                let step = stream.below(span) as i16 - i16::from(settings.levels);
                (i16::from(byte) + step).clamp(0, 255) as u8
            };
            with_pixels(picture, picture.pixels().iter().map(step).collect())
        });
        let noisy = noisy.collect::<Result<_, _>>()?;
        let blurred = blurred(picture);
        Ok(Self { sample, class, flat, blurred, covered, noisy })
    }
}

/// A picture of the same shape.
pub(super) fn with_pixels(picture: &Picture, pixels: Vec<u8>) -> Result<Picture, MetricsError> {
    Ok(Picture::from_planar(picture.channels(), picture.height(), picture.width(), pixels)?)
}

/// Three means over windows, which come close to a Gaussian.
fn blurred(picture: &Picture) -> Vec<u8> {
    let (rows, columns) = (picture.height(), picture.width());
    let reach = (rows.min(columns) / BLUR).max(1);
    let mut all = Vec::with_capacity(picture.pixels().len());
    for channel in picture.pixels().chunks_exact(rows * columns) {
        let mut plane: Vec<f32> = channel.iter().map(|&v| f32::from(v)).collect();
        for _ in 0..3 {
            plane = transposed(&means(&plane, columns, reach), columns);
            plane = transposed(&means(&plane, rows, reach), rows);
        }
        all.extend(plane.iter().map(|v| v.round() as u8));
    }
    all
}

/// The mean of the neighbours in a row, as many as there are within reach.
fn means(plane: &[f32], columns: usize, reach: usize) -> Vec<f32> {
    let row_means = |row: &[f32]| -> Vec<f32> {
        (0..columns)
            .map(|at| {
                let near = &row[at.saturating_sub(reach)..(at + reach + 1).min(columns)];
                near.iter().sum::<f32>() / near.len() as f32
            })
            .collect()
    };
    plane.chunks_exact(columns).flat_map(row_means).collect()
}

fn transposed(plane: &[f32], columns: usize) -> Vec<f32> {
    let rows = plane.len() / columns;
    (0..plane.len()).map(|at| plane[at % rows * columns + at / rows]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blur_keeps_shapes_and_means() {
        let pixels: Vec<u8> = (0..6 * 4).map(|at| if at == 9 { 240 } else { 0 }).collect();
        let picture = Picture::from_planar(1, 6, 4, pixels).unwrap();
        let found = blurred(&picture);
        assert_eq!(found.len(), 24);
        assert!(found[9] < 100 && found[9] > 0 && found[5] > 0 && found[13] > 0);
        let even = Picture::from_planar(3, 5, 7, vec![77; 105]).unwrap();
        assert_eq!(blurred(&even), vec![77; 105]);
    }

    #[test]
    fn turning_twice_is_nothing() {
        let plane: Vec<f32> = (0..12).map(|v| v as f32).collect();
        assert_eq!(transposed(&transposed(&plane, 4), 3), plane);
        assert_eq!(transposed(&plane, 4)[..3], [0.0, 4.0, 8.0]);
    }
}
