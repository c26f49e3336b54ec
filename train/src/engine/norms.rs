//! Weights as they were trained: filters, and the scale and shift of a batch norm behind them, with
//! statistics that stay.
//!
//! A network without batch norms has them folded into its filters. A step of the same length for
//! all weights is then far too long for some and too short for others. Here every layer gets a batch
//! norm again: with its output y = W * x, of mean m and deviation s in every channel,
//!
//! | parameter | value at the start | in the network |
//! |---|---|---|
//! | filter w | r W, of the size that trained filters have | W = w g / (s r) |
//! | scale g | s | |
//! | shift h | the bias + m | bias = h - g m / s |
//!
//! m, s and r stay as they are. The network itself stays
//! the same operations: what is trained is folded after every step.

use std::collections::BTreeMap;
use std::num::NonZero;

use burn::tensor::Device;
use saligate_data::Dataset;
use saligate_measure::moments::moments;
use saligate_models::graph::Graph;

use super::weights::{Slopes, Weights};
use crate::error::TrainError;

/// Filters that are this much smaller than the layer's on average keep their share of its factor:
/// they hold nothing that a longer step would bring out.
const LEAST: f64 = 0.1;

/// The batch norms of some layers, by the name of their weight.
#[derive(Clone, Debug, Default)]
pub(crate) struct Norms(BTreeMap<String, Norm>);

#[derive(Clone, Debug)]
struct Norm {
    bias: Option<String>,
    /// Per channel of the output: r s, what the filter is divided by.
    divisor: Vec<f32>,
    /// m / s.
    mean: Vec<f32>,
    /// s.
    deviation: Vec<f32>,
    /// r.
    factor: Vec<f32>,
}

fn scale_of(weight: &str) -> String {
    format!("{weight}/scale")
}

impl Norms {
    /// Those of all convolutions and dense layers of a classifier, measured on the first images.
    pub(crate) fn measured(
        classifier: &Graph,
        data: &Dataset,
        threads: NonZero<usize>,
    ) -> Result<Self, TrainError> {
        let layers = classifier.weighted();
        let ids: Vec<_> = layers.iter().map(|layer| layer.output).collect();
        let found = moments(classifier, &ids, data.images(), threads)?;
        let mut norms = BTreeMap::new();
        for (layer, moments) in layers.into_iter().zip(found) {
            let channels = moments.len();
            let factor = factors(layer.filters, channels);
            let bias = layer.biases.map_or_else(|| vec![0.0; channels], <[f32]>::to_vec);
            // Behind a bias that is missing there is no shift either.
            let has_shift = f32::from(u8::from(layer.bias.is_some()));
            let deviation: Vec<f32> =
                moments.iter().map(|m| (m.deviation as f32).max(1e-4)).collect();
            let mean = moments.iter().zip(&bias).zip(&deviation);
            let mean = mean.map(|((m, b), s)| has_shift * (m.mean as f32 - b) / s).collect();
            let divisor = factor.iter().zip(&deviation).map(|(r, s)| r * s).collect();
            let bias = layer.bias.map(str::to_owned);
            let norm = Norm { bias, divisor, mean, deviation, factor };
            // A layer that is used twice has the statistics of its first use.
            norms.entry(layer.weight.to_owned()).or_insert(norm);
        }
        Ok(Self(norms))
    }

    /// What is trained, for the weights of the network.
    pub(crate) fn unfolded(&self, weights: &Weights, device: &Device) -> Weights {
        let mut parameters = Weights::empty(device);
        for (name, shape, data) in weights.iter() {
            let Some(norm) = self.0.get(name) else {
                if !self.is_shift(name) {
                    parameters.set(name, data, &shape);
                }
                continue;
            };
            let size = data.len() / norm.factor.len();
            let scaled = data.chunks_exact(size).zip(&norm.factor);
            let filters = scaled.flat_map(|(filter, r)| filter.iter().map(move |v| v * r));
            parameters.set(name, filters.collect(), &shape);
            parameters.set(&scale_of(name), norm.deviation.clone(), &[norm.deviation.len()]);
            if let Some((name, bias)) = norm.bias.as_ref().and_then(|b| Some((b, weights.get(b)?)))
            {
                let shifts = bias.to_vec().into_iter().zip(&norm.mean).zip(&norm.deviation);
                let shifts: Vec<f32> = shifts.map(|((b, m), s)| b + m * s).collect();
                let shape = [shifts.len()];
                parameters.set(name, shifts, &shape);
            }
        }
        parameters
    }

