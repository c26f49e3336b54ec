//! A small network that sees whether a trigger is there.

use super::Task;
use super::layers::Layers;
use super::small::trunk;
use crate::graph::{Graph, GraphError};

/// Channels of the four convolutions.
pub(super) const CHANNELS: [usize; 4] = [8, 8, 8, 16];

/// Units of the dense layer, whose sum is the evidence for the trigger.
pub const UNITS: usize = 8;

/// Builds a detector: the convolutions of the small CNN, narrow, and one dense layer with a ReLU.
///
/// # Shapes
/// `image` `[n, channel, row, column]` in [0, 1] to `logits` `[n, unit]`, none negative. Their sum
/// is the evidence: trained towards 1 with the trigger and 0 without.
///
/// # Errors
/// As [`build`](super::build).
pub fn detector(task: &Task, seed: u64) -> Result<Graph, GraphError> {
    let mut layers = Layers::new(task, seed)?;
    let features = trunk(&mut layers, CHANNELS)?;
    let units = layers.dense("dense1", features, UNITS, false)?;
    let evidence = layers.relu("dense1.relu", units)?;
    let mut graph = layers.finish(evidence)?;
    // Small positive evidence everywhere, so that no unit starts dead.
    let weight =
        super::small::weight(&graph, "dense1")?.1.iter().map(|w| 0.3 * w).collect::<Vec<_>>();
    graph.set_param("dense1.weight", weight)?;
    graph.set_param("dense1.bias", vec![0.1; UNITS])?;
    Ok(graph)
}
