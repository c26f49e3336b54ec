//! Archives: models for devices, without ONNX.
//!
//! An archive holds the same network and manifest as the ONNX file that it is compiled from, in a
//! form that is read without a decoder of ONNX, and with weights of fewer bits if wanted.
//!
//! ```text
//! offset   bytes
//!      0   "saligate"
//!      8   version, u32
//!     12   length of the outline, u32
//!     16   outline: JSON, and blanks up to a multiple of 4
//!          parameters in the order of the outline, each filled up with zeros to a multiple of 4
//!    end   SHA-256 of all before
//! ```
//!
//! Numbers are little-endian. The outline has the manifest, the values of the graph in computing
//! order, and the positions of its outputs. A reader checks, in this order: magic, version, lengths,
//! SHA-256, outline, sizes, graph, and the manifest against the graph; every byte is accounted for. The
//! SHA-256 covers the weights, so the manifest's digest of them is not computed again.

mod error;
mod precision;

use std::path::Path;

use saligate_models::graph::{Graph, Op, Source, Value, ValueId};
use serde::{Deserialize, Serialize};

use crate::atomic::write_atomic;
use crate::error::FileError;
use crate::hash::sha256;
use crate::manifest::Manifest;
use crate::model::ModelFile;
pub use error::ArchiveError;
use precision::{Encoding, Encodings, decode, encode};
pub use precision::{Precision, UnknownPrecision};

const MAGIC: &[u8; 8] = b"saligate";
/// The version that is written, and the newest that is read.
pub const ARCHIVE_VERSION: u32 = 1;
/// Largest outline: a network of ten thousand operations takes 2 MiB.
const MAX_OUTLINE: usize = 1 << 24;
/// Most elements of all values together: 4 GiB as f32.
const MAX_TOTAL: usize = 1 << 30;
const DIGEST_BYTES: usize = 32;

/// What a file says of itself before its parameters.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Outline {
    manifest: Manifest,
    values: Vec<Entry>,
    outputs: Vec<usize>,
}

/// A value of the graph; operands are positions of earlier ones.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Entry {
    Input { name: String, shape: Vec<usize> },
    Param { name: String, shape: Vec<usize>, stored: Encoding },
    Node { name: String, op: Op, operands: Vec<usize> },
}

/// Whether a file is an archive, by its first bytes.
pub fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// The model as a device with weights of this precision has it: rounded, with a manifest that says
/// so of the weights.
///
/// Weights of convolutions and dense layers are rounded, one scale per output channel for
/// [`Precision::Int8`]. Biases, constants and all of a gate stay as they are.
///
/// # Errors
/// None but those of a graph whose weights overflow.
pub fn rounded(model: &ModelFile, precision: Precision) -> Result<ModelFile, FileError> {
    let encodings = Encodings::new(model.graph(), precision);
    let rounded = encodings.all_rounded();
    if rounded.is_empty() {
        return Ok(model.clone());
    }
    model.clone().map_graph(|graph| {
        for (name, encoding) in rounded {
            let value = graph.value(graph.find(name)?);
            let Source::Param(data) = &value.source else { continue };
            let bytes = encode(data, &value.shape, encoding);
            let (values, _) = decode(&bytes, &value.shape, encoding).ok_or(ArchiveError::Length)?;
            graph.set_param(name, values)?;
        }
        Ok(())
    })
}

fn parameters(graph: &Graph) -> impl Iterator<Item = (&Value, &[f32])> {
    graph.values().filter_map(|(_, value)| match &value.source {
        Source::Param(data) => Some((value, &data[..])),
        _ => None,
    })
}