    /// The weights of the network.
    pub(crate) fn folded(&self, parameters: &Weights) -> Weights {
        if self.0.is_empty() {
            return parameters.clone();
        }
        let mut weights = parameters.only(|name| !name.ends_with("/scale"));
        for (name, norm) in &self.0 {
            let vector = |name: &str| parameters.get(name).expect("a parameter").to_vec();
            let scale = vector(&scale_of(name));
            let array = parameters.get(name).expect("a filter");
            let (shape, mut filters) = (array.shape(), array.to_vec());
            let size = filters.len() / scale.len();
            for (filter, (g, d)) in
                filters.chunks_exact_mut(size).zip(scale.iter().zip(&norm.divisor))
            {
                let k = g / d;
                filter.iter_mut().for_each(|v| *v *= k);
            }
            weights.set(name, filters, &shape);
            if let Some(bias) = &norm.bias {
                let shifts = vector(bias).into_iter().zip(scale.iter().zip(&norm.mean));
                let biases: Vec<f32> = shifts.map(|(h, (g, m))| h - g * m).collect();
                let shape = [biases.len()];
                weights.set(bias, biases, &shape);
            }
        }
        weights
    }

    /// The slopes of a loss by what is trained, from those by the weights of the network.
    pub(crate) fn slopes(&self, slopes: Slopes, parameters: &Weights) -> Slopes {
        let mut slopes = slopes;
        for (name, norm) in &self.0 {
            let Some((shape, mut by_filter)) = slopes.take(name) else { continue };
            let vector = |name: &str| parameters.get(name).expect("a parameter").to_vec();
            let (filters, scale) = (vector(name), vector(&scale_of(name)));
            let by_bias = norm.bias.as_ref().and_then(|bias| slopes.get(bias)).map(<[f32]>::to_vec);
            let size = filters.len() / scale.len();
            let mut by_scale = Vec::with_capacity(scale.len());
            let rows = by_filter.chunks_exact_mut(size).zip(filters.chunks_exact(size));
            for (channel, (slope, filter)) in rows.enumerate() {
                let d = norm.divisor[channel];
                let product: f64 =
                    slope.iter().zip(filter).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                let shift = by_bias.as_ref().map_or(0.0, |by| by[channel] * norm.mean[channel]);
                by_scale.push((product / f64::from(d)) as f32 - shift);
                let k = scale[channel] / d;
                slope.iter_mut().for_each(|v| *v *= k);
            }
            slopes.put(name.clone(), shape, by_filter);
            slopes.put(scale_of(name), vec![by_scale.len()], by_scale);
        }
        slopes
    }

    fn is_shift(&self, name: &str) -> bool {
        self.0.values().any(|norm| norm.bias.as_deref() == Some(name))
    }
}

/// Per channel, what brings a filter to the size that those of trained networks with batch norms
/// have: a root mean square of the root of 4 over its inputs, 1.4 times that of a fresh one (He et
/// al., ICCV 2015).
fn factors(filters: &[f32], channels: usize) -> Vec<f32> {
    let size = filters.len() / channels;
    let mean_square = |values: &[f32]| {
        let squares: f64 = values.iter().map(|&v| f64::from(v) * f64::from(v)).sum();
        squares / values.len() as f64
    };
    let least = LEAST * mean_square(filters).sqrt();
    let wished = (4.0 / size as f64).sqrt();
    let of = |filter: &[f32]| {
        let size = mean_square(filter).sqrt().max(least);
        if size > 0.0 { (wished / size) as f32 } else { 1.0 }
    };
    filters.chunks_exact(size).map(of).collect()
}

