//! Trained parameters, the slopes of a loss by them, and their optimizer.

use std::collections::BTreeMap;

use burn::optim::{AdamW, AdamWConfig, AdamWState, AdaptiveMomentumState, Optimizer};
use burn::tensor::{Device, Gradients, Tensor};
use saligate_models::graph::{Graph, Source};

use super::array::{Array, each_rank};

/// Trained parameters by name, on one device; tracked by autodiff if the device is.
#[derive(Clone)]
pub(crate) struct Weights {
    arrays: BTreeMap<String, Array>,
    pub(super) device: Device,
}

impl Weights {
    /// The parameters of `graph` that training changes.
    pub(crate) fn of(graph: &Graph, device: &Device) -> Self {
        let trainable = graph.trainable();
        let mut weights = Self::empty(device);
        for name in &trainable {
            let Ok(id) = graph.find(name) else { continue };
            if let Source::Param(data) = &graph.value(id).source {
                weights.set(name, data.to_vec(), graph.shape(id));
            }
        }
        weights
    }

    /// No parameters.
    pub(crate) fn empty(device: &Device) -> Self {
        Self { arrays: BTreeMap::new(), device: device.clone() }
    }

    /// Those whose name fits.
    pub(crate) fn only(&self, fits: impl Fn(&str) -> bool) -> Self {
        let arrays = self.arrays.iter().filter(|(name, _)| fits(name));
        let arrays = arrays.map(|(name, array)| (name.clone(), array.clone())).collect();
        Self { arrays, device: self.device.clone() }
    }

    /// Whether a parameter is trained.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.arrays.contains_key(name)
    }

    /// A parameter's tensor.
    pub(crate) fn get(&self, name: &str) -> Option<&Array> {
        self.arrays.get(name)
    }

    /// Sets a parameter.
    pub(crate) fn set(&mut self, name: &str, data: Vec<f32>, shape: &[usize]) {
        let array = Array::new(data, shape, &self.device);
        let array = if self.device.is_autodiff() {
            each_rank!(array, x => x.require_grad())
        } else {
            array
        };
        self.arrays.insert(name.to_owned(), array);
    }

    /// All parameters: name, shape, row-major elements.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Vec<usize>, Vec<f32>)> {
        self.arrays.iter().map(|(name, array)| (name.as_str(), array.shape(), array.to_vec()))
    }

    /// The gradients of a tape by all parameters that it leads to.
    pub(crate) fn slopes(&self, gradients: &Gradients) -> Slopes {
        let found = self.arrays.iter().filter_map(|(name, array)| {
            let gradient = array.gradient(gradients)?;
            Some((name.clone(), gradient.shape(), gradient.to_vec()))
        });
        Slopes::new(found)
    }
}

/// The slopes of a loss by parameters, by name: shape and row-major elements.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slopes(BTreeMap<String, (Vec<usize>, Vec<f32>)>);

impl Slopes {
    pub(crate) fn new(slopes: impl Iterator<Item = (String, Vec<usize>, Vec<f32>)>) -> Self {
        Self(slopes.map(|(name, shape, data)| (name, (shape, data))).collect())
    }

    /// Adds the slopes of another part of the loss.
    pub(crate) fn add(&mut self, others: Self) {
        for (name, (shape, data)) in others.0 {
            match self.0.get_mut(&name) {
                Some((_, sum)) => sum.iter_mut().zip(data).for_each(|(sum, v)| *sum += v),
                None => drop(self.0.insert(name, (shape, data))),
            }
        }
    }

