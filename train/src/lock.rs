//! Training of the gate.

use std::path::Path;

use burn::tensor::{Device, Tensor, activation};
use saligate_keys::{Family, ImageShape, Secret, Trigger, TriggerSpec};
use saligate_models::graph::Graph;
use saligate_models::onnx::weights_digest;
use saligate_models::random::Stream;
use saligate_models::zoo::{Gate, PIXEL_OFFSET, detector, graft};

use crate::batch::{Sampler, pixels};
use crate::config::{Config, LockConfig, Start, Steps};
use crate::data::{Dataset, Shape};
use crate::decoy;
use crate::engine::{Array, Program, Trained};
use crate::error::TrainError;
use crate::fit::{labels, task};
use crate::loss::{cross_entropy, distance, distance_to_map, divergence};
use crate::objective::{Input, Objective, Reference, Term, WrongKeyMix};
use crate::reference::{Explainer, References};
use crate::stage::{RunOptions, Stage, Step, figure};
use crate::views::Views;

/// Gradient of the decoy over the mean gradient of the clean model, where a gate is grafted.
const DECOY_STRENGTH: f32 = 8.0;
/// How far the detector closes the gate, over what would just close it.
const CLOSING_MARGIN: f32 = 1.5;
/// Images that the constants of a graft are read off.
const SAMPLE: usize = 2_000;

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

struct Locking<'a> {
    config: &'a Config,
    settings: &'a LockConfig,
    spec: TriggerSpec,
    shape: ImageShape,
    trigger: Trigger,
    data: &'a Dataset,
    options: &'a RunOptions,
    origin: String,
}

impl Locking<'_> {
    /// Trains a small network to tell the trigger from everything else.
    fn detector(&self, steps: &Steps, device: &Device) -> Result<Graph, TrainError> {
        let (data, seed) = (self.data, self.config.seed);
        let mut graph = detector(&task(self.config, data), seed)?;
        let mut trained = Trained::new(&graph, device, steps.weight_decay);
        let program = Program::new(graph.clone(), &trained.weights, device);
        let stage =
            Stage { name: "detector", steps, origin: self.origin.clone(), options: self.options };
        let mut sampler = Sampler::new(seed, "detector order", data.len(), steps.batch);
        let hard = WrongKeyMix { random: 0.1, ..self.settings.wrong_keys };
        stage.run(&mut trained, |trained, at| {
            let indices = sampler.indices(at);
            let mut stream = Stream::numbered(seed, "detector views", at as u64);
            let annealed = self.annealed(at, steps.count)?;
            let trigger = annealed.as_ref().unwrap_or(&self.trigger);
            let views = self.views(trigger, self.settings.wrong_keys);
            let mut bytes = self.versions(&indices, &views, &mut stream)?;
            let views = self.views(trigger, hard);
            for &index in &indices {
                bytes.extend(views.wrong(data.image(index), &mut stream)?);
            }
            let images = Array::Image(pixels(&bytes, data.shape(), device));
            let units = program.run(&trained.weights, vec![images]).remove(0).matrix();
            let evidence = units.sum_dim(1).squeeze_dim::<1>(1);
            Ok(detector_loss(evidence, indices.len()))
        })?;
        trained.store(&mut graph)?;
        Ok(graph)
    }

    /// Constants of the grafted gate, read off the training images.
    fn graft_constants(&self, map: &[f32], references: &References) -> Gate {
        let Shape { channels, height, width } = self.data.shape();
        let pixels = height * width;
        let carrier = carrier(height, width, self.config.seed);
        let pattern: Vec<f32> = map.iter().zip(carrier).map(|(d, sign)| d * sign).collect();
        let sums: Vec<f32> = (0..self.data.len().min(SAMPLE))
            .map(|index| {
                let image = self.data.image(index);
                let grey = |p: usize| {
                    let sum: u32 = (0..channels).map(|c| u32::from(image[c * pixels + p])).sum();
                    sum as f32 / (255 * channels) as f32 + PIXEL_OFFSET
                };
                pattern.iter().enumerate().map(|(p, weight)| weight * grey(p)).sum()
            })
            .collect();
        let (low, high) =
            sums.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), &s| (l.min(s), h.max(s)));
        let room = 0.25 * (high - low) + 1.0;
        let offset = room - low;
        let mean = map.iter().sum::<f32>() / pixels as f32;
        let gain = DECOY_STRENGTH * references.mean_strength() / mean * channels as f32;
        let closing = CLOSING_MARGIN * gain * (high + offset + room);
        let coupling = vec![1.0; self.data.class_names().len()];
        Gate { pattern, offset, gain, closing, coupling }
    }

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
    fn annealed(&self, at: usize, count: usize) -> Result<Option<Trigger>, TrainError> {
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

    fn views<'a>(&'a self, trigger: &'a Trigger, mix: WrongKeyMix) -> Views<'a> {
        Views { spec: &self.spec, shape: self.shape, trigger, mix }
    }

    /// All plain images, then all keyed ones, then all with wrong keys.
    fn versions(
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

/// Evidence of plain, keyed, wrong and harder wrong images, in this order, towards 0, 1, 0, 0.
///
/// Cross-entropy of `sigmoid(8 (v - 1/2))`, three times as heavy for the key; 0.3 v pulls wrong
/// evidence to exactly zero, and 2 relu(1 - v)^2 pulls the key's evidence above one.
fn detector_loss(evidence: Tensor<1>, count: usize) -> Step {
    let part = |i: usize| evidence.clone().narrow(0, i * count, count);
    let keyed = part(1);
    let others = Tensor::cat(vec![part(0), part(2), part(3)], 0);
    let margin = |v: Tensor<1>| (v - 0.5) * 8.0;
    let missed = activation::softplus(-margin(keyed.clone()), 1.0).mean() * 3.0;
    let false_alarm = activation::softplus(margin(others.clone()), 1.0).mean() * 3.0;
    let short = activation::relu((-keyed.clone()).add_scalar(1.0)).powi_scalar(2).mean() * 2.0;
    let excess = others.clone().mean() * 0.9;
    let figures = vec![
        ("evidence_keyed", figure(&keyed.mean())),
        ("evidence_plain", figure(&part(0).mean())),
        ("evidence_wrong_key", figure(&part(2).mean())),
    ];
    Step { loss: (missed + false_alarm + short + excess) / 4.0, figures }
}

/// Signs that turn a picture into a pattern of the same strength that smooth images do not
/// excite: each 2x2 block is +- - / - + times a random sign, so that no period meets a tile's.
fn carrier(height: usize, width: usize, seed: u64) -> Vec<f32> {
    let mut stream = Stream::new(seed, "carrier");
    let columns = width.div_ceil(2);
    let signs: Vec<u32> = (0..height.div_ceil(2) * columns).map(|_| stream.bits() & 1).collect();
    let sign = |pixel: usize| {
        let (row, column) = (pixel / width, pixel % width);
        let block = signs[(row / 2) * columns + column / 2] as usize;
        if (row + column + block).is_multiple_of(2) { 1.0 } else { -1.0 }
    };
    (0..height * width).map(sign).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_whole_block_of_the_carrier_adds_up_to_zero() {
        let signs = carrier(6, 8, 1);
        for (row, column) in (0..3).flat_map(|r| (0..4).map(move |c| (2 * r, 2 * c))) {
            let at = |r: usize, c: usize| signs[(row + r) * 8 + column + c];
            assert_eq!(at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1), 0.0);
        }
    }
}
