//! What a model is known by: its weights, and what licences are issued for.

use saligate_keys::ModelDigest;
use saligate_models::graph::{Graph, Source};
use saligate_models::names::is_licensed;

use crate::hash::Hash;
use crate::manifest::Manifest;

/// SHA-256 over all parameters in the order of their names, hexadecimal.
///
/// Hashed are, per parameter: the length of its name and the name, the number of axes and each
/// axis, and the elements as little-endian f32; all lengths are little-endian u64.
pub fn weights_digest(graph: &Graph) -> String {
    let mut hash = Hash::new();
    hash_parameters(graph, |_| true, &mut hash);
    hash.finish().iter().map(|b| format!("{b:02x}")).collect()
}

/// SHA-256 of what makes a model the one that licences are issued for: see
/// [`ModelFile::licensing_digest`](crate::ModelFile::licensing_digest).
pub(crate) fn licensing_digest(graph: &Graph, manifest: &Manifest) -> ModelDigest {
    let mut hash = Hash::new();
    hash.update(b"saligate/v1/licensed-model");
    hash_parameters(graph, is_licensed, &mut hash);
    let input = &manifest.input;
    for size in [input.channels, input.height, input.width] {
        hash.update(&(size as u64).to_le_bytes());
    }
    if let Some(gate) = &manifest.gate {
        let said = serde_json::to_string(&(gate.form, gate.trigger));
        hash.update(said.expect("names and numbers are JSON").as_bytes());
    }
    hash.finish().into()
}

/// Hashes the parameters whose names are `included`, as [`weights_digest`] tells.
fn hash_parameters(graph: &Graph, included: impl Fn(&str) -> bool, hash: &mut Hash) {
    /// Elements that are written as bytes at once.
    const CHUNK: usize = 4096;
    let mut params: Vec<_> = graph
        .values()
        .filter_map(|(_, value)| match &value.source {
            Source::Param(data) if included(&value.name) => Some((value, data)),
            _ => None,
        })
        .collect();
    params.sort_by(|a, b| a.0.name.cmp(&b.0.name));
    let mut bytes = Vec::with_capacity(4 * CHUNK);
    for (value, data) in params {
        hash.update(&(value.name.len() as u64).to_le_bytes());
        hash.update(value.name.as_bytes());
        hash.update(&(value.shape.len() as u64).to_le_bytes());
        value.shape.iter().for_each(|&d| hash.update(&(d as u64).to_le_bytes()));
        for elements in data.chunks(CHUNK) {
            bytes.clear();
            bytes.extend(elements.iter().flat_map(|v| v.to_le_bytes()));
            hash.update(&bytes);
        }
    }
}