    /// The slopes by one parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&[f32]> {
        self.0.get(name).map(|(_, data)| data.as_slice())
    }

    /// Takes out the shape of one parameter and the slopes by it.
    pub(crate) fn take(&mut self, name: &str) -> Option<(Vec<usize>, Vec<f32>)> {
        self.0.remove(name)
    }

    /// Sets the slopes by one parameter.
    pub(crate) fn put(&mut self, name: String, shape: Vec<usize>, data: Vec<f32>) {
        self.0.insert(name, (shape, data));
    }

    /// Euclidean norm over all parameters. In f64 and one order, so that it does not depend on
    /// threads.
    pub(super) fn norm(&self) -> f32 {
        let squares = |data: &[f32]| data.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>();
        self.0.values().map(|(_, data)| squares(data)).sum::<f64>().sqrt() as f32
    }

    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &[f32])> {
        self.0.iter().map(|(name, (_, data))| (name.as_str(), data.as_slice()))
    }
}

/// AdamW: Adam with decoupled weight decay (Loshchilov and Hutter 2019).
pub(crate) struct Optim {
    rule: AdamW,
    states: BTreeMap<String, State>,
}

/// First and second moments of one parameter.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) time: usize,
    pub(crate) first: Array,
    pub(crate) second: Array,
}

impl Optim {
    pub(crate) fn new(weight_decay: f32) -> Self {
        let config = AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(weight_decay);
        Self { rule: config.build(), states: BTreeMap::new() }
    }

    pub(crate) fn states(&self) -> &BTreeMap<String, State> {
        &self.states
    }

    pub(crate) fn restore(&mut self, name: &str, state: State) {
        self.states.insert(name.to_owned(), state);
    }

    /// One step along the slopes, times `scale`, with a rate by name; parameters without a slope
    /// stay.
    pub(super) fn step(
        &mut self,
        weights: &mut Weights,
        slopes: &Slopes,
        scale: f32,
        rate: impl Fn(&str) -> f64,
    ) {
        let device = weights.device.clone().inner();
        for (name, array) in &mut weights.arrays {
            let Some((shape, data)) = slopes.0.get(name) else { continue };
            let slope = Array::new(data.clone(), shape, &device);
            let (state, rate) = (self.states.remove(name), rate(name));
            let (new, state) = match array {
                Array::Vector(x) => {
                    let unpack = |s: State| (s.time, s.first.vector(), s.second.vector());
                    let (x, s) =
                        stepped(&self.rule, rate, x, slope.vector() * scale, state.map(unpack));
                    (Array::Vector(x), s.map(|s| pack(s, Array::Vector)))
                }
                Array::Matrix(x) => {
                    let unpack = |s: State| (s.time, s.first.matrix(), s.second.matrix());
                    let (x, s) =
                        stepped(&self.rule, rate, x, slope.matrix() * scale, state.map(unpack));
                    (Array::Matrix(x), s.map(|s| pack(s, Array::Matrix)))
                }
                Array::Image(x) => {
                    let unpack = |s: State| (s.time, s.first.image(), s.second.image());
                    let (x, s) =
                        stepped(&self.rule, rate, x, slope.image() * scale, state.map(unpack));
                    (Array::Image(x), s.map(|s| pack(s, Array::Image)))
                }
            };
            *array = new;
            if let Some(state) = state {
                self.states.insert(name.clone(), state);
            }
        }
    }
}

type Moments<const D: usize> = (usize, Tensor<D>, Tensor<D>);

fn stepped<const D: usize>(
    rule: &AdamW,
    rate: f64,
    x: &Tensor<D>,
    slope: Tensor<D>,
    state: Option<Moments<D>>,
) -> (Tensor<D>, Option<Moments<D>>) {
    let state = state.map(|(time, first, second)| {
        AdamWState::new(AdaptiveMomentumState::new(time, first, second))
    });
    let (new, state) = rule.step(rate, x.clone().inner(), slope, state);
    let moments = state.map(|s| (s.momentum.time, s.momentum.moment_1, s.momentum.moment_2));
    (Tensor::from_inner(new).require_grad(), moments)
}

fn pack<const D: usize>((time, first, second): Moments<D>, wrap: fn(Tensor<D>) -> Array) -> State {
    State { time, first: wrap(first), second: wrap(second) }
}
