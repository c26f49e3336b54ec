//! ONNX: the one file format of networks.
//!
//! A file that this project writes has the inputs `image` and (optional) `target`, the outputs
//! `logits`, `attribution` and one more per further saliency method, operations of the standard domain only, and the
//! [`Manifest`] as JSON in its metadata. Any ONNX engine runs it as it is. [`Foreign`] reads the
//! classifiers that other programs exported.

#[cfg(feature = "onnx")]
mod constant;
mod error;
#[cfg(feature = "onnx")]
mod foreign;
#[cfg(feature = "onnx")]
mod limits;
#[cfg(feature = "onnx")]
mod node;
#[cfg(feature = "onnx")]
mod proto;
#[cfg(feature = "onnx")]
mod read;
#[cfg(feature = "onnx")]
mod view;
#[cfg(feature = "onnx")]
mod write;

use std::fs;
use std::io::Read;
use std::ops::RangeInclusive;
use std::path::Path;

pub use error::OnnxError;
#[cfg(feature = "onnx")]
pub use foreign::{Foreign, Options};
#[cfg(feature = "onnx")]
pub use write::to_bytes;

use crate::archive;
#[cfg(feature = "onnx")]
use crate::atomic::write_atomic;
use crate::graph::{Graph, Source};
use crate::manifest::{Manifest, ManifestError};
use crate::saliency::{IMAGE, LOGITS, TARGET};

/// Metadata key that holds the manifest.
pub const MANIFEST_KEY: &str = "saligate.manifest";

/// Version of the standard operations that are written: `Slice`, `Pad` and `ReduceSum` take
/// their lists as operands, and average pools and reductions have not changed up to 20.
#[cfg(feature = "onnx")]
const OPSET: i64 = 17;
#[cfg(feature = "onnx")]
const IR_VERSION: i64 = 8;
/// Versions that are read.
const OPSETS: RangeInclusive<i64> = 13..=22;

/// Largest file that is read, in bytes: protobuf's own limit.
pub const MAX_FILE_BYTES: u64 = 1 << 31;

/// A network and what its file says of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Outputs `logits` and those of the manifest's methods, in order.
    pub graph: Graph,
    /// The manifest.
    pub manifest: Manifest,
}

impl Model {
    /// Reads a model that this project wrote, as ONNX or as an [`archive`].
    ///
    /// # Errors
    /// The file cannot be read, is not ONNX, uses an operation that is not supported, has no
    /// manifest, or one that contradicts the network.
    pub fn open(path: &Path) -> Result<Self, OnnxError> {
        Self::from_vec(read_file(path)?)
    }

    /// [`Model::open`] on the bytes of a file.
    ///
    /// # Errors
    /// As [`Model::open`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, OnnxError> {
        Self::from_vec(bytes.to_vec())
    }

    /// [`Model::from_bytes`], without a copy of the weights.
    ///
    /// # Errors
    /// As [`Model::open`].
    pub fn from_vec(bytes: Vec<u8>) -> Result<Self, OnnxError> {
        match archive::is_archive(&bytes) {
            true => archive::read(&bytes),
            false => Self::from_onnx(bytes),
        }
    }

    #[cfg(feature = "onnx")]
    fn from_onnx(bytes: Vec<u8>) -> Result<Self, OnnxError> {
        let read::Parsed { graph, manifest } = read::parse(bytes.into())?;
        let manifest = Manifest::from_json(&manifest.ok_or(ManifestError::Missing)?)?;
        let model = Self { graph, manifest };
        model.check()?;
        Ok(model)
    }

    #[cfg(not(feature = "onnx"))]
    fn from_onnx(_: Vec<u8>) -> Result<Self, OnnxError> {
        Err(OnnxError::NotBuiltIn)
    }

    /// The bytes of the model's file.
    #[cfg(feature = "onnx")]
    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(&self.graph, Some(&self.manifest))
    }

    /// Writes the file, replacing an old one only once the new one is complete.
    ///
    /// # Errors
    /// The file cannot be written; an old one is left as it was.
    #[cfg(feature = "onnx")]
    pub fn save(&self, path: &Path) -> Result<(), OnnxError> {
        let written = write_atomic(path, &self.to_bytes());
        written.map_err(|source| OnnxError::Io { path: path.to_owned(), source })
    }

    /// Channels, rows and columns of an output of one of the methods.
    ///
    /// # Errors
    /// There is no such output, or it is no image.
    pub fn attribution_shape(&self, output: &str) -> Result<[usize; 3], OnnxError> {
        match *self.graph.shape(self.graph.find(output)?) {
            [_, channels, height, width] => Ok([channels, height, width]),
            ref other => {
                let wanted = format!("[1, channel, row, column] in '{output}'");
                Err(field("methods", wanted, format!("{other:?}")))
            }
        }
    }

    /// Checks that the manifest says what the network is, as [`from_bytes`](Self::from_bytes) does.
    ///
    /// # Errors
    /// They contradict each other.
    pub fn check(&self) -> Result<(), OnnxError> {
        self.manifest.check()?;
        let shape = |name| Ok::<_, OnnxError>(self.graph.shape(self.graph.find(name)?).to_vec());
        let input = &self.manifest.input;
        let said = [1, input.channels, input.height, input.width];
        expect("input", &said, &shape(IMAGE)?)?;
        expect("labels", &[1, self.manifest.labels.len()], &shape(LOGITS)?)?;
        expect("labels", &[1, self.manifest.labels.len()], &shape(TARGET)?)?;
        let outputs: Vec<_> =
            self.graph.outputs().iter().map(|o| self.graph.value(*o).name.as_str()).collect();
        let methods = self.manifest.methods.iter().map(|m| m.output.as_str());
        let wanted: Vec<_> = std::iter::once(LOGITS).chain(methods).collect();
        if outputs != wanted {
            return Err(field("outputs", format!("{wanted:?}"), format!("{outputs:?}")));
        }
        for method in &self.manifest.methods {
            let found = self.attribution_shape(&method.output)?;
            let [channels, height, width] = found;
            let fits = [1, input.channels].contains(&channels)
                && height <= input.height
                && width <= input.width;
            if !fits {
                let most = format!("at most {:?} in '{}'", &said[1..], method.output);
                return Err(field("methods", most, format!("{found:?}")));
            }
        }
        let digest = weights_digest(&self.graph);
        if digest != self.manifest.weights_sha256 {
            let said = self.manifest.weights_sha256.clone();
            return Err(field("weights_sha256", digest, said));
        }
        Ok(())
    }
}

