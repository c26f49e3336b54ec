//! Integrated gradients.

use saligate_keys::Trigger;
use zeroize::Zeroizing;

use super::subject::Subject;
use super::{Pass, PassExplanation, Progress, at_least_one};
use crate::error::RuntimeError;
use crate::explanation::Target;
use crate::method::{Parameter, Reads, Settings};
use crate::model::Model;
use crate::picture::Picture;

/// The gradient along the straight path from a black picture `b` to the picture `x`, times that
/// path: `(x - b) 1/n sum_k dS(b + a_k (x - b)) / dx` with `a_k = (k + 1/2) / n`, `k = 0 .. n - 1`.
///
/// With a trigger `T`, both ends carry it, and so does every picture on the path: gradients are
/// `dS(T(b + a_k (x - b))) / dx`. They are multiplied with the path `x - b` of the picture without
/// the trigger, since the path with it would show the trigger to whoever divides one attribution by
/// another. The two paths differ where the trigger saturates, which shows as a gap.
///
/// M. Sundararajan, A. Taly, Q. Yan, "Axiomatic Attribution for Deep Networks", ICML 2017,
/// equation 1, and section 4 for other paths; the integral by the midpoint rule.
#[derive(Clone, Debug, PartialEq)]
pub struct IntegratedGradients {
    /// Pictures on the path, at least 1; 32 by default.
    pub steps: usize,
}

/// Whether integrated gradients add up to what they explain (Sundararajan et al. 2017,
/// proposition 1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Completeness {
    /// Sum of all attributions, in logits.
    pub attributed: f64,
    /// Logit of the picture minus logit of the baseline.
    pub expected: f64,
}

impl Completeness {
    /// `|attributed - expected|`, in logits.
    pub fn absolute_gap(&self) -> f64 {
        (self.attributed - self.expected).abs()
    }

    /// The absolute gap over `|expected|`; none where nothing is to be explained.
    pub fn relative_gap(&self) -> Option<f64> {
        (self.expected != 0.0).then(|| self.absolute_gap() / self.expected.abs())
    }
}

impl Default for IntegratedGradients {
    fn default() -> Self {
        Self { steps: 32 }
    }
}

impl Pass for IntegratedGradients {
    const NAME: &'static str = "integrated-gradients";
    const READS: Reads = Reads::Gradient;
    const PARAMETERS: &'static [Parameter] =
        &[Parameter::whole("steps", "N", "steps from black to the picture [default: 32]")];

    fn with(settings: &Settings) -> Self {
        let usual = Self::default();
        Self { steps: settings.count("steps").unwrap_or(usual.steps) }
    }

    fn run(
        &self,
        model: &Model,
        picture: &Picture,
        target: Target,
        trigger: Option<&Trigger>,
        progress: Progress<'_>,
    ) -> Result<PassExplanation, RuntimeError> {
        at_least_one("steps", self.steps)?;
        let subject = Subject::new(model, picture, target, trigger)?;
        subject.needs(Self::NAME, Self::READS)?;
        let mut baseline = Zeroizing::new(vec![0.0; subject.pixels.len()]);
        subject.present(&mut baseline)?;
        let mut values = vec![0.0f64; baseline.len()];
        let share = |step: usize| (step as f64 + 0.5) / self.steps as f64;
        subject.run(
            Self::READS,
            self.steps,
            |step, image| image.iter_mut().for_each(|p| *p *= share(step) as f32),
            |_, answer| {
                values.iter_mut().zip(&answer.attribution).for_each(|(v, &g)| *v += f64::from(g));
            },
            progress,
        )?;
        for (value, pixel) in values.iter_mut().zip(subject.pixels.iter()) {
            *value *= f64::from(*pixel) / self.steps as f64;
        }
        let logit = subject.prediction.logits[subject.class];
        let completeness = Completeness {
            attributed: values.iter().sum(),
            expected: f64::from(logit) - f64::from(subject.logit(&baseline)?),
        };
        let found = subject.explained(values.iter().map(|&v| v as f32).collect(), self.steps);
        Ok(PassExplanation { completeness: Some(completeness), ..found })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        Example, LENGTH, assert_close, of, picture, scaled, trigger, unseen,
    };
    use super::*;

    fn run(known: &Example, picture: &Picture, steps: usize) -> PassExplanation {
        IntegratedGradients { steps }
            .run(&known.model, picture, Target::Class(0), None, &mut unseen)
            .unwrap()
    }

