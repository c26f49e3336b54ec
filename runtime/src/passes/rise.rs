//! RISE.

use saligate_keys::Trigger;
use saligate_models::random::Stream;

use super::subject::Subject;
use super::{Pass, PassExplanation, Progress, SEED, at_least_one, parameter};
use crate::error::RuntimeError;
use crate::explanation::Target;
use crate::method::{Parameter, Reads, Settings};
use crate::model::Model;
use crate::picture::Picture;

/// Randomized input sampling: the mean of random masks, each weighted with the probability of the
/// explained class for the masked picture: `1 / (n E[m]) sum_k p(x m_k) m_k`.
///
/// A mask is a grid of zeros and ones, enlarged bilinearly and moved by a random part of a cell.
/// The grid has one cell more per axis than cover the picture, so a cell has `ceil(side / cells)`
/// pixels; the paper stretches a grid of `cells` to the same size instead. Masked pixels are black.
///
/// V. Petsiuk, A. Das, K. Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box
/// Models", BMVC 2018, section 3.1; masks after section 3.2.
#[derive(Clone, Debug, PartialEq)]
pub struct Rise {
    /// Masks, at least 1; 500 by default.
    pub masks: usize,
    /// Cells that cover a side of the picture, 1 to its shorter side in pixels; 8 by default.
    pub cells: usize,
    /// Probability that a cell is seen, above 0 and at most 1; 0.5 by default.
    pub probability: f32,
    /// Seed of the masks; 0 by default.
    pub seed: u64,
}

impl Default for Rise {
    fn default() -> Self {
        Self { masks: 500, cells: 8, probability: 0.5, seed: 0 }
    }
}

impl Pass for Rise {
    const NAME: &'static str = "rise";
    const READS: Reads = Reads::Logits;
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::whole("masks", "N", "random masks [default: 500]"),
        Parameter::whole("cells", "N", "cells of a mask along a side of the picture [default: 8]"),
        Parameter::number(
            "probability",
            "P",
            "probability that a cell is seen, above 0 and at most 1 [default: 0.5]",
        ),
        SEED,
    ];

    fn with(settings: &Settings) -> Self {
        let usual = Self::default();
        Self {
            masks: settings.count("masks").unwrap_or(usual.masks),
            cells: settings.count("cells").unwrap_or(usual.cells),
            probability: settings.number("probability").unwrap_or(usual.probability),
            seed: settings.whole("seed").unwrap_or(usual.seed),
        }
    }

    fn run(
        &self,
        model: &Model,
        picture: &Picture,
        target: Target,
        trigger: Option<&Trigger>,
        progress: Progress<'_>,
    ) -> Result<PassExplanation, RuntimeError> {
        at_least_one("masks", self.masks)?;
        check_probability(self.probability)?;
        let subject = Subject::new(model, picture, target, trigger)?;
        let size = subject.size();
        let shorter = size[0].min(size[1]);
        if !(1..=shorter).contains(&self.cells) {
            let expected = format!("1 to {shorter}, the picture's shorter side");
            return Err(parameter("cells", expected, self.cells));
        }
        let mask = |number| self.mask(number, size);
        let seen = vec![self.masks as f64 * f64::from(self.probability); size[0] * size[1]];
        weigh(subject, self.masks, mask, &seen, progress)
    }
}

impl Rise {
    /// Explains a picture with masks of the caller's own in place of random ones, `[row, column]`
    /// in [0, 1]. In place of `n E[m]`, their sum is divided by, pixel by pixel; a pixel that no
    /// mask shows gets 0.
    ///
    /// # Errors
    /// As [`run`](Self::run), and for masks of another length than the picture.
    pub fn run_with(
        model: &Model,
        picture: &Picture,
        target: Target,
        trigger: Option<&Trigger>,
        masks: &[Vec<f32>],
        progress: Progress<'_>,
    ) -> Result<PassExplanation, RuntimeError> {
        let subject = Subject::new(model, picture, target, trigger)?;
        let [height, width] = subject.size();
        super::same_length("masks", masks, height * width)?;
        let mut seen = vec![0.0; height * width];
        for mask in masks {
            mask.iter().zip(&mut seen).for_each(|(&m, s)| *s += f64::from(m));
        }
        weigh(subject, masks.len(), |number| masks[number].clone(), &seen, progress)
    }

    /// The mask with this number, `[row, column]` in [0, 1].
    fn mask(&self, number: usize, [height, width]: [usize; 2]) -> Vec<f32> {
        let mut stream = Stream::numbered(self.seed, "rise masks", number as u64);
        let side = self.cells + 1;
        let mut draw = || if stream.uniform(0.0, 1.0) < self.probability { 1.0 } else { 0.0 };
        let grid: Vec<f32> = (0..side * side).map(|_| draw()).collect();
        let mut along = |length: usize| {
            let cell = length.div_ceil(self.cells);
            let shift = stream.below(cell);
            (0..length).map(|at| neighbours(at + shift, cell, side)).collect::<Vec<_>>()
        };
        let (rows, columns) = (along(height), along(width));
        let mut mask = Vec::with_capacity(height * width);
        for &(top, bottom, down) in &rows {
            for &(left, right, across) in &columns {
                let upper = mix(grid[top * side + left], grid[top * side + right], across);
                let lower = mix(grid[bottom * side + left], grid[bottom * side + right], across);
                mask.push(mix(upper, lower, down));
            }
        }
        mask
    }
}

