//! What all methods of many passes share: the picture, its class, and runs on perturbed copies.

use std::cell::Cell;

use saligate_keys::Trigger;
use saligate_models::saliency::{Reduction, saliency_map};

use zeroize::Zeroizing;

use super::{PassExplanation, Progress};
use crate::error::RuntimeError;
use crate::explanation::{Attribution, Explanation, Prediction, Target};
use crate::method::Reads;
use crate::model::{Answer, Model};
use crate::picture::Picture;

/// A picture whose explained class is decided.
pub(super) struct Subject<'a> {
    model: &'a Model,
    trigger: Option<&'a Trigger>,
    /// The picture without trigger, `[channel, row, column]` in [0, 1].
    pub(super) pixels: Zeroizing<Vec<f32>>,
    /// The prediction for the picture with the trigger, where there is one.
    pub(super) prediction: Prediction,
    /// The explained class.
    pub(super) class: usize,
    /// Perturbed copies in which the gate found a key.
    found: Cell<usize>,
}

impl<'a> Subject<'a> {
    /// # Errors
    /// The picture has another shape than the model's input, or there is no such class.
    pub(super) fn new(
        model: &'a Model,
        picture: &Picture,
        target: Target,
        trigger: Option<&'a Trigger>,
    ) -> Result<Self, RuntimeError> {
        let pixels = model.pixels(picture, None)?;
        let seen = model.pixels(picture, trigger)?;
        let classes = model.manifest().labels.len();
        if let Target::Class(class) = target
            && class >= classes
        {
            return Err(RuntimeError::NoSuchClass { class, classes });
        }
        let prediction = model.predict_pixels(&seen)?;
        let class = match target {
            Target::Predicted => prediction.class,
            Target::Class(class) => class,
        };
        Ok(Self { model, trigger, pixels, prediction, class, found: Cell::new(0) })
    }

    /// Rows and columns.
    pub(super) fn size(&self) -> [usize; 2] {
        let input = &self.model.manifest().input;
        [input.height, input.width]
    }

    /// # Errors
    /// The file does not have what a method reads.
    pub(super) fn needs(&self, method: &'static str, reads: Reads) -> Result<(), RuntimeError> {
        let methods = &self.model.manifest().methods;
        match reads.of_file() {
            Some(wanted) if methods.iter().all(|m| m.name != wanted.name()) => {
                let found = methods.iter().map(|m| m.name.clone()).collect();
                Err(RuntimeError::NeedsMethod { method, wanted, found })
            }
            _ => Ok(()),
        }
    }

    /// The layer that the file shows, as the network sees it.
    pub(super) fn activation(&self) -> Result<Attribution, RuntimeError> {
        let mut seen = self.pixels.clone();
        self.present(&mut seen)?;
        self.model.activation(&seen)
    }

    /// Makes pixels `[channel, row, column]` what the network sees of them.
    pub(super) fn present(&self, pixels: &mut [f32]) -> Result<(), RuntimeError> {
        let Some(trigger) = self.trigger else { return Ok(()) };
        let bytes = pixels.iter().map(|p| (p * 255.0).round() as u8);
        let mut bytes = Zeroizing::new(bytes.collect::<Vec<u8>>());
        trigger.apply(&mut bytes)?;
        pixels.iter_mut().zip(bytes.iter()).for_each(|(p, &b)| *p = f32::from(b) / 255.0);
        Ok(())
    }

    /// The explained class's logit for pixels that the network sees.
    pub(super) fn logit(&self, seen: &[f32]) -> Result<f32, RuntimeError> {
        Ok(self.model.predict_pixels(seen)?.logits[self.class])
    }

