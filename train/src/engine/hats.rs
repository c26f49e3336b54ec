//! Widths of surrogate slopes.

use std::collections::BTreeMap;
use std::num::NonZero;

use saligate_data::Dataset;
use saligate_models::graph::{Graph, Op, Source};
use saligate_runtime::GraphRunner;

use crate::batch::unit;
use crate::error::TrainError;

/// Images that deviations are taken from.
const IMAGES: usize = 64;

/// The width of the surrogate slope of every ReLU's mask, by the name of the ReLU.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hats(BTreeMap<String, f32>);

impl Hats {
    /// This share of the standard deviation of what every ReLU gets, over pixels, channels and the
    /// first images.
    pub(crate) fn measured(
        classifier: &Graph,
        share: f32,
        data: &Dataset,
        threads: NonZero<usize>,
    ) -> Result<Self, TrainError> {
        let relus = classifier.values().filter_map(|(_, value)| match &value.source {
            Source::Node { op: Op::Relu, operands } => Some((value.name.clone(), operands[0])),
            _ => None,
        });
        let (names, before): (Vec<_>, Vec<_>) = relus.unzip();
        let mut graph = classifier.clone();
        graph.set_outputs(&before);
        let failed = |error: saligate_runtime::EngineError| TrainError::Mismatch {
            reason: error.to_string(),
        };
        let runner = GraphRunner::new(&graph, threads).map_err(failed)?;
        let moments = |_, outputs: Vec<Vec<f32>>| -> Vec<[f64; 3]> {
            let of = |values: Vec<f32>| {
                let wide = values.iter().map(|&v| f64::from(v));
                wide.fold([0.0; 3], |[n, sum, squares], v| [n + 1.0, sum + v, squares + v * v])
            };
            outputs.into_iter().map(of).collect()
        };
        let images = |at: usize| vec![unit(data.image(at))];
        let found = runner.map(IMAGES.min(data.len()), images, moments, &|_| ());
        let widths = names.into_iter().enumerate().map(|(at, name)| {
            let [n, sum, squares] = found
                .iter()
                .fold([0.0; 3], |all, image| std::array::from_fn(|i| all[i] + image[at][i]));
            let mean = sum / n;
            let deviation = (squares / n - mean * mean).max(0.0).sqrt() as f32;
            // A layer that is the same everywhere has no deviation.
            (name, (share * deviation).max(1e-6))
        });
        Ok(Self(widths.collect()))
    }

    /// The same width for all ReLUs.
    pub(crate) fn all(classifier: &Graph, width: f32) -> Self {
        let relus = classifier.values().filter_map(|(_, value)| match &value.source {
            Source::Node { op: Op::Relu, .. } => Some((value.name.clone(), width)),
            _ => None,
        });
        Self(relus.collect())
    }

    /// The width for a ReLU.
    pub(crate) fn width(&self, relu: &str) -> Option<f32> {
        self.0.get(relu).copied()
    }
}
