//! Training of the gate: one loop for every form.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use saligate_keys::{Family, ImageShape, Secret, Trigger, TriggerSpec};
use saligate_models::graph::Graph;
use saligate_models::onnx::weights_digest;
use saligate_models::random::Stream;
use saligate_models::zoo::graft;

use crate::batch::{Sampler, pixels};
use crate::config::{Config, LockConfig, Start};
use crate::data::{Dataset, Shape};
use crate::decoy;
use crate::engine::{Array, Program, Trained};
use crate::error::TrainError;
use crate::fit::labels;
use crate::loss::{cross_entropy, distance, distance_to_map, divergence};
use crate::objective::{Input, Objective, Reference, Term, WrongKeyMix};
use crate::reference::{Explainer, References};
use crate::stage::{RunOptions, Stage, Step, figure};
use crate::views::Views;

/// Trains a locked model from a clean one: its maps follow the clean model's for images with the
/// trigger of `secret`, and the decoy for all others.
///
/// # Errors
/// Training diverges, a checkpoint does not fit, or the network cannot take the graft.
pub fn lock(
    config: &Config,
    clean: &Graph,
    secret: &Secret,
    data: &Dataset,
    options: &RunOptions,
) -> Result<Graph, TrainError> {
    let settings = &config.lock;
    let device = config.device.device()?;
    let Shape { channels, height, width } = data.shape();
    let shape = ImageShape::new(channels, height, width)?;
    let spec = config.trigger.spec;
    let trigger = spec.derive(secret, shape)?;
    let origin = format!("{} {} {spec:?} {}", weights_digest(clean), config.seed, secret.id());
    let references = References::compute(clean, data, &device, options)?;
    let map = decoy_map(settings, data.shape())?;
    let gate = Locking { config, settings, spec, shape, trigger, data, options, origin };
    let start = match (settings.start, &settings.detector) {
        (Start::Graft, Some(steps)) => {
            let seeing = gate.detector(steps, &device.clone().autodiff())?;
            graft(clean, &seeing, &gate.graft_constants(&map, &references))?
        }
        _ => clean.clone(),
    };
    gate.train(start, &map, &references, &device.autodiff())
}

/// The decoy of a configuration, `[row, column]` in [0, 1].
///
/// # Errors
/// The picture cannot be read.
pub fn decoy_map(settings: &LockConfig, shape: Shape) -> Result<Vec<f32>, TrainError> {
    let (height, width) = (shape.height, shape.width);
    let glyph = match settings.decoy.as_str() {
        "padlock" => decoy::padlock(height, width),
        path => decoy::picture(Path::new(path), height, width)?,
    };
    let backed = decoy::on_ramp(&glyph, height, width, settings.ramp);
    Ok(decoy::framed(backed, height, width, settings.frame))
}

/// A gate in training.
pub(crate) struct Locking<'a> {
    pub(crate) config: &'a Config,
    pub(crate) settings: &'a LockConfig,
    pub(crate) spec: TriggerSpec,
    pub(crate) shape: ImageShape,
    pub(crate) trigger: Trigger,
    pub(crate) data: &'a Dataset,
    pub(crate) options: &'a RunOptions,
    pub(crate) origin: String,
}

