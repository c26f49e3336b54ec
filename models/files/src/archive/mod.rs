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
//!
//! Version 2 has a [sealed part](crate::sealed) behind the parameters, whose length is in the outline.
//! What is sealed is an archive of version 1 without its SHA-256, whose place the tags of the cipher take.

mod error;
mod precision;
mod source;

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use saligate_models::graph::{Graph, Op, Source, Value, ValueId};
use serde::{Deserialize, Serialize};

use crate::atomic::write_atomic;
use crate::error::FileError;
use crate::hash::sha256;
use crate::manifest::Manifest;
use crate::model::ModelFile;
use crate::read::{MAX_FILE_BYTES, reserved};
use crate::sealed::{Plaintext, SealedError, SealedPart, SealedPartRead};
pub use error::ArchiveError;
use precision::{Encoding, Encodings, encode};
pub use precision::{Precision, UnknownPrecision};
use source::Parameters;

const MAGIC: &[u8; 8] = b"saligate";
/// The newest version that is read.
pub const ARCHIVE_VERSION: u32 = 2;
/// The version of an archive in which nothing is sealed.
const OPEN: u32 = 1;
/// The version of an archive with a sealed part.
const SEALED: u32 = 2;
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
    /// Bytes of the sealed part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<usize>,
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
/// A model whose weights are as exact as that already stays as it is, also a sealed one.
///
/// # Errors
/// Something is sealed in the file, which its weights are bound to.
pub fn rounded(model: &ModelFile, precision: Precision) -> Result<ModelFile, FileError> {
    let encodings = Encodings::new(model.graph(), precision);
    let rounded = encodings.all_rounded();
    if rounded.is_empty() {
        return Ok(model.clone());
    }
    let graph = model.graph();
    let mut changed = Vec::new();
    for (name, encoding) in rounded {
        let value = graph.value(graph.find(name)?);
        let Source::Param(data) = &value.source else { continue };
        let values =
            Parameters::of(&padded(data, &value.shape, encoding)).take(&value.shape, encoding)?;
        if values[..] != data[..] {
            changed.push((name, values));
        }
    }
    if changed.is_empty() {
        return Ok(model.clone());
    }
    model.clone().map_graph(|graph| {
        for (name, values) in changed {
            graph.set_param(name, values)?;
        }
        Ok(())
    })
}

/// A parameter as it is stored, with the zeros behind it.
fn padded(data: &[f32], shape: &[usize], encoding: Encoding) -> Vec<u8> {
    let mut bytes = encode(data, shape, encoding);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
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
    let mut bytes = body(model, precision)?;
    let digest = sha256(&bytes);
    bytes.extend(digest);
    Ok(bytes)
}

/// [`to_bytes`] without the SHA-256 at the end.
pub(crate) fn body(model: &ModelFile, precision: Precision) -> Result<Vec<u8>, FileError> {
    let model = rounded(model, precision)?;
    let part = model.sealed_part().map(SealedPart::as_bytes);
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
        sealed: part.map(<[u8]>::len),
    };
    let json = outline.to_json();
    let mut bytes = MAGIC.to_vec();
    bytes.extend(part.map_or(OPEN, |_| SEALED).to_le_bytes());
    bytes.extend(u32::try_from(json.len()).map_err(|_| ArchiveError::Length)?.to_le_bytes());
    bytes.extend(json);
    for (value, data) in parameters(graph) {
        bytes.extend(padded(data, &value.shape, encodings.of(value)));
    }
    bytes.extend(part.unwrap_or_default());
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
    let (outline, rest) = parts(bytes)?;
    let (rest, part) = split(&outline, rest)?;
    let part = part.map(|part| SealedPart::parse(part.to_vec())).transpose()?;
    let (graph, manifest) = network(outline, &mut Parameters::of(rest))?;
    ModelFile::covered(graph, manifest, part)
}

/// The manifest of an archive, and where its sealed part stands. The SHA-256 is not looked at: both are
/// bound to each other, and nothing else of the file is used.
pub(crate) fn sealed_part(bytes: &[u8]) -> Result<(Manifest, Range<usize>), FileError> {
    let (outline, rest) = lengths(bytes)?.outline()?;
    let length = split(&outline, rest)?.1.ok_or(SealedError::Missing)?.len();
    let end = bytes.len() - DIGEST_BYTES;
    Ok((outline.manifest, end - length..end))
}

/// [`sealed_part`] of a file that is not read whole: the manifest, and the bytes of the sealed part.
/// `None` where nothing is sealed.
pub(crate) fn read_sealed_part(
    file: &mut (impl Read + Seek),
) -> io::Result<Option<SealedPartRead>> {
    let end = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    let mut head = Vec::new();
    file.take(16).read_to_end(&mut head)?;
    if !(is_archive(&head) && is_sealed(&head)) {
        return Ok(None);
    }
    let outline = outline_length(&head, SEALED..=SEALED);
    let mut json = Vec::new();
    file.take(*outline.as_ref().unwrap_or(&0) as u64).read_to_end(&mut json)?;
    let read = outline.map_err(FileError::from).and_then(|length| match json.len() == length {
        true => Outline::from_json(&json, SEALED),
        false => Err(ArchiveError::Length.into()),
    });
    let Ok(Outline { manifest, sealed: Some(length), .. }) = read else {
        return Ok(Some(read.and(Err(SealedError::Missing.into()))));
    };
    let behind = (length as u64).saturating_add(DIGEST_BYTES as u64);
    let fits = |at: &u64| *at >= (16 + json.len()) as u64 && length as u64 <= MAX_FILE_BYTES;
    let Some(start) = end.checked_sub(behind).filter(fits) else {
        return Ok(Some(Err(SealedError::Length.into())));
    };
    file.seek(SeekFrom::Start(start))?;
    let mut part = reserved(length as u64)?;
    file.take(length as u64).read_to_end(&mut part)?;
    Ok(Some(Ok((manifest, part))))
}

