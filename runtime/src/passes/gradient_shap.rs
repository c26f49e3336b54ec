//! GradientSHAP.

use saligate_keys::Trigger;
use saligate_models::random::Stream;

use super::subject::Subject;
use super::{NOISE, Pass, PassExplanation, Progress, SEED, at_least_one, in_unit_range, parameter};
use crate::error::RuntimeError;
use crate::explanation::Target;
use crate::method::{Parameter, Reads, Settings};
use crate::model::Model;
use crate::picture::Picture;

/// Expected gradients: `1/n sum_k (x_k - b_k) dS(b_k + a_k (x_k - b_k)) / dx`, where `x_k` is the picture
/// with noise, `b_k` a plain picture of a random grey, and `a_k` a random share in [0, 1]. They estimate
/// SHAP values, if pixels count alone: the mean over baselines of integrated gradients.
///
/// With a trigger, every picture on the way carries it, as for
/// [`IntegratedGradients`](super::IntegratedGradients); the path is that of the picture without it.
///
/// S. M. Lundberg, S.-I. Lee, "A Unified Approach to Interpreting Model Predictions", NIPS 2017;
/// G. Erion, J. D. Janizek, P. Sturmfels, S. M. Lundberg, S.-I. Lee, "Improving performance of deep
/// learning models with axiomatic attribution priors and expected gradients", Nature Machine
/// Intelligence 3, 2021, equation 4; the noise as in Captum.
#[derive(Clone, Debug, PartialEq)]
pub struct GradientShap {
    /// Random points on random paths, at least 1; 16 by default.
    pub samples: usize,
    /// Standard deviation of the normal noise on every pixel and channel, as a share of the pixel
    /// range: in [0, 1], 0.15 by default.
    pub noise: f32,
    /// Seed of noise, baselines and shares; 0 by default.
    pub seed: u64,
}

/// A point on a path: what is drawn for a pass.
#[derive(Clone, Debug, PartialEq)]
pub struct PathPoint {
    /// Added to the picture, `[channel, row, column]`.
    pub noise: Vec<f32>,
    /// Where the path starts, `[channel, row, column]` in [0, 1].
    pub baseline: Vec<f32>,
    /// Share of the path, in [0, 1].
    pub share: f32,
}

impl Default for GradientShap {
    fn default() -> Self {
        Self { samples: 16, noise: 0.15, seed: 0 }
    }
}

impl Pass for GradientShap {
    const NAME: &'static str = "gradient-shap";
    const READS: Reads = Reads::Gradient;
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::whole("samples", "N", "random points on paths to the picture [default: 16]"),
        NOISE,
        SEED,
    ];

    fn with(settings: &Settings) -> Self {
        let usual = Self::default();
        Self {
            samples: settings.count("samples").unwrap_or(usual.samples),
            noise: settings.number("noise").unwrap_or(usual.noise),
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
        at_least_one("samples", self.samples)?;
        in_unit_range("noise", self.noise)?;
        let subject = Subject::new(model, picture, target, trigger)?;
        let length = subject.pixels.len();
        average(subject, self.samples, |sample| self.point(sample, length), progress)
    }
}

impl GradientShap {
    /// Explains a picture with points of the caller's own in place of random ones.
    ///
    /// # Errors
    /// As [`run`](Self::run), and for noise or baselines of another length than the picture.
    pub fn run_with(
        model: &Model,
        picture: &Picture,
        target: Target,
        trigger: Option<&Trigger>,
        points: &[PathPoint],
        progress: Progress<'_>,
    ) -> Result<PassExplanation, RuntimeError> {
        let subject = Subject::new(model, picture, target, trigger)?;
        at_least_one("points", points.len())?;
        let length = subject.pixels.len();
        if let Some(wrong) = points.iter().find(|point| {
            point.noise.len() != length
                || point.baseline.len() != length
                || !point.share.is_finite()
        }) {
            let found = format!("{} and {}", wrong.noise.len(), wrong.baseline.len());
            return Err(parameter("points", format!("of {length} values"), found));
        }
        average(subject, points.len(), |sample| points[sample].clone(), progress)
    }

