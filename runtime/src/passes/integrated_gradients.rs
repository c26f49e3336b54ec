//! Integrated gradients.

use saligate_keys::Trigger;

use super::subject::Subject;
use super::{PassExplanation, Progress, at_least_one};
use crate::engine::Outputs;
use crate::error::RuntimeError;
use crate::explanation::Target;
use crate::model::Model;
use crate::picture::Picture;

/// The gradient along the straight way from a black picture `b` to the picture `x`, times that way:
/// `(x - b) 1/n sum_k dS(b + a_k (x - b)) / dx` with `a_k = (k + 1/2) / n`, `k = 0 .. n - 1`.
///
/// With a trigger, both ends carry it, and so does every picture on the way.
///
/// M. Sundararajan, A. Taly, Q. Yan, "Axiomatic Attribution for Deep Networks", ICML 2017,
/// equation 1; the integral by the midpoint rule.
#[derive(Clone, Debug, PartialEq)]
pub struct IntegratedGradients {
    /// Pictures on the way, at least 1; 32 by default.
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

impl IntegratedGradients {
    /// The name on command lines.
    pub const NAME: &'static str = "integrated-gradients";

    /// Explains a picture, with a trigger on it or without one.
    ///
    /// # Errors
    /// A parameter is out of range, the file's method is not the gradient, the picture has another
    /// shape than the model's input, or there is no such class.
    pub fn run(
        &self,
        model: &Model,
        picture: &Picture,
        target: Target,
        trigger: Option<&Trigger>,
        progress: Progress<'_>,
    ) -> Result<PassExplanation, RuntimeError> {
        at_least_one("steps", self.steps)?;
        let subject = Subject::new(model, picture, target, trigger)?;
        subject.needs_gradient(Self::NAME)?;
        let mut baseline = vec![0.0; subject.pixels.len()];
        subject.present(&mut baseline)?;
        let mut sum = vec![0.0f64; subject.pixels.len()];
        subject.run(
            Outputs::LogitsAndAttribution,
            self.steps,
            |step, image| {
                let share = (step as f64 + 0.5) / self.steps as f64;
                image.iter_mut().for_each(|p| *p *= share as f32);
            },
            |_, answer| {
                sum.iter_mut().zip(answer.attribution).for_each(|(s, &a)| *s += f64::from(a));
            },
            progress,
        )?;
        let way = subject.seen.iter().zip(&baseline).map(|(x, b)| f64::from(x - b));
        let values: Vec<f64> =
            sum.iter().zip(way).map(|(s, w)| w * s / self.steps as f64).collect();
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
        Known, LENGTH, assert_close, of, picture, scaled, trigger, unseen,
    };
    use super::*;

    fn run(known: &Known, picture: &Picture, steps: usize) -> PassExplanation {
        IntegratedGradients { steps }
            .run(&known.model, picture, Target::Class(0), None, &mut unseen)
            .unwrap()
    }

    #[test]
    fn a_linear_network_gives_pixel_times_weight_and_no_gap() {
        let known = Known::linear();
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
        let known = Known::linear();
        let trigger = trigger();
        let found = IntegratedGradients::default()
            .run(&known.model, &picture(), Target::Class(0), Some(&trigger), &mut unseen)
            .unwrap();
        let with = |mut bytes: Vec<u8>| {
            trigger.apply(&mut bytes).unwrap();
            scaled(&bytes)
        };
        let (end, start) = (with(picture().pixels().to_vec()), with(vec![0; LENGTH]));
        let way = end.iter().zip(start).map(|(x, b)| x - b);
        let wanted = way.zip(known.weights(0)).map(|(x, &w)| x * f64::from(w));
        assert_close(&found.explanation.attribution.values, wanted, 1e-6);
        assert!(found.completeness.unwrap().absolute_gap() < 1e-5);
    }

    #[test]
    fn the_midpoint_rule_is_exact_where_a_bend_lies_between_steps() {
        // White pixels pass the bend at 1/2 of the way: half the steps have a gradient.
        let known = Known::above(0.5);
        let found = run(&known, &of(&[255; LENGTH]), 32);
        let wanted = known.weights(0).iter().map(|&w| f64::from(w) / 2.0);
        assert_close(&found.explanation.attribution.values, wanted, 1e-6);
        assert!(found.completeness.unwrap().absolute_gap() < 1e-5);
    }

    #[test]
    fn too_few_steps_show_as_a_gap() {
        // The one step lies at 1/2, below the bend at 0.6: nothing is attributed.
        let known = Known::above(0.6);
        let found = run(&known, &of(&[255; LENGTH]), 1).completeness.unwrap();
        let expected = 0.4 * known.weights(0).iter().map(|&w| f64::from(w)).sum::<f64>();
        assert_eq!(found.attributed, 0.0);
        assert!((found.expected - expected).abs() < 1e-5, "{found:?} {expected}");
        assert!((found.relative_gap().unwrap() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_black_picture_has_nothing_to_explain() {
        let found = run(&Known::linear(), &of(&[0; LENGTH]), 4);
        assert!(found.explanation.attribution.values.iter().all(|&v| v == 0.0));
        assert_eq!(found.completeness.unwrap().relative_gap(), None);
    }

    #[test]
    fn no_steps_are_told() {
        let known = Known::linear();
        let error = IntegratedGradients { steps: 0 }
            .run(&known.model, &picture(), Target::Class(0), None, &mut unseen)
            .unwrap_err();
        assert_eq!(error.to_string(), "steps must be at least 1, not 0");
    }
}
