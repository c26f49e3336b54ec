//! An open model file.

use std::num::NonZero;
use std::path::Path;
use std::sync::OnceLock;

use saligate_files::ModelFile;
use saligate_files::manifest::{Manifest, MethodSpec};
use saligate_kernels::Crew;
use saligate_keys::{ImageShape, KeyId, Licensed, Secret, Trigger};
use saligate_models::names::KEY_FOUND;
use saligate_models::saliency::{Method, saliency_map};

use zeroize::Zeroizing;

use crate::engine::{Backend, Engine, EngineError, Outputs, Source};
use crate::error::RuntimeError;
use crate::explanation::{Attribution, Explanation, Prediction, StepTime, Target};
use crate::picture::Picture;

/// Most images at once: 147 MiB of pixels at 224 x 224 RGB.
const MAX_BATCH: usize = 256;

/// A model that predicts and explains.
///
/// Plans are made when they are first needed: predicting alone costs no explanation. A model can
/// be shared between threads.
pub struct Model {
    file: ModelFile,
    source: Source,
    /// Whether the network tells that a key was found.
    tells: bool,
    predictor: OnceLock<Engine>,
    explainers: Vec<Explainer>,
    crew: Crew,
    batch: usize,
}

/// What the methods of many passes read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    /// The logits alone.
    Logits,
    /// The logits and the gradient.
    Gradient,
}

/// What a network answers to one image.
pub(crate) struct Answer {
    pub(crate) prediction: Prediction,
    /// `[channel, row, column]` for the explained class; empty where only logits are read.
    pub(crate) attribution: Vec<f32>,
}

/// A method of the file.
struct Explainer {
    /// Channels, rows and columns of its attribution.
    shape: [usize; 3],
    engine: OnceLock<Engine>,
}