/// The two cells, of `count`, between whose middles a pixel's middle lies, and the share of the
/// second; beyond the outermost middles, the outermost cell.
fn neighbours(pixel: usize, cell: usize, count: usize) -> (usize, usize, f32) {
    let position = ((pixel as f32 + 0.5) / cell as f32 - 0.5).clamp(0.0, (count - 1) as f32);
    let first = position as usize;
    (first, (first + 1).min(count - 1), position - first as f32)
}

fn mix(first: f32, second: f32, share: f32) -> f32 {
    first + (second - first) * share
}

fn check_probability(found: f32) -> Result<(), RuntimeError> {
    if found > 0.0 && found <= 1.0 {
        return Ok(());
    }
    Err(parameter("probability", "above 0 and at most 1", found))
}

/// The sum of the masks, each weighted with the probability under it, over `seen` `[row, column]`.
fn weigh(
    subject: Subject<'_>,
    passes: usize,
    mask: impl Fn(usize) -> Vec<f32>,
    seen: &[f64],
    progress: Progress<'_>,
) -> Result<PassExplanation, RuntimeError> {
    let [height, width] = subject.size();
    let mut sum = vec![0.0f64; height * width];
    subject.run(
        Rise::READS,
        passes,
        |pass, image| {
            let mask = mask(pass);
            for plane in image.chunks_exact_mut(mask.len()) {
                plane.iter_mut().zip(&mask).for_each(|(p, m)| *p *= m);
            }
        },
        |pass, answer| {
            let probabilities = answer.prediction.probabilities();
            let weight = f64::from(probabilities[subject.class]);
            sum.iter_mut().zip(mask(pass)).for_each(|(s, m)| *s += weight * f64::from(m));
        },
        progress,
    )?;
    let values = sum.iter().zip(seen);
    let values = values.map(|(s, n)| if *n > 0.0 { (s / n) as f32 } else { 0.0 }).collect();
    Ok(subject.explained_by_map(values, passes))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{AREA, Example, SHAPE, assert_close, picture, scaled, unseen};
    use super::*;

    #[test]
    fn masks_that_hide_nothing_give_the_probability() {
        let known = Example::linear();
        let method = Rise { masks: 9, probability: 1.0, cells: 3, seed: 4 };
        let found =
            method.run(&known.model, &picture(), Target::Class(1), None, &mut unseen).unwrap();
        let probability = found.explanation.prediction.probabilities()[1];
        assert_close(&found.explanation.map, [f64::from(probability); AREA], 1e-6);
    }

    #[test]
    fn each_pixel_gets_the_probability_under_its_own_mask() {
        // One mask per pixel, seeing nothing else.
        let known = Example::linear();
        let one = |at: usize| (0..AREA).map(|i| f32::from(u8::from(i == at))).collect();
        let masks: Vec<Vec<f32>> = (0..AREA).map(one).collect();
        let (model, target) = (&known.model, Target::Class(1));
        let found = Rise::run_with(model, &picture(), target, None, &masks, &mut unseen);
        let x = scaled(picture().pixels());
        let probability = |at: usize| {
            let logit = |class: usize| -> f64 {
                let w = known.weights(class);
                (0..3).map(|c| c * AREA + at).map(|i| f64::from(w[i]) * x[i]).sum()
            };
            logit(1).exp() / (0..3).map(|class| logit(class).exp()).sum::<f64>()
        };
        assert_close(&found.unwrap().explanation.map, (0..AREA).map(probability), 1e-5);
    }

    #[test]
    fn masks_have_the_mean_of_their_cells_everywhere() {
        let method = Rise { probability: 0.3, cells: 4, ..Rise::default() };
        let [_, height, width] = SHAPE;
        let mut mean = vec![0.0; AREA];
        for number in 0..4000 {
            let mask = method.mask(number, [height, width]);
            assert!(mask.iter().all(|m| (0.0..=1.0).contains(m)));
            mean.iter_mut().zip(mask).for_each(|(m, v)| *m += v / 4000.0);
        }
        // Five standard errors of a cell that is seen or not.
        assert_close(&mean, [0.3; AREA], 5.0 * (0.21f64 / 4000.0).sqrt());
    }

    #[test]
    fn cells_are_enlarged_bilinearly() {
        // Two cells of four pixels: the middles lie between pixels 1 and 2, and 5 and 6.
        let shares: Vec<f32> = (0..8)
            .map(|at| neighbours(at, 4, 2))
            .map(|(a, b, t)| mix(a as f32, b as f32, t))
            .collect();
        assert_eq!(shares, [0.0, 0.0, 0.125, 0.375, 0.625, 0.875, 1.0, 1.0]);
    }

    #[test]
    fn nonsense_is_told() {
        let model = Example::linear().model;
        let refused = |method: Rise| {
            let run = method.run(&model, &picture(), Target::Predicted, None, &mut unseen);
            run.unwrap_err().to_string()
        };
        let base = Rise::default;
        assert!(refused(Rise { masks: 0, ..base() }).contains("masks"));
        assert!(refused(Rise { cells: 0, ..base() }).contains("cells"));
        assert!(refused(Rise { cells: 6, ..base() }).contains("1 to 5"));
        for probability in [0.0, 1.5, f32::NAN] {
            assert!(refused(Rise { probability, ..base() }).contains("probability"));
        }
    }
}