/// The archive of a model, with its weights [`rounded`].
///
/// # Errors
/// As [`rounded`].
pub fn to_bytes(model: &ModelFile, precision: Precision) -> Result<Vec<u8>, FileError> {
    let model = rounded(model, precision)?;
    let graph = model.graph();
    let encodings = Encodings::new(graph, precision);
    let entry = |value: &Value| {
        let name = value.name.clone();
        match &value.source {
            Source::Input => Entry::Input { name, shape: value.shape.clone() },
            Source::Param(_) => {
                let stored = encodings.of(value);
                Entry::Param { name, shape: value.shape.clone(), stored }
            }
            Source::Node { op, operands } => {
                let operands = operands.iter().map(|o| o.index()).collect();
                Entry::Node { name, op: op.clone(), operands }
            }
        }
    };
    let outline = Outline {
        values: graph.values().map(|(_, value)| entry(value)).collect(),
        outputs: graph.outputs().iter().map(|o| o.index()).collect(),
        manifest: model.written_manifest(),
    };
    let mut json = serde_json::to_vec(&outline).expect("an outline has string keys only");
    json.resize(json.len().next_multiple_of(4), b' ');
    let mut bytes = MAGIC.to_vec();
    bytes.extend(ARCHIVE_VERSION.to_le_bytes());
    bytes.extend(u32::try_from(json.len()).map_err(|_| ArchiveError::Length)?.to_le_bytes());
    bytes.extend(json);
    for (value, data) in parameters(graph) {
        bytes.extend(encode(data, &value.shape, encodings.of(value)));
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    let digest = sha256(&bytes);
    bytes.extend(digest);
    Ok(bytes)
}

/// Writes an archive, replacing an old one only once the new one is complete.
///
/// # Errors
/// The file cannot be written; an old one is left as it was.
pub fn save(model: &ModelFile, precision: Precision, path: &Path) -> Result<(), FileError> {
    let written = write_atomic(path, &to_bytes(model, precision)?);
    written.map_err(|source| FileError::Io { path: path.to_owned(), source })
}

/// Reads an archive.
pub(crate) fn read(bytes: &[u8]) -> Result<ModelFile, FileError> {
    let (outline, mut rest) = parts(bytes)?;
    let Outline { manifest, values, outputs } =
        serde_json::from_slice(outline).map_err(ArchiveError::Outline)?;
    let mut graph = Graph::new();
    let mut ids: Vec<ValueId> = Vec::new();
    let mut total = 0usize;
    let place = |ids: &[ValueId], at: usize| ids.get(at).copied().ok_or(ArchiveError::Position);
    for entry in values {
        let id = match entry {
            Entry::Input { name, shape } => graph.input(&name, &shape)?,
            Entry::Param { name, shape, stored } => {
                let (values, used) = decode(rest, &shape, stored).ok_or(ArchiveError::Length)?;
                rest = rest.get(used.next_multiple_of(4)..).ok_or(ArchiveError::Length)?;
                graph.param(&name, &shape, values)?
            }
            Entry::Node { name, op, operands } => {
                let operands = operands.iter().map(|&o| place(&ids, o));
                graph.node(&name, op, &operands.collect::<Result<Vec<_>, _>>()?)?
            }
        };
        total = total.saturating_add(graph.shape(id).iter().product());
        if total > MAX_TOTAL {
            return Err(FileError::Limit { what: "elements of activations" });
        }
        ids.push(id);
    }
    if !rest.is_empty() {
        return Err(ArchiveError::Length.into());
    }
    let outputs = outputs.iter().map(|&o| place(&ids, o)).collect::<Result<Vec<_>, _>>()?;
    graph.set_outputs(&outputs);
    ModelFile::sealed(graph, manifest)
}

/// The outline and the parameters of a whole file.
fn parts(bytes: &[u8]) -> Result<(&[u8], &[u8]), ArchiveError> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(ArchiveError::Magic)?;
    let number = |at: usize| {
        let bytes = rest.get(at..at + 4).and_then(|b| b.try_into().ok());
        bytes.map(u32::from_le_bytes).ok_or(ArchiveError::Length)
    };
    let found = number(0)?;
    if found != ARCHIVE_VERSION {
        return Err(ArchiveError::Version { found });
    }
    let length = number(4)? as usize;
    let body = rest.get(8..).ok_or(ArchiveError::Length)?;
    let (body, digest) = body
        .split_at_checked(body.len().saturating_sub(DIGEST_BYTES))
        .ok_or(ArchiveError::Length)?;
    if length > MAX_OUTLINE || length > body.len() || !length.is_multiple_of(4) {
        return Err(ArchiveError::Length);
    }
    if sha256(&bytes[..bytes.len() - digest.len()]) != *digest {
        return Err(ArchiveError::Damaged);
    }
    Ok(body.split_at(length))
}

#[cfg(test)]
mod tests;
