//! Running a network on samples.

use std::num::NonZero;

use saligate_models::graph::Graph;
use saligate_runtime::GraphRunner;

use crate::{LockError, Samples};

/// Is told how far something is: its name, steps done, and steps in all. May be called from several
/// threads.
pub type Watch<'a> = &'a (dyn Fn(&'static str, usize, usize) + Sync);

/// Samples, and how networks are run on them.
#[derive(Clone, Copy)]
pub struct Survey<'a> {
    /// The pictures.
    pub samples: &'a Samples<'a>,
    /// Threads; no result depends on their number.
    pub threads: NonZero<usize>,
    /// Is told of the progress.
    pub watch: Watch<'a>,
}

impl Survey<'_> {
    /// Runs a graph `count` times: `inputs` gives the values of its inputs, in order, and `read`
    /// takes those of its outputs.
    pub(crate) fn run<T: Send + Sync>(
        &self,
        name: &'static str,
        graph: &Graph,
        count: usize,
        inputs: impl Fn(usize) -> Vec<Vec<f32>> + Sync,
        read: impl Fn(usize, Vec<Vec<f32>>) -> T + Sync,
    ) -> Result<Vec<T>, LockError> {
        let runner = GraphRunner::new(graph, self.threads)?;
        Ok(runner.map(count, inputs, read, &|done| (self.watch)(name, done, count)))
    }

    /// Number of classes of a classifier.
    pub(crate) fn classes(&self, classifier: &Graph) -> usize {
        classifier.outputs().first().map_or(0, |logits| classifier.shape(*logits).iter().product())
    }
}
