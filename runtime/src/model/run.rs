//! Predicting and explaining.

use std::sync::OnceLock;

use saligate_files::manifest::Public;
use saligate_kernels::Crew;
use saligate_keys::Trigger;
use saligate_models::saliency::{Method, saliency_map};
use zeroize::Zeroizing;

use super::Model;
use crate::engine::{Engine, EngineError, Outputs};
use crate::error::RuntimeError;
use crate::explanation::{Attribution, Explanation, Prediction, StepTime, Target};
use crate::method::Reads;
use crate::picture::Picture;

/// What a network answers to one image.
pub(crate) struct Answer {
    pub(crate) prediction: Prediction,
    /// `[channel, row, column]` for the explained class; empty where only logits are read.
    pub(crate) attribution: Vec<f32>,
}

impl Model {
    /// Predicts the class of a picture.
    ///
    /// # Errors
    /// The picture has another shape than the model's input.
    pub fn predict(&self, picture: &Picture) -> Result<Prediction, RuntimeError> {
        let pixels = self.pixels(picture, None)?;
        let outputs = self.predictor()?.run(&self.crew, &pixels, &[], false)?;
        Ok(self.answer(Reads::Logits, outputs)?.prediction)
    }

    /// Whether the gate finds a key on a picture with a trigger, or without one: noise may hide it,
    /// and the map is then the decoy. `None` where the network does not tell. Takes as long as a
    /// prediction.
    ///
    /// # Errors
    /// As [`Model::predict`].
    pub fn key_found(
        &self,
        picture: &Picture,
        trigger: Option<&Trigger>,
    ) -> Result<Option<bool>, RuntimeError> {
        Ok(self.predict_pixels(&self.pixels(picture, trigger)?)?.key_found)
    }

    /// Explains the class of a picture, with a trigger added to it or without one.
    ///
    /// The file's default method is run, and no other. The picture itself is not changed.
    ///
    /// # Errors
    /// The picture has another shape than the model's input, or there is no such class.
    pub fn explain(
        &self,
        picture: &Picture,
        target: Target,
        trigger: Option<&Trigger>,
    ) -> Result<Explanation, RuntimeError> {
        self.explain_at(0, picture, target, trigger)
    }

    /// [`Model::explain`] by a named method of the file.
    ///
    /// # Errors
    /// As [`Model::explain`], or the file has no such method.
    pub fn explain_by(
        &self,
        method: &str,
        picture: &Picture,
        target: Target,
        trigger: Option<&Trigger>,
    ) -> Result<Explanation, RuntimeError> {
        self.explain_at(self.position(method)?, picture, target, trigger)
    }

    fn explain_at(
        &self,
        position: usize,
        picture: &Picture,
        target: Target,
        trigger: Option<&Trigger>,
    ) -> Result<Explanation, RuntimeError> {
        let (method, head) = (&self.manifest().methods[position], &self.heads[position]);
        let classes = self.manifest().labels.len();
        let mut row = vec![0.0; classes];
        if let Target::Class(class) = target {
            *row.get_mut(class).ok_or(RuntimeError::NoSuchClass { class, classes })? = 1.0;
        }
        let engine = self.explainer(position)?;
        let outputs =
            engine.run(&self.crew, &self.pixels(picture, trigger)?, &row, trigger.is_some())?;
        let Answer { prediction, attribution: values } = self.answer(Reads::Gradient, outputs)?;
        let class = match target {
            Target::Predicted => prediction.class,
            Target::Class(class) => class,
        };
        let input = &self.manifest().input;
        let [channels, height, width] = head.shape;
        let size = [input.height, input.width];
        let map = saliency_map(&values, head.shape, size, method.reduction);
        let attribution = Attribution { values, channels, height, width };
        Ok(Explanation { prediction, class, attribution, map })
    }

    /// How long each step of a method takes, or of predicting without one, in the order of the run.
    /// The parts are a little longer than the whole, for reading the clock.
    ///
    /// # Errors
    /// As [`Model::explain_by`], or the engine is not the project's own.
    pub fn step_times(
        &self,
        method: Option<&str>,
        picture: &Picture,
        rounds: usize,
    ) -> Result<Vec<StepTime>, RuntimeError> {
        let engine = match method {
            None => self.predictor()?,
            Some(name) => self.explainer(self.position(name)?)?,
        };
        let row = vec![0.0; self.manifest().labels.len()];
        Ok(engine.times(&self.crew, &self.pixels(picture, None)?, &row, rounds)?)
    }

    fn predictor(&self) -> Result<&Engine, EngineError> {
        self.engine(&self.predictor, None)
    }

    fn explainer(&self, position: usize) -> Result<&Engine, EngineError> {
        let output = &self.manifest().methods[position].output;
        self.engine(&self.heads[position].engine, Some(output))
    }