fn expect(name: &'static str, said: &[usize], found: &[usize]) -> Result<(), OnnxError> {
    if said == found {
        return Ok(());
    }
    Err(field(name, format!("{found:?}, as in the network"), format!("{said:?}")))
}

fn field(field: &'static str, expected: String, found: String) -> OnnxError {
    ManifestError::Field { field, expected, found }.into()
}

/// Whether a file is a [`Model`] of this project, and no [`Foreign`] network.
///
/// Only the file's outline is looked at: it may still be malformed.
#[cfg(feature = "onnx")]
pub fn has_manifest(bytes: &[u8]) -> bool {
    archive::is_archive(bytes) || limits::has_metadata(bytes, MANIFEST_KEY)
}

/// Reads a whole file of at most [`MAX_FILE_BYTES`].
///
/// # Errors
/// The file cannot be read or is too large.
pub fn read_file(path: &Path) -> Result<Vec<u8>, OnnxError> {
    let io = |source| OnnxError::Io { path: path.to_owned(), source };
    let file = fs::File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    if length > MAX_FILE_BYTES {
        return Err(OnnxError::TooLarge { path: path.to_owned() });
    }
    let mut bytes = Vec::with_capacity(length as usize);
    // A pipe or device has no length before it is read.
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(OnnxError::TooLarge { path: path.to_owned() });
    }
    Ok(bytes)
}

/// SHA-256 over all parameters in the order of their names, hexadecimal.
///
/// Hashed are, per parameter: the length of its name and the name, the number of axes and each
/// axis, and the elements as little-endian f32; all lengths are little-endian u64.
pub fn weights_digest(graph: &Graph) -> String {
    let mut hash = saligate_keys::Sha256::new();
    hash_parameters(graph, |_| true, &mut hash);
    hash.finish().iter().map(|b| format!("{b:02x}")).collect()
}

/// Hashes the parameters with the wanted names as [`weights_digest`] tells.
pub(crate) fn hash_parameters(
    graph: &Graph,
    wanted: impl Fn(&str) -> bool,
    hash: &mut saligate_keys::Sha256,
) {
    let mut params: Vec<_> = graph
        .values()
        .filter_map(|(_, value)| match &value.source {
            Source::Param(data) if wanted(&value.name) => Some((value, data)),
            _ => None,
        })
        .collect();
    params.sort_by(|a, b| a.0.name.cmp(&b.0.name));
    for (value, data) in params {
        hash.update(&(value.name.len() as u64).to_le_bytes());
        hash.update(value.name.as_bytes());
        hash.update(&(value.shape.len() as u64).to_le_bytes());
        value.shape.iter().for_each(|&d| hash.update(&(d as u64).to_le_bytes()));
        let elements: Vec<u8> = data.iter().flat_map(|v| v.to_le_bytes()).collect();
        hash.update(&elements);
    }
}

#[cfg(all(test, feature = "onnx"))]
mod tests;
