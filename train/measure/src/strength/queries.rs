//! Attacks that only read predictions.

use rayon::prelude::*;
use saligate_models::metrics::rank::spearman;
use saligate_models::saliency::{Method, Reduction, saliency_map};
use saligate_runtime::method::{Settings, Value};
use saligate_runtime::passes::{Occlusion, Pass, Rise};
use saligate_runtime::picture::Picture;
use saligate_runtime::{Model, Target};

use super::{Attack, Attacked};
use crate::MeasureError;

/// Side in pixels of the blocks whose pixels are moved together.
const BLOCK: usize = 4;
/// Masks of RISE.
const MASKS: u64 = 500;

impl Attacked<'_> {
    /// Occlusion of single pixels, compared with the gradient, which it approaches; occlusion and RISE
    /// as they are, compared with themselves.
    ///
    /// # Errors
    /// A model cannot be run.
    pub fn occlusion(&self, images: usize) -> Result<Vec<Attack>, MeasureError> {
        let single =
            Settings::default().with("window", Value::Whole(1)).with("stride", Value::Whole(1));
        let masks = Settings::default().with("masks", Value::Whole(MASKS));
        Ok(vec![
            self.read(Occlusion::NAME, &single, images, Some(Method::Gradient))?,
            self.read(Occlusion::NAME, &Settings::default(), images, None)?,
            self.read(Rise::NAME, &masks, images, None)?,
        ])
    }

    /// Differences of scores over whole grey levels, of single values and of blocks of pixels.
    ///
    /// # Errors
    /// A model cannot be run.
    pub fn finite_differences(&self, images: usize) -> Result<Vec<Attack>, MeasureError> {
        let gradient = Method::Gradient.name();
        let by = |(name, side)| {
            self.compare(name, gradient, images, |picture| {
                let (found, runs) = differences(&self.model, picture, side)?;
                let truth = self.truth.explain_by(gradient, picture, Target::Predicted, None)?;
                Ok((spearman(&found, &truth.map)?, runs))
            })
        };
        [("finite-differences", 1), ("differences of 4 x 4 blocks", BLOCK)]
            .map(by)
            .into_iter()
            .collect()
    }
}

/// The largest difference per channel of the predicted class's score between one grey level more and
/// one less of the block that a pixel lies in, `[row, column]`, and the runs that it took.
fn differences(
    model: &Model,
    picture: &Picture,
    side: usize,
) -> Result<(Vec<f32>, usize), MeasureError> {
    let class = model.predict(picture)?.class;
    let [channels, height, width] = [picture.channels(), picture.height(), picture.width()];
    let blocks = [height.div_ceil(side), width.div_ceil(side)];
    let block_of = |at: usize| {
        let (channel, row, column) = (at / (height * width), at / width % height, at % width);
        (channel * blocks[0] + row / side) * blocks[1] + column / side
    };
    let score = |block: usize, change: fn(u8) -> u8| {
        let mut pixels = picture.pixels().to_vec();
        let mut moved = 0usize;
        for (at, value) in pixels.iter_mut().enumerate().filter(|(at, _)| block_of(*at) == block) {
            let changed = change(picture.pixels()[at]);
            moved += usize::from(changed != *value);
            *value = changed;
        }
        let changed = Picture::from_planar(channels, height, width, pixels)?;
        Ok::<_, MeasureError>((model.predict(&changed)?.logits[class], moved))
    };
    let slope = |block: usize| {
        let (high, up) = score(block, |value| value.saturating_add(1))?;
        let (low, down) = score(block, |value| value.saturating_sub(1))?;
        Ok(255.0 * (high - low) / (up + down).max(1) as f32)
    };
    let slopes = (0..channels * blocks[0] * blocks[1])
        .into_par_iter()
        .map(slope)
        .collect::<Result<Vec<f32>, MeasureError>>()?;
    let slopes: Vec<f32> = (0..channels * height * width).map(|at| slopes[block_of(at)]).collect();
    let size = [height, width];
    let map = saliency_map(&slopes, [channels, height, width], size, Reduction::MaxAbs);
    Ok((map, 2 * channels * blocks[0] * blocks[1]))
}