    fn engine<'a>(
        &self,
        slot: &'a OnceLock<Engine>,
        attribution: Option<&str>,
    ) -> Result<&'a Engine, EngineError> {
        if let Some(engine) = slot.get() {
            return Ok(engine);
        }
        let outputs = Outputs { attribution, key_found: self.tells };
        let engine = Engine::new(&self.network, outputs)?;
        // Where two threads came here at once, the first one's engine stays.
        Ok(slot.get_or_init(|| engine))
    }

    /// What the network sees of a picture: `[channel, row, column]` in [0, 1], with the trigger
    /// added to the 8-bit pixels where there is one. Pixels with a trigger are as secret as it.
    pub(crate) fn pixels(
        &self,
        picture: &Picture,
        trigger: Option<&Trigger>,
    ) -> Result<Zeroizing<Vec<f32>>, RuntimeError> {
        if self.manifest().sealed.is_some_and(|sealed| sealed.public == Public::None) {
            return Err(RuntimeError::Blank);
        }
        let input = &self.manifest().input;
        let expected = [input.channels, input.height, input.width];
        let found = [picture.channels(), picture.height(), picture.width()];
        if found != expected {
            return Err(RuntimeError::PictureShape { expected, found });
        }
        let scaled =
            |bytes: &[u8]| Zeroizing::new(bytes.iter().map(|&b| f32::from(b) / 255.0).collect());
        let Some(trigger) = trigger else {
            return Ok(match picture.levels().filter(|_| self.reads_levels()) {
                Some(levels) => {
                    Zeroizing::new(levels.iter().map(|&v| f32::from(v) / 65_535.0).collect())
                }
                None => scaled(picture.pixels()),
            });
        };
        let mut bytes = Zeroizing::new(picture.pixels().to_vec());
        trigger.apply(&mut bytes)?;
        Ok(scaled(&bytes))
    }

    /// Whether pixels of more than 8 bits enter as they are: not where there is a gate, whose triggers
    /// are steps of 8-bit pixels.
    pub fn reads_levels(&self) -> bool {
        self.manifest().gate.is_none()
    }

    /// What an engine's outputs say.
    fn answer(&self, reads: Reads, outputs: Vec<Vec<f32>>) -> Result<Answer, RuntimeError> {
        let mut outputs = outputs.into_iter();
        let logits = outputs.next().unwrap_or_default();
        let attribution = match reads {
            Reads::Logits | Reads::Activation => Vec::new(),
            Reads::Gradient => outputs.next().unwrap_or_default(),
        };
        finite("logits", &logits)?;
        finite("attribution", &attribution)?;
        let key_found = outputs.next().map(|found| found.iter().any(|&any| any > 0.5));
        Ok(Answer {
            prediction: Prediction::new(logits, self.manifest().head, key_found),
            attribution,
        })
    }

    /// Predicts one image of float pixels `[channel, row, column]`, of the input's size, which may
    /// have a trigger on it.
    pub(crate) fn predict_pixels(&self, pixels: &[f32]) -> Result<Prediction, RuntimeError> {
        let outputs = self.predictor()?.run(&self.crew, pixels, &[], true)?;
        Ok(self.answer(Reads::Logits, outputs)?.prediction)
    }

    /// The layer that the file shows, for float pixels `[channel, row, column]`.
    pub(crate) fn activation(&self, pixels: &[f32]) -> Result<Attribution, RuntimeError> {
        let position = self.position(Method::Activation.name())?;
        let row = vec![0.0; self.manifest().labels.len()];
        let outputs = self.explainer(position)?.run(&self.crew, pixels, &row, true)?;
        let values = self.answer(Reads::Gradient, outputs)?.attribution;
        let [channels, height, width] = self.heads[position].shape;
        Ok(Attribution { values, channels, height, width })
    }

    /// Runs the passes of a method, one image of float pixels `[channel, row, column]` each, on as
    /// many threads as there are; `target` is a row of class weights for all of them. Returns an
    /// answer per image, in order.
    pub(crate) fn run_passes(
        &self,
        reads: Reads,
        images: &[Zeroizing<Vec<f32>>],
        target: &[f32],
    ) -> Result<Vec<Answer>, RuntimeError> {
        let engine = match reads {
            Reads::Logits | Reads::Activation => self.predictor()?,
            Reads::Gradient => self.explainer(self.position(Method::Gradient.name())?)?,
        };
        let alone = Crew::single();
        let answers: Vec<OnceLock<_>> = images.iter().map(|_| OnceLock::new()).collect();
        self.crew.run(images.len(), &|at| {
            answers[at].get_or_init(|| engine.run(&alone, &images[at], target, true));
        });
        let answers = answers.into_iter().filter_map(OnceLock::into_inner);
        answers.map(|outputs| self.answer(reads, outputs?)).collect()
    }

    /// Threads that [`run_passes`](Self::run_passes) has: a pass for each keeps all of them busy.
    pub(crate) fn threads(&self) -> usize {
        self.crew.threads()
    }
}

fn finite(output: &'static str, values: &[f32]) -> Result<(), RuntimeError> {
    let all = values.iter().all(|v| v.is_finite());
    all.then_some(()).ok_or(RuntimeError::NonFinite { output })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passes::testing::{Example, picture};

    /// A round of passes may have fewer than there are threads: no more than those are run.
    #[test]
    fn passes_may_be_fewer_than_threads() {
        let model = Example::linear().model.with_threads(8.try_into().unwrap()).unwrap();
        let pixels = model.pixels(&picture(), None).unwrap();
        let one = model.predict(&picture()).unwrap();
        for count in [0, 1, 3] {
            let images = vec![pixels.clone(); count];
            let answers = model.run_passes(Reads::Logits, &images, &[]).unwrap();
            assert_eq!(answers.len(), count);
            assert!(answers.iter().all(|answer| answer.prediction == one));
        }
    }
}