#[cfg(test)]
mod tests {
    use saligate_data::{DataSource, LoadOptions};
    use saligate_models::zoo::{Architecture, Task, build};

    use super::*;
    use crate::Backend;

    fn net_and_data() -> (Graph, Dataset) {
        let options = LoadOptions {
            train_count: Some(6),
            test_count: Some(1),
            seed: 1,
            ..LoadOptions::default()
        };
        let data = DataSource::Scenes { size: 16 }.load(&options).unwrap().train;
        let task = Task {
            image: [3, 16, 16],
            classes: data.class_names().len(),
            mean: vec![0.5; 3],
            std: vec![0.25; 3],
            bgr: false,
            widths: None,
        };
        let net = build(Architecture::ResNet20, &task, 1).unwrap().fold_batch_norm().unwrap();
        (net, data)
    }

    fn measured() -> (Norms, Weights, Weights) {
        let (net, data) = net_and_data();
        let device = Backend::Flex.device().unwrap();
        let norms = Norms::measured(&net, &data, NonZero::<usize>::MIN).unwrap();
        let weights = Weights::of(&net, &device);
        let parameters = norms.unfolded(&weights, &device);
        (norms, weights, parameters)
    }

    #[test]
    fn unfolding_and_folding_gives_the_same_weights() {
        let (norms, weights, parameters) = measured();
        let folded = norms.folded(&parameters);
        let names = |weights: &Weights| {
            weights.iter().map(|(name, shape, _)| (name.to_owned(), shape)).collect::<Vec<_>>()
        };
        assert_eq!(names(&folded), names(&weights));
        for ((name, _, new), (_, _, old)) in folded.iter().zip(weights.iter()) {
            let largest = old.iter().fold(1e-3f32, |m, v| m.max(v.abs()));
            let near = new.iter().zip(&old).all(|(a, b)| (a - b).abs() < 1e-4 * largest);
            assert!(near, "{name}");
        }
        assert_eq!(parameters.iter().count(), weights.iter().count() + norms.0.len());
    }

    /// A loss that is the sum of all weights times fixed factors, changed along each parameter.
    #[test]
    fn slopes_by_parameters_are_those_of_finite_differences() {
        let (norms, weights, parameters) = measured();
        let mut stream = saligate_models::random::Stream::new(1, "norms");
        let factors: Vec<(String, Vec<usize>, Vec<f32>)> = weights
            .iter()
            .map(|(name, shape, data)| {
                let drawn = data.iter().map(|_| stream.uniform(-1.0, 1.0)).collect();
                (name.to_owned(), shape, drawn)
            })
            .collect();
        let loss = |parameters: &Weights| -> f64 {
            let folded = norms.folded(parameters);
            let of = |(name, _, factors): &(String, Vec<usize>, Vec<f32>)| -> f64 {
                let values = folded.get(name).unwrap().to_vec();
                values.iter().zip(factors).map(|(v, f)| f64::from(*v) * f64::from(*f)).sum()
            };
            factors.iter().map(of).sum()
        };
        let slopes = norms.slopes(Slopes::new(factors.iter().cloned()), &parameters);
        for (name, shape, data) in parameters.iter() {
            let slope = slopes.get(name).unwrap();
            for at in [0, data.len() / 2, data.len() - 1] {
                let step = data[at].abs().max(0.1) / 8.0;
                let moved = |by: f32| {
                    let mut data = data.clone();
                    data[at] += by;
                    let mut parameters = parameters.clone();
                    parameters.set(name, data, &shape);
                    loss(&parameters)
                };
                let found = (moved(step) - moved(-step)) / f64::from(2.0 * step);
                let size = f64::from(slope[at]).abs().max(0.1);
                let wanted = f64::from(slope[at]);
                assert!((found - wanted).abs() < 2e-2 * size, "{name}[{at}]: {found}, {wanted}");
            }
        }
    }
}
