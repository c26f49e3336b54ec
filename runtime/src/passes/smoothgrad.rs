//! SmoothGrad.

use saligate_keys::Trigger;
use saligate_models::random::Stream;

use super::subject::Subject;
use super::{NOISE, Pass, PassExplanation, Progress, SEED, at_least_one, in_unit_range};
use crate::error::RuntimeError;
use crate::explanation::Target;
use crate::method::{Parameter, Reads, Settings};
use crate::model::Model;
use crate::picture::Picture;

/// The mean gradient over noisy copies of the picture: `1/n sum_k dS(x + noise_k) / dx`.
///
/// D. Smilkov, N. Thorat, B. Kim, F. Viégas, M. Wattenberg, "SmoothGrad: removing noise by adding
/// noise", 2017, section 3 (arXiv 1706.03825).
#[derive(Clone, Debug, PartialEq)]
pub struct SmoothGrad {
    /// Noisy copies, at least 1; 16 by default.
    pub samples: usize,
    /// Standard deviation of the normal noise on every pixel and channel, as a share of the pixel
    /// range: in [0, 1], 0.15 by default (the paper advises 0.10 to 0.20).
    pub noise: f32,
    /// Seed of the noise; 0 by default.
    pub seed: u64,
}

impl Default for SmoothGrad {
    fn default() -> Self {
        Self { samples: 16, noise: 0.15, seed: 0 }
    }
}

impl Pass for SmoothGrad {
    const NAME: &'static str = "smoothgrad";
    const READS: Reads = Reads::Gradient;
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::whole("samples", "N", "noisy copies of the picture [default: 16]"),
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
        average(subject, self.samples, |sample| self.noise(sample, length), progress)
    }
}

impl SmoothGrad {
    /// Explains a picture with noise of the caller's own in place of random noise: one item
    /// `[channel, row, column]` per sample.
    ///
    /// # Errors
    /// As [`run`](Self::run), and for noise of another length than the picture.
    pub fn run_with(
        model: &Model,
        picture: &Picture,
        target: Target,
        trigger: Option<&Trigger>,
        noise: &[Vec<f32>],
        progress: Progress<'_>,
    ) -> Result<PassExplanation, RuntimeError> {
        let subject = Subject::new(model, picture, target, trigger)?;
        super::same_length("noise", noise, subject.pixels.len())?;
        average(subject, noise.len(), |sample| noise[sample].clone(), progress)
    }

    fn noise(&self, sample: usize, length: usize) -> Vec<f32> {
        let mut stream = Stream::numbered(self.seed, "smoothgrad noise", sample as u64);
        let mut noise = vec![0.0; length];
        stream.fill_normal(&mut noise);
        noise.iter_mut().for_each(|n| *n *= self.noise);
        noise
    }
}

fn average(
    subject: Subject<'_>,
    samples: usize,
    noise: impl Fn(usize) -> Vec<f32>,
    progress: Progress<'_>,
) -> Result<PassExplanation, RuntimeError> {
    subject.needs(SmoothGrad::NAME, SmoothGrad::READS)?;
    let mut sum = vec![0.0f64; subject.pixels.len()];
    subject.run(
        SmoothGrad::READS,
        samples,
        |sample, image| image.iter_mut().zip(noise(sample)).for_each(|(p, n)| *p += n),
        |_, answer| {
            sum.iter_mut().zip(&answer.attribution).for_each(|(s, &a)| *s += f64::from(a));
        },
        progress,
    )?;
    let values = sum.iter().map(|s| (s / samples as f64) as f32).collect();
    Ok(subject.explained(values, samples))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Example, LENGTH, assert_close, of, picture, trigger, unseen};
    use super::*;

    fn run_with(
        known: &Example,
        pixels: &[u8],
        noise: &[f32],
        trigger: Option<&Trigger>,
    ) -> Vec<f32> {
        let noise: Vec<Vec<f32>> = noise.iter().map(|&n| vec![n; LENGTH]).collect();
        let target = Target::Class(1);
        SmoothGrad::run_with(&known.model, &of(pixels), target, trigger, &noise, &mut unseen)
            .unwrap()
            .explanation
            .attribution
            .values
    }

    #[test]
    fn the_mean_gradient_of_a_linear_network_is_its_gradient() {
        let known = Example::linear();
        for trigger in [None, Some(&trigger())] {
            let found = SmoothGrad::default()
                .run(&known.model, &picture(), Target::Class(2), trigger, &mut unseen)
                .unwrap();
            let values = &found.explanation.attribution.values;
            assert_close(values, known.weights(2).iter().map(|&w| w.into()), 1e-6);
            assert_eq!((found.explanation.class, found.passes), (2, 16));
        }
    }

    #[test]
    fn noise_decides_how_many_samples_have_a_gradient() {
        // The gradient is there above 1/2; the picture is black.
        let known = Example::above(0.5);
        let found = run_with(&known, &[0; LENGTH], &[0.6, 0.4, -0.6, 3.0], None);
        assert_close(&found, known.weights(1).iter().map(|&w| f64::from(w) / 2.0), 1e-6);
    }

    #[test]
    fn pixels_are_rounded_with_a_trigger_only() {
        // A third of a step above and below 100: rounding loses both.
        let known = Example::above(100.0 / 255.0);
        let third = 1.0 / 3.0 / 255.0;
        let found = run_with(&known, &[100; LENGTH], &[third, -third], None);
        assert_close(&found, known.weights(1).iter().map(|&w| f64::from(w) / 2.0), 1e-6);
        let trigger = trigger();
        let mut bytes = vec![100; LENGTH];
        trigger.apply(&mut bytes).unwrap();
        let found = run_with(&known, &[100; LENGTH], &[third, -third], Some(&trigger));
        let seen = bytes.iter().map(|&b| f64::from(u8::from(b > 100)));
        let wanted = known.weights(1).iter().zip(seen).map(|(&w, s)| f64::from(w) * s);
        assert_close(&found, wanted, 1e-6);
    }

    #[test]
    fn the_noise_is_normal_with_the_given_deviation() {
        let method = SmoothGrad { noise: 0.2, ..SmoothGrad::default() };
        let noise: Vec<f64> = method.noise(3, 10_000).into_iter().map(f64::from).collect();
        let mean = noise.iter().sum::<f64>() / 1e4;
        let variance = noise.iter().map(|n| (n - mean).powi(2)).sum::<f64>() / 1e4;
        assert!(mean.abs() < 0.008 && (variance.sqrt() - 0.2).abs() < 0.006, "{mean} {variance}");
        assert_ne!(method.noise(0, 8), method.noise(1, 8));
        assert_ne!(method.noise(0, 8), SmoothGrad { seed: 1, ..method }.noise(0, 8));
    }

    #[test]
    fn nonsense_is_told() {
        let model = Example::linear().model;
        let refused = |samples, noise| {
            SmoothGrad { samples, noise, seed: 0 }
                .run(&model, &picture(), Target::Predicted, None, &mut unseen)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(refused(0, 0.1), "samples must be at least 1, not 0");
        for noise in [f32::NAN, -0.1, 1.5, f32::INFINITY] {
            assert!(refused(2, noise).starts_with("noise must be in [0, 1], not"), "{noise}");
        }
        let noise = [vec![0.0; LENGTH], vec![0.0; 3]];
        let target = Target::Predicted;
        SmoothGrad::run_with(&model, &picture(), target, None, &noise, &mut unseen).unwrap_err();
    }
}
