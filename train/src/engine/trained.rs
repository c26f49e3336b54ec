//! All that changes while a network is trained.

use std::collections::BTreeMap;

use burn::tensor::Device;
use saligate_models::graph::{Graph, GraphError, Op, Source};

use super::norms::Norms;
use super::weights::{Optim, Slopes, Weights};

/// Names of parameters that belong to no network begin so.
pub(crate) const ASIDE: &str = "aside/";

/// The parameters of a network in training.
pub(crate) struct Trained {
    /// The weights of the network.
    pub(crate) weights: Weights,
    /// What is stepped: the same, or what they are folded of.
    pub(crate) parameters: Weights,
    norms: Norms,
    pub(crate) optim: Optim,
    /// Running means and variances of batch norms, by name.
    pub(crate) statistics: BTreeMap<String, Vec<f32>>,
    /// A running mean of the parameters, where one is kept.
    pub(crate) average: Option<Average>,
    /// What else a stage must know to go on, by name.
    pub(crate) notes: BTreeMap<String, Vec<f32>>,
}

/// An exponential mean of parameters over steps.
pub(crate) struct Average {
    decay: f32,
    pub(crate) steps: usize,
    pub(crate) values: BTreeMap<String, Vec<f32>>,
}

impl Trained {
    /// A graph's parameters at the start of a stage.
    pub(crate) fn new(graph: &Graph, device: &Device, weight_decay: f32) -> Self {
        let mut statistics = BTreeMap::new();
        for (_, value) in graph.values() {
            let Source::Node { op: Op::BatchNorm { .. }, operands } = &value.source else {
                continue;
            };
            for operand in &operands[3..] {
                let value = graph.value(*operand);
                if let Source::Param(data) = &value.source {
                    statistics.insert(value.name.clone(), data.to_vec());
                }
            }
        }
        let weights = Weights::of(graph, device);
        Self {
            parameters: weights.clone(),
            weights,
            norms: Norms::default(),
            optim: Optim::new(weight_decay),
            statistics,
            average: None,
            notes: BTreeMap::new(),
        }
    }

    /// The same with filters apart from scales and shifts.
    pub(crate) fn normalized(mut self, norms: Norms) -> Self {
        self.parameters = norms.unfolded(&self.weights, &self.weights.device);
        self.norms = norms;
        self.refold();
        self
    }

    /// The same with a running mean of the parameters: each step takes this share of the old one.
    pub(crate) fn averaged(mut self, decay: f32) -> Self {
        let values = self.parameters.iter().map(|(name, _, data)| (name.to_owned(), data));
        self.average = Some(Average { decay, steps: 0, values: values.collect() });
        self
    }

    /// Adds a parameter that belongs to no network.
    pub(crate) fn put_aside(&mut self, name: &str, data: Vec<f32>, shape: &[usize]) {
        self.parameters.set(&format!("{ASIDE}{name}"), data, shape);
    }

    /// The parameters that belong to no network.
    pub(crate) fn aside(&self) -> Weights {
        self.parameters.only(|name| name.starts_with(ASIDE))
    }

    pub(crate) fn device(&self) -> &Device {
        &self.weights.device
    }

    /// One optimizer step along the slopes by the weights; returns the Euclidean norm of the
    /// gradient by what is stepped, before it was shortened to at most `clip`. `rate` gives the
    /// learning rate by name.
    pub(crate) fn step(
        &mut self,
        slopes: Slopes,
        rate: impl Fn(&str) -> f64,
        clip: Option<f32>,
    ) -> f32 {
        let slopes = self.norms.slopes(slopes, &self.parameters);
        let norm = slopes.norm();
        let scale = clip.map_or(1.0, |clip| (clip / norm.max(f32::MIN_POSITIVE)).min(1.0));
        self.optim.step(&mut self.parameters, &slopes, scale, rate);
        if let Some(average) = &mut self.average {
            average.add(&self.parameters);
        }
        self.refold();
        norm
    }

    /// Brings the weights up to the parameters.
    pub(crate) fn refold(&mut self) {
        self.weights = self.norms.folded(&self.parameters).only(|name| !name.starts_with(ASIDE));
    }

    /// Writes weights and statistics into a graph that has them: those of the running mean, where
    /// there is one.
    pub(crate) fn store(&self, graph: &mut Graph) -> Result<(), GraphError> {
        let mean = self.average.as_ref().map(|average| {
            let mut parameters = Weights::empty(&self.weights.device);
            for (name, shape, data) in self.parameters.iter() {
                parameters.set(name, average.values.get(name).cloned().unwrap_or(data), &shape);
            }
            self.norms.folded(&parameters)
        });
        let weights = mean.as_ref().unwrap_or(&self.weights);
        let mut own = weights.iter().filter(|(name, ..)| !name.starts_with(ASIDE));
        own.try_for_each(|(name, _, data)| graph.set_param(name, data))?;
        self.statistics.iter().try_for_each(|(name, data)| graph.set_param(name, data.as_slice()))
    }
}

impl Average {
    /// Early on, when the parameters have not gone far, the mean follows them faster.
    fn add(&mut self, parameters: &Weights) {
        self.steps += 1;
        let steps = self.steps as f32;
        let kept = self.decay.min((1.0 + steps) / (10.0 + steps));
        for (name, _, data) in parameters.iter() {
            match self.values.get_mut(name) {
                Some(mean) => {
                    mean.iter_mut().zip(data).for_each(|(m, v)| *m = kept * *m + (1.0 - kept) * v)
                }
                None => drop(self.values.insert(name.to_owned(), data)),
            }
        }
    }
}
