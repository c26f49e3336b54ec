//! The training engine: graphs evaluated on Burn tensors.
//!
//! The definitions of operations, gradients and methods are those of `saligate_models`; this
//! module only says how Burn computes each operation. Because a saliency graph holds the gradient
//! as ordinary operations, Burn's first-order autodiff trains through it.

mod array;
mod device;
mod network;
mod norms;
mod ops;
#[cfg(test)]
mod tests;
mod trained;
mod weights;

use std::collections::HashMap;

use burn::tensor::{Device, Tensor};
use saligate_measure::hats::Hats;
use saligate_models::graph::{Graph, Op, Source, ValueId};

pub(crate) use array::Array;
pub use device::{Backend, UnknownBackend};
pub(crate) use network::{Network, NetworkOptions, Outputs};
pub(crate) use norms::Norms;
pub(crate) use trained::{ASIDE, Trained};
pub(crate) use weights::{Slopes, State, Weights};

/// A graph prepared for repeated evaluation.
pub(crate) struct Program {
    graph: Graph,
    constants: Vec<Option<Array>>,
    /// Position of the last node that reads each value; outputs are kept.
    last_use: Vec<usize>,
    /// For masks with a surrogate slope: what they are the mask of, and the width.
    hats: HashMap<ValueId, (ValueId, f32)>,
}

/// Most elements of an input that are run at once: 1,300 images of 32 x 32, 27 of 224 x 224 RGB.
const ELEMENTS_AT_ONCE: usize = 4 << 20;

/// Computes the outputs of a graph on a backend, in order, from its inputs, in order: for
/// comparing engines.
///
/// # Shapes
/// Every input is its row-major elements and its shape, `[n, ...]` as in the graph with any n, the
/// same for all inputs.
///
/// # Errors
/// The backend is not part of this build.
///
/// # Panics
/// An input does not have the shape of the graph.
pub fn run_graph(
    graph: &Graph,
    backend: Backend,
    inputs: &[(Vec<f32>, Vec<usize>)],
) -> Result<Vec<Vec<f32>>, UnknownBackend> {
    let device = backend.device()?;
    let weights = Weights::of(graph, &device);
    let program = Program::new(graph.clone(), &weights, &device);
    let count = inputs.first().map_or(1, |(_, shape)| shape[0]);
    let largest = inputs.iter().map(|(data, _)| data.len() / count.max(1)).max().unwrap_or(1);
    let together = (ELEMENTS_AT_ONCE / largest.max(1)).max(1);
    let mut found = vec![Vec::new(); graph.outputs().len()];
    for first in (0..count).step_by(together) {
        let taken = together.min(count - first);
        let part = |(data, shape): &(Vec<f32>, Vec<usize>)| {
            let row = data.len() / shape[0];
            let rows = data[first * row..(first + taken) * row].to_vec();
            Array::new(rows, &[&[taken], &shape[1..]].concat(), &device)
        };
        let outputs = program.run(&weights, inputs.iter().map(part).collect());
        found.iter_mut().zip(&outputs).for_each(|(all, part)| all.extend(part.to_vec()));
    }
    Ok(found)
}

/// Mean and biased variance of one batch at one batch norm, `[channel]` each.
pub(crate) struct BatchStatistics {
    pub(crate) mean_name: String,
    pub(crate) variance_name: String,
    pub(crate) mean: Tensor<1>,
    pub(crate) variance: Tensor<1>,
}

impl Program {
    /// Prepares `graph`; parameters that `weights` does not hold are constants.
    pub(crate) fn new(graph: Graph, weights: &Weights, device: &Device) -> Self {
        Self::with_hats(graph, weights, device, &Hats::default())
    }

