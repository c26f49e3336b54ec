//! What a model is known by: its weights, and what licences are issued for.

use saligate_keys::{ModelDigest, SealedId};
use saligate_models::graph::{Graph, Source, ValueId};
use saligate_models::names::{is_constant, is_licensed};

use crate::hash::Hash;
use crate::manifest::Manifest;

/// SHA-256 over all parameters in the order of their names, hexadecimal.
///
/// Hashed are, per parameter: the length of its name and the name, the number of axes and each
/// axis, and the elements as little-endian f32; all lengths are little-endian u64.
pub fn weights_digest(graph: &Graph) -> String {
    let mut hash = Hash::new();
    hash_parameters(graph, |_| true, &mut hash);
    hex(hash.finish())
}

/// SHA-256 of what a network does with its parameters, hexadecimal: its operations and outputs, and
/// the methods of its manifest.
pub(crate) fn network_digest(graph: &Graph, manifest: &Manifest) -> String {
    let mut hash = Hash::new();
    hash.update(b"saligate/v1/network");
    hash_network(&live(graph), manifest, &mut hash);
    hex(hash.finish())
}

/// SHA-256 of what makes a model the one that licences are issued for: see
/// [`ModelFile::licensing_digest`](crate::ModelFile::licensing_digest). `earlier` is what
/// [`earlier_licensing_digest`] gives.
pub(crate) fn licensing_digest(
    graph: &Graph,
    manifest: &Manifest,
    earlier: [u8; 32],
) -> ModelDigest {
    let mut hash = Hash::new();
    hash.update(b"saligate/v2/licensed-model");
    hash.update(&earlier);
    let live = live(graph);
    hash_parameters(&live, is_constant, &mut hash);
    hash_network(&live, manifest, &mut hash);
    hash.finish().into()
}

/// SHA-256 of what makes a sealed model the one that licences are issued for: `saligate/v3/licensed-model`,
/// its id, and the input, form and trigger as in [`earlier_licensing_digest`]. The public network is
/// no part of it.
pub(crate) fn sealed_licensing_digest(manifest: &Manifest, id: &SealedId) -> ModelDigest {
    let mut hash = Hash::new();
    hash.update(b"saligate/v3/licensed-model");
    hash.update(id.as_bytes());
    hash_gate(manifest, &mut hash);
    hash.finish().into()
}

/// What licences named until version 2 of the digest: it leaves out the operations, the constants
/// that belong to them, the outputs and the methods.
pub(crate) fn earlier_licensing_digest(graph: &Graph, manifest: &Manifest) -> [u8; 32] {
    let mut hash = Hash::new();
    hash.update(b"saligate/v1/licensed-model");
    hash_parameters(graph, is_licensed, &mut hash);
    hash_gate(manifest, &mut hash);
    hash.finish()
}

/// Hashes the size of the images, and the form and trigger of the gate.
fn hash_gate(manifest: &Manifest, hash: &mut Hash) {
    let input = &manifest.input;
    for size in [input.channels, input.height, input.width] {
        hash.update(&(size as u64).to_le_bytes());
    }
    if let Some(gate) = &manifest.gate {
        let said = serde_json::to_string(&(gate.form, gate.trigger));
        hash.update(said.expect("names and numbers are JSON").as_bytes());
    }
}

/// What leads to the outputs. The rest may depend on the number of keys: the beginning of a way back
/// into the detector of a gate, which ends there.
fn live(graph: &Graph) -> Graph {
    let outputs = graph.outputs().iter().map(|&o| graph.value(o).name.as_str());
    graph.extract(&outputs.collect::<Vec<_>>()).unwrap_or_else(|_| graph.clone())
}

/// Hashes the operations in their order, each by its name, itself as JSON and the names of its
/// operands; then the names of the outputs, and the methods as JSON. Before each text is its length,
/// and before each list the number of its items, as little-endian u64.
fn hash_network(graph: &Graph, manifest: &Manifest, hash: &mut Hash) {
    let number = |hash: &mut Hash, number: usize| hash.update(&(number as u64).to_le_bytes());
    let text = |hash: &mut Hash, text: &str| {
        number(hash, text.len());
        hash.update(text.as_bytes());
    };
    let list = |hash: &mut Hash, ids: &[ValueId]| {
        number(hash, ids.len());
        ids.iter().for_each(|&id| text(hash, &graph.value(id).name));
    };
    for (_, value) in graph.values() {
        let Source::Node { op, operands } = &value.source else { continue };
        text(hash, &value.name);
        text(hash, &serde_json::to_string(op).expect("an operation is JSON"));
        list(hash, operands);
    }
    list(hash, graph.outputs());
    text(hash, &serde_json::to_string(&manifest.methods).expect("methods are JSON"));
}

fn hex(digest: [u8; 32]) -> String {
    digest.iter().map(|b| format!("{b:02x}")).collect()
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
