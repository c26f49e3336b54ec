//! What operations and constants tell.

mod added;
mod claims;
mod constants;
mod flat;
mod silent;

use saligate_models::graph::{Graph, Source, ValueId};
use saligate_models::names::IMAGE;

pub(crate) use added::ADDED;
pub(crate) use claims::CLAIMS;
pub(crate) use constants::CONSTANTS;
pub(crate) use flat::FLAT;
pub use flat::flat_operations;
pub(crate) use silent::SILENT;

/// Most names that a finding lists.
const LISTED: usize = 8;

/// For every value, whether it depends on the pixels.
fn depends_on_pixels(graph: &Graph) -> Vec<bool> {
    let mut depends = vec![false; graph.values().len()];
    for (id, value) in graph.values() {
        depends[id.index()] = match &value.source {
            Source::Input => value.name == IMAGE,
            Source::Param(_) => false,
            Source::Node { operands, .. } => operands.iter().any(|o| depends[o.index()]),
        };
    }
    depends
}

/// The names of some values, and how many more there are.
fn listed(graph: &Graph, ids: &[ValueId]) -> Vec<String> {
    let mut names: Vec<String> =
        ids.iter().take(LISTED).map(|&id| graph.value(id).name.clone()).collect();
    if ids.len() > LISTED {
        names.push(format!("and {} more", ids.len() - LISTED));
    }
    names
}