    /// [`new`](Self::new) with surrogate slopes of masks.
    pub(crate) fn with_hats(graph: Graph, weights: &Weights, device: &Device, hats: &Hats) -> Self {
        let relu = |id: ValueId| match &graph.value(id).source {
            Source::Node { op: Op::Relu, operands } => {
                hats.width(&graph.value(id).name).map(|width| (operands[0], width))
            }
            _ => None,
        };
        let hats: HashMap<ValueId, (ValueId, f32)> = graph
            .values()
            .filter_map(|(id, value)| match &value.source {
                Source::Node { op: Op::Sign, operands } => Some((id, relu(operands[0])?)),
                _ => None,
            })
            .collect();
        let mut constants = Vec::new();
        let mut last_use = Vec::new();
        for (id, value) in graph.values() {
            constants.push(match &value.source {
                Source::Param(data) if !weights.contains(&value.name) => {
                    Some(Array::new(data.to_vec(), &value.shape, device))
                }
                _ => None,
            });
            last_use.push(id.index());
            if let Source::Node { operands, .. } = &value.source {
                operands.iter().for_each(|o| last_use[o.index()] = id.index());
                if let Some((x, _)) = hats.get(&id) {
                    last_use[x.index()] = id.index();
                }
            }
        }
        for output in graph.outputs() {
            last_use[output.index()] = usize::MAX;
        }
        Self { graph, constants, last_use, hats }
    }

    /// Computes the outputs from the inputs, both in the graph's order. Batch norms use their
    /// running statistics.
    pub(crate) fn run(&self, weights: &Weights, inputs: Vec<Array>) -> Vec<Array> {
        self.evaluate(weights, inputs, None)
    }

    /// [`run`](Self::run) with the statistics of the batch in every batch norm, as in training.
    pub(crate) fn run_training(
        &self,
        weights: &Weights,
        inputs: Vec<Array>,
    ) -> (Vec<Array>, Vec<BatchStatistics>) {
        let mut statistics = Vec::new();
        let outputs = self.evaluate(weights, inputs, Some(&mut statistics));
        (outputs, statistics)
    }

    fn evaluate(
        &self,
        weights: &Weights,
        inputs: Vec<Array>,
        mut statistics: Option<&mut Vec<BatchStatistics>>,
    ) -> Vec<Array> {
        let mut inputs = inputs.into_iter();
        let mut values: Vec<Option<Array>> = Vec::with_capacity(self.constants.len());
        for (id, value) in self.graph.values() {
            let array = match &value.source {
                Source::Input => inputs.next(),
                Source::Param(_) => match &self.constants[id.index()] {
                    Some(constant) => Some(constant.clone()),
                    None => weights.get(&value.name).cloned(),
                },
                Source::Node { op, operands } => {
                    // Handing over the last copy of a tensor lets the backend reuse its memory.
                    let mut taken = Vec::with_capacity(operands.len());
                    for (i, operand) in operands.iter().enumerate() {
                        let again = operands[i + 1..].contains(operand);
                        let slot = &mut values[operand.index()];
                        let last = self.last_use[operand.index()] == id.index() && !again;
                        let array = if last { slot.take() } else { slot.clone() };
                        taken.push(array.expect("a value is kept until its last use"));
                    }
                    let hat = self
                        .hats
                        .get(&id)
                        .and_then(|&(x, width)| Some((values[x.index()].clone()?, width)));
                    Some(match (&op, &mut statistics, hat) {
                        (Op::Sign, _, Some((x, width))) => {
                            ops::with_hat(ops::apply(op, taken), x, width)
                        }
                        (Op::BatchNorm { epsilon }, Some(statistics), _) => {
                            let names = [3, 4].map(|i| self.graph.value(operands[i]).name.clone());
                            normalize_batch(*epsilon, taken, names, statistics)
                        }
                        _ => ops::apply(op, taken),
                    })
                }
            };
            values.push(array);
        }
        let outputs = self.graph.outputs().iter();
        outputs.map(|o| values[o.index()].clone().expect("outputs are kept")).collect()
    }
}

fn normalize_batch(
    epsilon: f32,
    operands: Vec<Array>,
    [mean_name, variance_name]: [String; 2],
    statistics: &mut Vec<BatchStatistics>,
) -> Array {
    let mut operands = operands.into_iter();
    let mut next = || operands.next().expect("a batch norm has five operands");
    let x = next().image();
    let (scale, shift) = (ops::channels(next().vector()), ops::channels(next().vector()));
    let over_batch = |x: Tensor<4>| x.mean_dim(0).mean_dim(2).mean_dim(3);
    let mean = over_batch(x.clone());
    let centred = x - mean.clone();
    let variance = over_batch(centred.clone() * centred.clone());
    let [_, count, _, _] = mean.dims();
    statistics.push(BatchStatistics {
        mean_name,
        variance_name,
        mean: mean.detach().reshape([count]),
        variance: variance.clone().detach().reshape([count]),
    });
    Array::Image(centred / (variance + epsilon).sqrt() * scale + shift)
}
