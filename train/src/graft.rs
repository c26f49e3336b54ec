//! What a grafted gate is made of: a detector of the key, and constants read off the images.

use burn::tensor::{Device, Tensor, activation};
use saligate_models::graph::Graph;
use saligate_models::random::Stream;
use saligate_models::zoo::{Gate, PIXEL_OFFSET, detector};

use crate::batch::{Sampler, pixels};
use crate::config::Steps;
use crate::data::Shape;
use crate::engine::{Array, Program, Trained};
use crate::error::TrainError;
use crate::fit::task;
use crate::gate::Locking;
use crate::objective::{Input, WrongKeyMix};
use crate::reference::References;
use crate::stage::{Stage, Step, figure};
use crate::versions::Versions;

/// Gradient of the decoy over the mean gradient of the clean model, where a gate is grafted.
const DECOY_STRENGTH: f32 = 8.0;
/// How far the detector closes the gate, over what would just close it.
const CLOSING_MARGIN: f32 = 1.5;
/// Images that the constants of a graft are read off.
const SAMPLE: usize = 2_000;

impl Locking<'_> {
    /// Trains a small network to tell the trigger from everything else.
    pub(crate) fn detector(&self, steps: &Steps, device: &Device) -> Result<Graph, TrainError> {
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
            let triggers = annealed.as_deref().unwrap_or(&self.triggers);
            let views = self.views(triggers, self.settings.wrong_keys);
            let versions = Versions::new(&Input::ALL, indices.len(), 1.0);
            let mut bytes = versions.images(data, &indices, &views, &mut stream)?;
            let views = self.views(triggers, hard);
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
    pub(crate) fn graft_constants(&self, map: &[f32], references: &References<'_>) -> Gate {
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
        ("evidence_keyed".to_owned(), figure(&keyed.mean())),
        ("evidence_plain".to_owned(), figure(&part(0).mean())),
        ("evidence_wrong_key".to_owned(), figure(&part(2).mean())),
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