    fn point(&self, sample: usize, length: usize) -> PathPoint {
        let mut stream = Stream::numbered(self.seed, "gradient-shap points", sample as u64);
        let grey = stream.uniform(0.0, 1.0);
        let share = stream.uniform(0.0, 1.0);
        let mut noise = vec![0.0; length];
        stream.fill_normal(&mut noise);
        noise.iter_mut().for_each(|n| *n *= self.noise);
        PathPoint { noise, baseline: vec![grey; length], share }
    }
}

fn average(
    subject: Subject<'_>,
    samples: usize,
    point: impl Fn(usize) -> PathPoint,
    progress: Progress<'_>,
) -> Result<PassExplanation, RuntimeError> {
    subject.needs(GradientShap::NAME, GradientShap::READS)?;
    let mut sum = vec![0.0f64; subject.pixels.len()];
    subject.run(
        GradientShap::READS,
        samples,
        |sample, image| {
            let PathPoint { noise, baseline, share } = point(sample);
            for ((pixel, noise), base) in image.iter_mut().zip(noise).zip(baseline) {
                *pixel = base + share * (*pixel + noise - base);
            }
        },
        |sample, answer| {
            let PathPoint { noise, baseline, .. } = point(sample);
            let path = subject.pixels.iter().zip(noise).zip(baseline);
            for ((sum, &slope), ((&pixel, noise), base)) in
                sum.iter_mut().zip(&answer.attribution).zip(path)
            {
                *sum += f64::from(slope) * f64::from(pixel + noise - base);
            }
        },
        progress,
    )?;
    let values = sum.iter().map(|s| (s / samples as f64) as f32).collect();
    Ok(subject.explained(values, samples))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        Example, LENGTH, assert_close, of, picture, scaled, trigger, unseen,
    };
    use super::*;

    fn point(noise: f32, baseline: f32, share: f32) -> PathPoint {
        PathPoint { noise: vec![noise; LENGTH], baseline: vec![baseline; LENGTH], share }
    }

    fn run_with(
        known: &Example,
        pixels: &[u8],
        points: &[PathPoint],
        trigger: Option<&Trigger>,
    ) -> Vec<f32> {
        let target = Target::Class(1);
        GradientShap::run_with(&known.model, &of(pixels), target, trigger, points, &mut unseen)
            .unwrap()
            .explanation
            .attribution
            .values
    }

    #[test]
    fn a_linear_network_gives_paths_times_weights() {
        let known = Example::linear();
        let points = [point(0.5, 0.25, 0.3), point(-0.25, 0.0, 1.0)];
        let pixels = scaled(picture().pixels());
        let path = |x: f64| ((x + 0.5 - 0.25) + (x - 0.25)) / 2.0;
        for trigger in [None, Some(&trigger())] {
            let found = run_with(&known, picture().pixels(), &points, trigger);
            let wanted = known.weights(1).iter().zip(&pixels);
            assert_close(&found, wanted.map(|(&w, &x)| f64::from(w) * path(x)), 1e-6);
        }
    }

    #[test]
    fn the_share_decides_where_on_the_path_the_gradient_is_taken() {
        // White pixels over a black baseline pass the bend at 1/2.
        let known = Example::above(0.5);
        let points = [point(0.0, 0.0, 0.4), point(0.0, 0.0, 0.6)];
        let found = run_with(&known, &[255; LENGTH], &points, None);
        assert_close(&found, known.weights(1).iter().map(|&w| f64::from(w) / 2.0), 1e-6);
    }

    #[test]
    fn points_differ_and_are_the_same_again() {
        let method = GradientShap::default();
        assert_eq!(method.point(3, 8), method.point(3, 8));
        assert_ne!(method.point(3, 8), method.point(4, 8));
        assert_ne!(method.point(3, 8), GradientShap { seed: 1, ..method }.point(3, 8));
    }

    #[test]
    fn nonsense_is_told() {
        let model = Example::linear().model;
        let refused = |samples, noise| {
            GradientShap { samples, noise, seed: 0 }
                .run(&model, &picture(), Target::Predicted, None, &mut unseen)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(refused(0, 0.1), "samples must be at least 1, not 0");
        assert!(refused(2, f32::NAN).starts_with("noise must be in [0, 1], not"));
        let points = [PathPoint { noise: vec![0.0; 3], ..point(0.0, 0.0, 0.5) }];
        let target = Target::Predicted;
        GradientShap::run_with(&model, &picture(), target, None, &points, &mut unseen).unwrap_err();
    }
}
