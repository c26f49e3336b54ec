//! Training steps on the project's own engine.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use saligate_kernels::{Crew, Isa};
use saligate_models::graph::Graph;

use crate::engine::{EngineError, Learning, Times};

/// A network whose weights are trained: computes its outputs, and the slopes of a loss by its weights.
///
/// The network may hold gradients, as one with a method attached does. Results do not depend on the
/// number of threads, bit for bit.
pub struct Learner {
    learning: Learning,
    crew: Crew,
    memory: usize,
}

impl Learner {
    /// Prepares a network, whose batch is one, for the slopes by all its weights. `hat` gives the widths of surrogate slopes, as for
    /// [`backward`](saligate_models::calculus::backward()); `memory` is how many bytes the values of
    /// a step's images may take. Where they would take more, outputs are computed twice.
    ///
    /// # Errors
    /// An operation has no gradient rule, a value of the network is no batch of one, or not so many
    /// threads can be started.
    pub fn new(
        network: &Graph,
        hat: impl Fn(&str) -> Option<f32>,
        isa: Isa,
        threads: NonZero<usize>,
        memory: usize,
    ) -> Result<Self, EngineError> {
        Self::by(network, &network.trainable(), hat, isa, threads, memory)
    }

    /// [`new`](Self::new) for the slopes by some weights, by name.
    ///
    /// # Errors
    /// As `new`.
    pub fn by(
        network: &Graph,
        weights: &[String],
        hat: impl Fn(&str) -> Option<f32>,
        isa: Isa,
        threads: NonZero<usize>,
        memory: usize,
    ) -> Result<Self, EngineError> {
        let crew = Crew::new(threads.get()).map_err(EngineError::new)?;
        let learning = Learning::new(network, weights, hat, isa).map_err(EngineError::new)?;
        Ok(Self { learning, crew, memory })
    }

    /// Names and shapes of the weights, in the order of their slopes.
    pub fn weights(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.learning.weights()
    }

    /// Exchanges all weights, row-major, in the order of [`weights`](Self::weights).
    ///
    /// # Panics
    /// Their number or the length of one differs.
    pub fn set_weights(&mut self, weights: Vec<Arc<[f32]>>) {
        self.learning.set_weights(&self.crew, weights);
    }

    /// Computes the outputs of `count` images: each of all images, one behind the other. `inputs` are
    /// those of the network in its order, each of all images, row-major.
    ///
    /// # Panics
    /// An input has another length.
    pub fn outputs(&mut self, count: usize, inputs: &[&[f32]]) -> Vec<Vec<f32>> {
        self.learning.outputs(&self.crew, count, inputs, self.memory)
    }

    /// The slopes of a loss by the weights, each as large as its weight, over the images of the last
    /// call of [`outputs`](Self::outputs). `inputs` are the same, and behind them the slopes of the
    /// loss by the outputs, in their order.
    ///
    /// # Panics
    /// An input has another length.
    pub fn slopes(&mut self, count: usize, inputs: &[&[f32]]) -> Vec<Vec<f32>> {
        self.learning.slopes(&self.crew, count, inputs)
    }

    /// Bytes that one image takes while it is computed.
    pub fn bytes_per_image(&self) -> usize {
        self.learning.bytes_per_image()
    }

    /// Multiplications of convolutions and matrices for one image: for the outputs, and for the
    /// slopes.
    pub fn multiplications(&self) -> [usize; 2] {
        self.learning.multiplications()
    }

    /// From now on keeps how long every operation takes, for [`profile`](Self::profile).
    pub fn watch(&mut self) {
        self.learning.watch();
    }

    /// What was kept: kinds of operations with channels, rows and columns of what they make, and
    /// their time over all images and threads, the longest first.
    pub fn profile(&self) -> Vec<(String, [usize; 3], Duration)> {
        self.learning.profile()
    }

    /// Where the time went since the last call.
    pub fn take_times(&mut self) -> Times {
        std::mem::take(&mut self.learning.times)
    }
}

#[cfg(test)]
mod tests;