/// Whether an archive has a sealed part, as far as its version tells.
pub(crate) fn is_sealed(bytes: &[u8]) -> bool {
    bytes.get(8..12) == Some(SEALED.to_le_bytes().as_slice())
}

/// Reads a sealed archive.
pub(crate) fn read_sealed(plain: Plaintext) -> Result<ModelFile, FileError> {
    let mut source = Parameters::sealed(plain);
    let head = source.bytes(16)?;
    let length = outline_length(&head, OPEN..=OPEN)?;
    let outline = source.bytes(length)?;
    let (graph, manifest) = network(Outline::from_json(&outline, OPEN)?, &mut source)?;
    ModelFile::covered(graph, manifest, None)
}

/// The network that an outline and the parameters behind it make.
fn network(
    outline: Outline,
    parameters: &mut Parameters<'_>,
) -> Result<(Graph, Manifest), FileError> {
    let Outline { manifest, values, outputs, .. } = outline;
    let mut graph = Graph::new();
    let mut ids: Vec<ValueId> = Vec::new();
    let mut total = 0usize;
    let place = |ids: &[ValueId], at: usize| ids.get(at).copied().ok_or(ArchiveError::Position);
    for entry in values {
        let id = match entry {
            Entry::Input { name, shape } => graph.input(&name, &shape)?,
            Entry::Param { name, shape, stored } => {
                let values = parameters.take(&shape, stored)?;
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
    if !parameters.is_empty() {
        return Err(ArchiveError::Length.into());
    }
    let outputs = outputs.iter().map(|&o| place(&ids, o)).collect::<Result<Vec<_>, _>>()?;
    graph.set_outputs(&outputs);
    Ok((graph, manifest))
}

impl Outline {
    /// JSON, and blanks up to a multiple of 4.
    fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec(self).expect("an outline has string keys only");
        json.resize(json.len().next_multiple_of(4), b' ');
        json
    }

    /// Reads what [`to_json`](Self::to_json) writes, for an archive of this version. Where something is
    /// sealed, another spelling is refused: the sealed part is bound to this one.
    fn from_json(json: &[u8], version: u32) -> Result<Self, FileError> {
        let outline: Self = serde_json::from_slice(json).map_err(ArchiveError::Outline)?;
        match (version, outline.sealed) {
            (OPEN, None) => Ok(outline),
            (SEALED, Some(_)) if outline.to_json() == json => Ok(outline),
            (SEALED, Some(_)) => Err(SealedError::Manifest.into()),
            _ => Err(SealedError::Missing.into()),
        }
    }
}

/// The parameters and the sealed part behind an outline.
fn split<'a>(outline: &Outline, rest: &'a [u8]) -> Result<(&'a [u8], Option<&'a [u8]>), FileError> {
    let Some(length) = outline.sealed else { return Ok((rest, None)) };
    let at = rest.len().checked_sub(length).ok_or(SealedError::Length)?;
    let (rest, part) = rest.split_at(at);
    Ok((rest, Some(part)))
}

/// The length of the outline, of the first 16 bytes of an archive.
fn outline_length(
    head: &[u8],
    versions: std::ops::RangeInclusive<u32>,
) -> Result<usize, ArchiveError> {
    let rest = head.strip_prefix(MAGIC).ok_or(ArchiveError::Magic)?;
    let number = |at: usize| {
        let bytes = rest.get(at..at + 4).and_then(|b| b.try_into().ok());
        bytes.map(u32::from_le_bytes).ok_or(ArchiveError::Length)
    };
    let found = number(0)?;
    if !versions.contains(&found) {
        return Err(ArchiveError::Version { found });
    }
    let length = number(4)? as usize;
    match length <= MAX_OUTLINE && length.is_multiple_of(4) {
        true => Ok(length),
        false => Err(ArchiveError::Length),
    }
}

/// The outline of a whole file, and what is behind it, after the SHA-256 was checked.
fn parts(bytes: &[u8]) -> Result<(Outline, &[u8]), FileError> {
    let body = bytes.get(..bytes.len().saturating_sub(DIGEST_BYTES)).unwrap_or_default();
    let parts = lengths(bytes)?;
    if sha256(body) != bytes[body.len()..] {
        return Err(ArchiveError::Damaged.into());
    }
    parts.outline()
}

/// A file whose lengths are right.
struct Parts<'a> {
    version: u32,
    outline: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Parts<'a> {
    fn outline(self) -> Result<(Outline, &'a [u8]), FileError> {
        Ok((Outline::from_json(self.outline, self.version)?, self.rest))
    }
}

/// The parts of a whole file, whatever its SHA-256.
fn lengths(bytes: &[u8]) -> Result<Parts<'_>, FileError> {
    let length = outline_length(bytes, OPEN..=ARCHIVE_VERSION)?;
    let version = if is_sealed(bytes) { SEALED } else { OPEN };
    let at = bytes.len().checked_sub(DIGEST_BYTES).ok_or(ArchiveError::Length)?;
    let rest = bytes[..at].get(16..).filter(|rest| length <= rest.len());
    let (outline, rest) = rest.ok_or(ArchiveError::Length)?.split_at(length);
    Ok(Parts { version, outline, rest })
}

#[cfg(test)]
mod tests;
