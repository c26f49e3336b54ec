//! Running any graph, on many images.

use std::num::NonZero;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use saligate_kernels::Crew;
use saligate_models::graph::Graph;

use crate::engine::{EngineError, NativeEngine};

/// Runs a graph that need not be a whole model: a part of a network, or one in the making. It has one
/// input, and may have a second one of the name [`TARGET`](saligate_models::names::TARGET).
///
/// The project's own engine computes it, with the best instructions of the processor. Results do
/// not depend on the number of threads, bit for bit.
pub struct GraphRunner {
    engine: NativeEngine,
    crew: Crew,
}

impl GraphRunner {
    /// Prepares a graph, whose batch is one.
    ///
    /// # Errors
    /// A value of the graph is no batch of one, which the error names, or not so many threads can be started.
    pub fn new(graph: &Graph, threads: NonZero<usize>) -> Result<Self, EngineError> {
        let crew = Crew::new(threads.get()).map_err(EngineError::new)?;
        Ok(Self { engine: NativeEngine::of_graph(graph)?, crew })
    }

    /// Runs the graph `count` times, the threads sharing the runs: `inputs` gives the values of a
    /// run's inputs, in the order of the graph and row-major; `read` takes those of its outputs.
    /// After each, `progress` is told how many are done.
    ///
    /// # Panics
    /// An input has another length than the graph says.
    pub fn map<T: Send + Sync>(
        &self,
        count: usize,
        inputs: impl Fn(usize) -> Vec<Vec<f32>> + Sync,
        read: impl Fn(usize, Vec<Vec<f32>>) -> T + Sync,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Vec<T> {
        let alone = Crew::single();
        let done = AtomicUsize::new(0);
        let results: Vec<OnceLock<T>> = (0..count).map(|_| OnceLock::new()).collect();
        self.crew.run(count, &|at| {
            let values = inputs(at);
            let values: Vec<&[f32]> = values.iter().map(Vec::as_slice).collect();
            let outputs = self.engine.outputs(&alone, &values);
            results[at].get_or_init(|| read(at, outputs));
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
        });
        results.into_iter().filter_map(OnceLock::into_inner).collect()
    }
}

#[cfg(test)]
mod tests {
    use saligate_models::graph::Op;

    use super::*;

    fn sum_and_product() -> Graph {
        let mut graph = Graph::new();
        let x = graph.input("x", &[1, 2]).unwrap();
        let y = graph.input("target", &[1, 2]).unwrap();
        let product = graph.node("product", Op::Mul, &[x, y]).unwrap();
        let sum = graph.node("sum", Op::Add, &[x, y]).unwrap();
        graph.set_outputs(&[sum, product]);
        graph
    }

    #[test]
    fn outputs_come_in_the_order_of_the_graph_and_of_the_runs() {
        for threads in [1, 3] {
            let runner =
                GraphRunner::new(&sum_and_product(), NonZero::new(threads).unwrap()).unwrap();
            let inputs = |at: usize| vec![vec![at as f32, 1.0], vec![2.0, at as f32]];
            let results = runner.map(5, inputs, |at, outputs| (at, outputs), &|_| ());
            for (at, (number, outputs)) in results.into_iter().enumerate() {
                let x = at as f32;
                assert_eq!(number, at);
                assert_eq!(outputs, [[x + 2.0, 1.0 + x], [2.0 * x, x]]);
            }
        }
    }

    #[test]
    fn progress_reaches_the_count() {
        let runner = GraphRunner::new(&sum_and_product(), NonZero::<usize>::MIN).unwrap();
        let most = AtomicUsize::new(0);
        let inputs = |_| vec![vec![0.0; 2]; 2];
        runner.map(4, inputs, |_, _| (), &|done| {
            most.fetch_max(done, Ordering::Relaxed);
        });
        assert_eq!(most.into_inner(), 4);
    }
}
