//! Score-CAM.

use saligate_keys::Trigger;
use saligate_models::saliency::bilinear;

use super::subject::Subject;
use super::{Pass, PassExplanation, Progress};
use crate::error::RuntimeError;
use crate::explanation::{Attribution, Target};
use crate::method::{Parameter, Reads, Settings};
use crate::model::Model;
use crate::picture::Picture;

/// Added to the range of a channel, as pytorch-grad-cam does: a constant channel shows nothing.
const NOTHING: f32 = 1e-8;

/// `ReLU(sum_c w_c A_c)` of a layer A, where the weights are the softmax, over the channels, of the
/// explained logit for the picture under each channel: enlarged to the picture's size, scaled to [0, 1],
/// and multiplied with the pixels, so that black is what is not shown. It takes one pass for each
/// channel, and no gradient.
///
/// H. Wang, Z. Wang, M. Du, F. Yang, Z. Zhang, S. Ding, P. Mardziel, X. Hu, "Score-CAM: Score-Weighted
/// Visual Explanations for Convolutional Neural Networks", CVPR 2020 workshops, algorithm 1. The score
/// of the baseline, which the paper takes off, cancels in the softmax.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScoreCam;

impl Pass for ScoreCam {
    const NAME: &'static str = "score-cam";
    const READS: Reads = Reads::Activation;
    const PARAMETERS: &'static [Parameter] = &[];

    fn with(_: &Settings) -> Self {
        Self
    }

    fn run(
        &self,
        model: &Model,
        picture: &Picture,
        target: Target,
        trigger: Option<&Trigger>,
        progress: Progress<'_>,
    ) -> Result<PassExplanation, RuntimeError> {
        let subject = Subject::new(model, picture, target, trigger)?;
        subject.needs(Self::NAME, Self::READS)?;
        let Attribution { values, channels, height, width } = subject.activation()?;
        let size = subject.size();
        let (layer, area) = ([height, width], size[0] * size[1]);
        let channel = |number: usize| &values[number * height * width..][..height * width];
        let mut scores = vec![0.0f64; channels];
        subject.run(
            Reads::Logits,
            channels,
            |number, image| {
                let mask = scaled(bilinear(channel(number), layer, size));
                for plane in image.chunks_exact_mut(area) {
                    plane.iter_mut().zip(&mask).for_each(|(p, m)| *p *= m);
                }
            },
            |number, answer| {
                scores[number] = f64::from(answer.prediction.logits[subject.class]);
            },
            progress,
        )?;
        let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let shares: Vec<f64> = scores.iter().map(|s| (s - largest).exp()).collect();
        let all: f64 = shares.iter().sum();
        let mut map = vec![0.0f64; height * width];
        for (number, share) in shares.iter().enumerate() {
            let weight = share / all;
            map.iter_mut().zip(channel(number)).for_each(|(m, &a)| *m += weight * f64::from(a));
        }
        let values = map.iter().map(|&v| v.max(0.0) as f32).collect();
        Ok(subject.explained_at(Attribution { values, channels: 1, height, width }, channels))
    }
}

/// A map that reaches from 0 to 1.
fn scaled(mut map: Vec<f32>) -> Vec<f32> {
    let low = map.iter().copied().fold(f32::INFINITY, f32::min);
    let high = map.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    map.iter_mut().for_each(|v| *v = (*v - low) / (high - low + NOTHING));
    map
}

#[cfg(test)]
mod tests {
    use super::super::testing::{AREA, Example, assert_close, picture, scaled as pixels, unseen};
    use super::*;

    /// The layer is the picture: every channel shows itself.
    #[test]
    fn channels_are_weighted_by_what_their_masks_show() {
        let known = Example::with_activation();
        let target = Target::Class(1);
        let found = ScoreCam.run(&known.model, &picture(), target, None, &mut unseen).unwrap();
        assert_eq!(found.passes, 3);
        let x = pixels(picture().pixels());
        let score = |channel: usize| -> f64 {
            let own = &x[channel * AREA..][..AREA];
            let low = own.iter().copied().fold(1.0, f64::min);
            let high = own.iter().copied().fold(0.0, f64::max);
            let mask = |at: usize| (own[at % AREA] - low) / (high - low);
            let weights = known.weights(1).iter().enumerate();
            weights.map(|(at, &w)| f64::from(w) * x[at] * mask(at)).sum()
        };
        let shares: Vec<f64> = (0..3).map(|channel| score(channel).exp()).collect();
        let all: f64 = shares.iter().sum();
        let map = (0..AREA)
            .map(|at| (0..3).map(|c| shares[c] / all * x[c * AREA + at]).sum::<f64>().max(0.0));
        assert_close(&found.explanation.map, map, 1e-5);
    }

    #[test]
    fn a_file_without_the_layer_is_told() {
        let model = Example::linear().model;
        let error = ScoreCam.run(&model, &picture(), Target::Predicted, None, &mut unseen);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("score-cam") && error.contains("activation"), "{error}");
    }

    #[test]
    fn a_constant_channel_shows_nothing() {
        assert_eq!(scaled(vec![2.0; 3]), [0.0; 3]);
        assert_eq!(scaled(vec![1.0, 3.0, 2.0]), [0.0, 1.0, 0.5]);
    }
}