impl Model {
    /// Opens a model file.
    ///
    /// # Errors
    /// The file cannot be read, is no ONNX model, has no manifest or one that contradicts the
    /// network, or holds weights that are not finite.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, RuntimeError> {
        Self::open_on(path, Backend::Native)
    }

    /// [`Model::open`] with an engine of the caller's choice.
    ///
    /// # Errors
    /// As [`Model::open`], or the engine cannot run the network.
    pub fn open_on(path: impl AsRef<Path>, backend: Backend) -> Result<Self, RuntimeError> {
        let path = path.as_ref();
        let model = ModelFile::open(path);
        let opened = model.map_err(RuntimeError::from).and_then(|m| Self::loaded(m, backend));
        opened.map_err(|error| error.in_file(path))
    }

    /// Opens the bytes of a model file.
    ///
    /// # Errors
    /// As [`Model::open`], except for reading.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RuntimeError> {
        Self::loaded(ModelFile::from_bytes(bytes)?, Backend::Native)
    }

    /// A model that is in memory: one that was just imported or trained.
    ///
    /// # Errors
    /// The engine cannot run the network.
    pub fn new(model: ModelFile) -> Result<Self, RuntimeError> {
        Self::new_on(model, Backend::Native)
    }

    /// [`Model::new`] with an engine of the caller's choice.
    ///
    /// # Errors
    /// As [`Model::new`].
    pub fn new_on(model: ModelFile, backend: Backend) -> Result<Self, RuntimeError> {
        Self::loaded(model, backend)
    }

    fn loaded(file: ModelFile, backend: Backend) -> Result<Self, RuntimeError> {
        let mut graph = file.graph().clone();
        let key_found = graph.find(KEY_FOUND).ok();
        let outputs = [graph.outputs(), key_found.as_slice()].concat();
        graph.set_outputs(&outputs);
        let explainer = |method: &MethodSpec| {
            let shape = file.attribution_shape(&method.output)?;
            Ok(Explainer { shape, engine: OnceLock::new() })
        };
        let explainers = file.manifest().methods.iter().map(explainer);
        let explainers = explainers.collect::<Result<_, RuntimeError>>()?;
        Ok(Self {
            tells: key_found.is_some(),
            source: Source::new(&graph, backend)?,
            file,
            predictor: OnceLock::new(),
            explainers,
            crew: Crew::new(1),
            batch: 1,
        })
    }

    /// The same model with some threads to run on, 1 by default: they share the work on one image,
    /// and the images of methods of many [`passes`](crate::passes). Results do not depend on their
    /// number, bit for bit.
    pub fn with_threads(self, threads: NonZero<usize>) -> Self {
        Self { crew: Crew::new(threads.get()), ..self }
    }

    /// The same model with another number of images that the methods of many
    /// [`passes`](crate::passes) keep in memory at once, 1 by default; brought into 1 to 256.
    /// Threads share the images of a batch. Results do not depend on it.
    pub fn with_batch(self, images: usize) -> Self {
        Self { batch: images.clamp(1, MAX_BATCH), ..self }
    }

    /// What the file says of itself.
    pub fn manifest(&self) -> &Manifest {
        self.file.manifest()
    }

    /// The method of this name.
    ///
    /// # Errors
    /// The file has no such method; the error lists those it has.
    pub fn method(&self, name: &str) -> Result<&MethodSpec, RuntimeError> {
        Ok(&self.manifest().methods[self.position(name)?])
    }

    /// What licences say of this model. Its weights are hashed when this is first asked.
    ///
    /// # Errors
    /// The model has no gate.
    pub fn licensed(&self) -> Result<Licensed<'_>, RuntimeError> {
        let gate = self.manifest().gate.as_ref().ok_or(RuntimeError::NoGate)?;
        let digest = self.file.licensing_digest();
        Ok(Licensed { digest, keys: &gate.keys, vendor: gate.vendor })
    }

    /// The trigger of a secret for this model.
    ///
    /// # Errors
    /// The model has no gate, or its gate belongs to other keys.
    pub fn trigger(&self, secret: &Secret) -> Result<Trigger, RuntimeError> {
        self.check_key(secret.id())?;
        self.any_trigger(secret)
    }

    /// Whether a key opens the model, by its public id.
    ///
    /// # Errors
    /// The model has no gate, or its gate belongs to other keys.
    pub fn check_key(&self, found: KeyId) -> Result<(), RuntimeError> {
        let gate = self.manifest().gate.as_ref().ok_or(RuntimeError::NoGate)?;
        if gate.keys.contains(&found) {
            return Ok(());
        }
        Err(RuntimeError::WrongKey { found, expected: gate.keys.clone() })
    }

    /// The trigger that any secret would have here, right or wrong: for measuring what wrong keys
    /// do.
    ///
    /// # Errors
    /// The model has no gate.
    pub fn any_trigger(&self, secret: &Secret) -> Result<Trigger, RuntimeError> {
        let gate = self.manifest().gate.as_ref().ok_or(RuntimeError::NoGate)?;
        Ok(gate.trigger.derive(secret, self.shape()?)?)
    }

    /// Shape of the images that triggers are put on.
    ///
    /// # Errors
    /// The model's input is none that has triggers.
    pub fn shape(&self) -> Result<ImageShape, RuntimeError> {
        let input = &self.manifest().input;
        Ok(ImageShape::new(input.channels, input.height, input.width)?)
    }

    /// Ids of the keys that open the gate; none for a model without one.
    pub fn key_ids(&self) -> &[KeyId] {
        self.manifest().gate.as_ref().map_or(&[], |gate| &gate.keys)
    }

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

    fn position(&self, method: &str) -> Result<usize, RuntimeError> {
        let methods = &self.manifest().methods;
        methods.iter().position(|m| m.name == method).ok_or_else(|| RuntimeError::NoSuchMethod {
            asked: method.to_owned(),
            known: methods.iter().map(|m| m.name.clone()).collect(),
        })
    }

    fn explain_at(
        &self,
        position: usize,
        picture: &Picture,
        target: Target,
        trigger: Option<&Trigger>,
    ) -> Result<Explanation, RuntimeError> {
        let (method, explainer) = (&self.manifest().methods[position], &self.explainers[position]);
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
        let [channels, height, width] = explainer.shape;
        let size = [input.height, input.width];
        let map = saliency_map(&values, explainer.shape, size, method.reduction);
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
        self.engine(&self.explainers[position].engine, Some(output))
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
        let engine = Engine::new(&self.source, outputs)?;
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
        let input = &self.manifest().input;
        let expected = [input.channels, input.height, input.width];
        let found = [picture.channels(), picture.height(), picture.width()];
        if found != expected {
            return Err(RuntimeError::PictureShape { expected, found });
        }
        let scaled =
            |bytes: &[u8]| Zeroizing::new(bytes.iter().map(|&b| f32::from(b) / 255.0).collect());
        let Some(trigger) = trigger else { return Ok(scaled(picture.pixels())) };
        let mut bytes = Zeroizing::new(picture.pixels().to_vec());
        trigger.apply(&mut bytes)?;
        Ok(scaled(&bytes))
    }

    /// What an engine's outputs say.
    fn answer(&self, reads: Reads, outputs: Vec<Vec<f32>>) -> Result<Answer, RuntimeError> {
        let mut outputs = outputs.into_iter();
        let logits = outputs.next().unwrap_or_default();
        let attribution = match reads {
            Reads::Logits => Vec::new(),
            Reads::Gradient => outputs.next().unwrap_or_default(),
        };
        finite("logits", &logits)?;
        finite("attribution", &attribution)?;
        let key_found = outputs.next().map(|found| found.iter().any(|&any| any > 0.5));
        Ok(Answer { prediction: Prediction::new(logits, key_found), attribution })
    }

    /// Predicts one image of float pixels `[channel, row, column]`, of the input's size, which may
    /// have a trigger on it.
    pub(crate) fn predict_pixels(&self, pixels: &[f32]) -> Result<Prediction, RuntimeError> {
        let outputs = self.predictor()?.run(&self.crew, pixels, &[], true)?;
        Ok(self.answer(Reads::Logits, outputs)?.prediction)
    }

    /// Images that one [`run_batch`](Self::run_batch) takes: enough for all threads.
    pub(crate) fn batch(&self) -> usize {
        self.batch.max(self.crew.threads())
    }

    /// Runs a full batch of float pixels `[batch, channel, row, column]`; `target` is one row of
    /// class weights for all of them. Returns an answer per image.
    pub(crate) fn run_batch(
        &self,
        reads: Reads,
        pixels: &[f32],
        target: &[f32],
    ) -> Result<Vec<Answer>, RuntimeError> {
        let engine = match reads {
            Reads::Logits => self.predictor()?,
            Reads::Gradient => self.explainer(self.position(Method::Gradient.name())?)?,
        };
        let alone = Crew::new(1);
        let images: Vec<&[f32]> = pixels.chunks_exact(pixels.len() / self.batch()).collect();
        let answers: Vec<OnceLock<_>> = images.iter().map(|_| OnceLock::new()).collect();
        self.crew.run(images.len(), &|at| {
            answers[at].get_or_init(|| engine.run(&alone, images[at], target, true));
        });
        let answers = answers.into_iter().filter_map(OnceLock::into_inner);
        answers.map(|outputs| self.answer(reads, outputs?)).collect()
    }
}

fn finite(output: &'static str, values: &[f32]) -> Result<(), RuntimeError> {
    let all = values.iter().all(|v| v.is_finite());
    all.then_some(()).ok_or(RuntimeError::NonFinite { output })
}