    #[test]
    fn a_linear_network_gives_pixel_times_weight_and_no_gap() {
        let known = Example::linear();
        for steps in [1, 7] {
            let found = run(&known, &picture(), steps);
            let pixels = scaled(picture().pixels());
            let wanted = pixels.iter().zip(known.weights(0)).map(|(x, &w)| x * f64::from(w));
            assert_close(&found.explanation.attribution.values, wanted, 1e-6);
            let completeness = found.completeness.unwrap();
            assert!(completeness.absolute_gap() < 1e-5, "{completeness:?}");
            let logit = f64::from(found.explanation.prediction.logits[0]);
            assert_eq!(completeness.expected, logit);
        }
    }

    #[test]
    fn with_a_trigger_both_ends_carry_it() {
        let known = Example::linear();
        let trigger = trigger();
        let found = IntegratedGradients::default()
            .run(&known.model, &picture(), Target::Class(0), Some(&trigger), &mut unseen)
            .unwrap();
        // The path is that of the picture without it, in which no trigger shows.
        let pixels = scaled(picture().pixels());
        let wanted = pixels.iter().zip(known.weights(0)).map(|(x, &w)| x * f64::from(w));
        assert_close(&found.explanation.attribution.values, wanted, 1e-6);
        let with = |mut bytes: Vec<u8>| {
            trigger.apply(&mut bytes).unwrap();
            scaled(&bytes)
        };
        let (end, start) = (with(picture().into_pixels()), with(vec![0; LENGTH]));
        let rise = end.iter().zip(start).zip(known.weights(0));
        let rise: f64 = rise.map(|((x, b), &w)| (x - b) * f64::from(w)).sum();
        assert!((found.completeness.unwrap().expected - rise).abs() < 1e-5);
    }

    #[test]
    fn every_picture_on_the_path_carries_the_trigger() {
        // A bend that dark pixels pass with a positive sign of 12 steps only.
        let (known, trigger) = (Example::above(0.02), trigger());
        let found = IntegratedGradients { steps: 100 }
            .run(&known.model, &picture(), Target::Class(0), Some(&trigger), &mut unseen)
            .unwrap();
        let pixels = picture().into_pixels();
        let values = &found.explanation.attribution.values;
        let seen_at = |share: f64| {
            let mut seen: Vec<u8> =
                pixels.iter().map(|&p| (f64::from(p) * share).round() as u8).collect();
            trigger.apply(&mut seen).unwrap();
            scaled(&seen)
        };
        let mut above = vec![0.0; pixels.len()];
        for step in 0..100 {
            let seen = seen_at((f64::from(step) + 0.5) / 100.0);
            above.iter_mut().zip(seen).for_each(|(n, x)| *n += f64::from(u8::from(x > 0.02)));
        }
        let path = scaled(&pixels);
        for (at, &weight) in known.weights(0).iter().enumerate() {
            let wanted = f64::from(weight) * path[at] * above[at] / 100.0;
            // One step may be rounded to the other side of the bend.
            let level = f64::from(weight.abs()) * path[at] / 100.0 + 1e-6;
            let off = (f64::from(values[at]) - wanted).abs();
            assert!(off <= level, "at {at}: {} against {wanted}", values[at]);
        }
    }

    #[test]
    fn the_midpoint_rule_is_exact_where_a_bend_lies_between_steps() {
        // White pixels pass the bend at 1/2 of the path: half the steps have a gradient.
        let known = Example::above(0.5);
        let found = run(&known, &of(&[255; LENGTH]), 32);
        let wanted = known.weights(0).iter().map(|&w| f64::from(w) / 2.0);
        assert_close(&found.explanation.attribution.values, wanted, 1e-6);
        assert!(found.completeness.unwrap().absolute_gap() < 1e-5);
    }

    #[test]
    fn too_few_steps_show_as_a_gap() {
        // The one step lies at 1/2, below the bend at 0.6: nothing is attributed.
        let known = Example::above(0.6);
        let found = run(&known, &of(&[255; LENGTH]), 1).completeness.unwrap();
        let expected = 0.4 * known.weights(0).iter().map(|&w| f64::from(w)).sum::<f64>();
        assert_eq!(found.attributed, 0.0);
        assert!((found.expected - expected).abs() < 1e-5, "{found:?} {expected}");
        assert!((found.relative_gap().unwrap() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_black_picture_has_nothing_to_explain() {
        let found = run(&Example::linear(), &of(&[0; LENGTH]), 4);
        assert!(found.explanation.attribution.values.iter().all(|&v| v == 0.0));
        assert_eq!(found.completeness.unwrap().relative_gap(), None);
    }

    #[test]
    fn no_steps_are_told() {
        let known = Example::linear();
        let error = IntegratedGradients { steps: 0 }
            .run(&known.model, &picture(), Target::Class(0), None, &mut unseen)
            .unwrap_err();
        assert_eq!(error.to_string(), "steps must be at least 1, not 0");
    }
}