    /// Runs the network on `passes` copies of the picture, as many at once as there are threads.
    ///
    /// `perturb` changes the copy of the pass with the given number; `take` receives the answers
    /// in the order of the passes.
    pub(super) fn run(
        &self,
        reads: Reads,
        passes: usize,
        mut perturb: impl FnMut(usize, &mut [f32]),
        mut take: impl FnMut(usize, &Answer),
        progress: Progress<'_>,
    ) -> Result<(), RuntimeError> {
        let mut row = vec![0.0; self.prediction.logits.len()];
        row[self.class] = 1.0;
        let threads = self.model.threads();
        let mut images = vec![self.pixels.clone(); threads.min(passes)];
        progress(0, passes);
        for first in (0..passes).step_by(threads) {
            let round = first..passes.min(first + threads);
            let images = &mut images[..round.len()];
            for (pass, image) in round.clone().zip(images.iter_mut()) {
                image.copy_from_slice(&self.pixels);
                perturb(pass, image);
                self.present(image)?;
            }
            let answers = self.model.run_passes(reads, images, &row)?;
            for (pass, answer) in round.clone().zip(&answers) {
                let found = answer.prediction.key_found == Some(true);
                self.found.set(self.found.get() + usize::from(found));
                take(pass, answer);
            }
            progress(round.end, passes);
        }
        Ok(())
    }

    /// The explanation with an attribution of all channels, `[channel, row, column]`.
    pub(super) fn explained(self, values: Vec<f32>, passes: usize) -> PassExplanation {
        let size @ [height, width] = self.size();
        let channels = values.len() / (height * width);
        let map = saliency_map(&values, [channels, height, width], size, Reduction::MaxAbs);
        self.answer(values, map, passes)
    }

    /// The explanation with an attribution of one channel, `[row, column]`, which is the map.
    pub(super) fn explained_by_map(self, map: Vec<f32>, passes: usize) -> PassExplanation {
        self.answer(map.clone(), map, passes)
    }

    /// The explanation with an attribution of one channel at the resolution of a layer.
    pub(super) fn explained_at(self, attribution: Attribution, passes: usize) -> PassExplanation {
        let Attribution { values, channels, height, width } = &attribution;
        let shape = [*channels, *height, *width];
        let map = saliency_map(values, shape, self.size(), Reduction::Sum);
        let found = self.answer(Vec::new(), map, passes);
        let explanation = Explanation { attribution, ..found.explanation };
        PassExplanation { explanation, ..found }
    }

    fn answer(self, values: Vec<f32>, map: Vec<f32>, passes: usize) -> PassExplanation {
        let [height, width] = self.size();
        let channels = values.len() / map.len();
        let attribution = Attribution { values, channels, height, width };
        let Self { prediction, class, found, .. } = self;
        let key_found = prediction.key_found.map(|_| found.get());
        let explanation = Explanation { prediction, class, attribution, map };
        PassExplanation { explanation, passes, key_found, completeness: None }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Example, picture, unseen};
    use super::super::{IntegratedGradients, Occlusion, Pass, Rise, SmoothGrad};
    use crate::{RuntimeError, Target};

    #[test]
    fn without_gradients_the_methods_that_read_logits_still_run() {
        let model = Example::without_gradient().model;
        let (picture, target) = (picture(), Target::Predicted);
        let smoothgrad =
            SmoothGrad::default().run(&model, &picture, target, None, &mut unseen).unwrap_err();
        assert!(matches!(smoothgrad, RuntimeError::NeedsMethod { method: "smoothgrad", .. }));
        let integrated = IntegratedGradients::default();
        let error = integrated.run(&model, &picture, target, None, &mut unseen).unwrap_err();
        assert!(error.to_string().contains("this file has only: another-method"), "{error}");
        Occlusion::default().run(&model, &picture, target, None, &mut unseen).unwrap();
        let rise = Rise { masks: 3, cells: 2, ..Rise::default() };
        rise.run(&model, &picture, target, None, &mut unseen).unwrap();
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bytes() {
        let map = |threads: usize| {
            let model = Example::linear().model.with_threads(threads.try_into().unwrap()).unwrap();
            let target = Target::Class(0);
            let found = Occlusion::default().run(&model, &picture(), target, None, &mut unseen);
            found.unwrap().explanation.map
        };
        for threads in [2, 7, 64] {
            assert_eq!(map(1), map(threads), "{threads}");
        }
    }

    #[test]
    fn progress_counts_to_the_end() {
        let model = Example::linear().model.with_threads(4.try_into().unwrap()).unwrap();
        let mut told = Vec::new();
        let method = IntegratedGradients { steps: 9 };
        let progress = &mut |done, all| told.push((done, all));
        method.run(&model, &picture(), Target::Predicted, None, progress).unwrap();
        assert_eq!(told, [(0, 9), (4, 9), (8, 9), (9, 9)]);
    }
}