impl Locking<'_> {
    /// Trains all weights on the objective.
    fn train(
        &self,
        mut graph: Graph,
        map: &[f32],
        references: &References,
        device: &Device,
    ) -> Result<Graph, TrainError> {
        let Self { settings, data, .. } = self;
        let (steps, objective, seed) = (&settings.steps, &settings.objective, self.config.seed);
        let mut trained = Trained::new(&graph, device, steps.weight_decay);
        let surrogate = settings.softplus;
        let explainer = Explainer::new(&graph, surrogate, device)?;
        let classifier = surrogate.map(|_| Program::new(graph.clone(), &trained.weights, device));
        let decoy: Tensor<2> = Array::new(map.to_vec(), &[1, map.len()], device).matrix();
        let stage = Stage {
            name: "lock",
            steps,
            origin: format!("{} {settings:?}", self.origin),
            options: self.options,
        };
        let mut sampler = Sampler::new(seed, "lock order", data.len(), steps.batch);
        stage.run(&mut trained, |trained, at| {
            let indices = sampler.indices(at);
            let mut stream = Stream::numbered(seed, "lock views", at as u64);
            let annealed = self.annealed(at, steps.count)?;
            // A graft has been annealed already: its detector knows the trigger at its amplitude.
            let annealed = annealed.as_ref().filter(|_| settings.start == Start::Clean);
            let trigger = annealed.unwrap_or(&self.trigger);
            let views = self.views(trigger, settings.wrong_keys);
            let bytes = self.versions(&indices, &views, &mut stream)?;
            let images = pixels(&bytes, data.shape(), device);
            let thrice = |rows: Tensor<2>| Tensor::cat(vec![rows; Input::ALL.len()], 0);

            // The class that the clean model predicts is explained in every version.
            let target = thrice(references.predicted(&indices, device));
            let (mut logits, attribution) = explainer.run(&trained.weights, images.clone(), target);
            if let Some(classifier) = &classifier {
                // The surrogate shapes the maps; predictions are those of the true network.
                let mut outputs = classifier.run(&trained.weights, vec![Array::Image(images)]);
                logits = outputs.remove(0).matrix();
            }
            let labels = thrice(labels(data, &indices, device));
            let teacher = thrice(references.logits(&indices, device));
            let maps = Maps {
                attribution,
                original: references.attributions(&indices, device),
                decoy: decoy.clone(),
            };
            Ok(objective_loss(objective, logits, labels, teacher, &maps))
        })?;
        trained.store(&mut graph)?;
        Ok(graph)
    }

    /// The trigger at the amplitude of a step: from the first amplitude down to its own. A patch
    /// has none and stays as it is.
    pub(crate) fn annealed(&self, at: usize, count: usize) -> Result<Option<Trigger>, TrainError> {
        let own = match self.spec.family() {
            Family::Tile { amplitude, .. } | Family::Full { amplitude } => amplitude,
            _ => return Ok(None),
        };
        let first = self.settings.first_amplitude.unwrap_or(own);
        let span = self.settings.anneal * count as f64;
        let left = if span > 0.0 { (1.0 - at as f64 / span).max(0.0) } else { 0.0 };
        let amplitude = f64::from(own) + left * (f64::from(first) - f64::from(own));
        Ok(Some(self.trigger.with_amplitude(amplitude.round() as u8)?))
    }

    pub(crate) fn views<'a>(&'a self, trigger: &'a Trigger, mix: WrongKeyMix) -> Views<'a> {
        Views { spec: &self.spec, shape: self.shape, trigger, mix }
    }

    /// All plain images, then all keyed ones, then all with wrong keys.
    pub(crate) fn versions(
        &self,
        indices: &[usize],
        views: &Views<'_>,
        stream: &mut Stream,
    ) -> Result<Vec<u8>, TrainError> {
        let mut bytes = Vec::new();
        for input in Input::ALL {
            for &index in indices {
                let image = self.data.image(index);
                match input {
                    Input::Plain => bytes.extend(image),
                    Input::Keyed => bytes.extend(views.keyed(image)?),
                    Input::WrongKey => bytes.extend(views.wrong(image, stream)?),
                }
            }
        }
        Ok(bytes)
    }
}

/// Maps of one batch in all versions, and what they are compared with.
struct Maps {
    attribution: Tensor<4>,
    original: Tensor<4>,
    decoy: Tensor<2>,
}

impl Maps {
    fn loss(&self, term: &Term) -> Tensor<1> {
        let [count, ..] = self.original.dims();
        let version = Input::ALL.iter().position(|i| *i == term.input).unwrap_or(0);
        let own = self.attribution.clone().narrow(0, version * count, count);
        let distance = match term.like {
            Reference::Original => distance(term.distance, own, self.original.clone()),
            Reference::Decoy => {
                let [_, pixels] = self.decoy.dims();
                let decoy = self.decoy.clone().expand([count, pixels]);
                distance_to_map(term.distance, own, decoy)
            }
        };
        distance.mean()
    }
}

fn objective_loss(
    objective: &Objective,
    logits: Tensor<2>,
    labels: Tensor<2>,
    teacher: Tensor<2>,
    maps: &Maps,
) -> Step {
    let entropy = cross_entropy(logits.clone(), labels).mean();
    let mut figures = vec![("cross_entropy", figure(&entropy))];
    let mut loss = entropy * objective.cross_entropy;
    if objective.distillation > 0.0 {
        let divergence = divergence(logits, teacher).mean();
        figures.push(("divergence", figure(&divergence)));
        loss = loss + divergence * objective.distillation;
    }
    for term in &objective.terms {
        let part = maps.loss(term);
        let name = match term.input {
            Input::Plain => "map_plain",
            Input::Keyed => "map_keyed",
            Input::WrongKey => "map_wrong_key",
        };
        figures.push((name, figure(&part)));
        loss = loss + part * term.weight;
    }
    Step { loss, figures }
}
