//! ONNX: the file format that every engine reads.
//!
//! A file that this project writes has the inputs `image` and (optional) `target`, the outputs
//! `logits`, `attribution` and one more per further saliency method, operations of the standard domain only, and the
//! [`Manifest`] as JSON in its metadata. Any ONNX engine runs it as it is. [`Foreign`] reads the
//! classifiers that other programs exported.

mod constant;
mod error;
mod foreign;
mod limits;
mod node;
mod outline;
mod proto;
mod read;
#[cfg(test)]
mod tests;
mod view;
mod write;

use std::io::{self, BufReader, Read, Seek};
use std::ops::{Range, RangeInclusive};
use std::path::Path;

use prost::encoding::{WireType, encode_key, encode_varint};

pub use error::OnnxError;
pub use foreign::{Foreign, Options};
pub use write::to_bytes;

use crate::archive;
use crate::atomic::write_atomic;
use crate::error::FileError;
use crate::manifest::{MANIFEST_KEY, Manifest, ManifestError};
use crate::model::ModelFile;
use crate::sealed::{SealedError, SealedPart, SealedPartRead};

/// Version of the standard operations that are written: `Slice`, `Pad` and `ReduceSum` take
/// their lists as operands, and average pools and reductions have not changed up to 20.
const OPSET: i64 = 17;
const IR_VERSION: i64 = 8;
/// The field of the file that holds the sealed part, beside those that ONNX has: engines skip it.
const SEALED_FIELD: u32 = 23070;
/// Versions that are read, each operation with the meaning that it had.
const OPSETS: RangeInclusive<i64> = 7..=25;

impl ModelFile {
    /// The bytes of the model's ONNX file.
    pub fn to_onnx(&self) -> Vec<u8> {
        let mut bytes = to_bytes(self.graph(), Some(&self.written_manifest()));
        if let Some(part) = self.sealed_part() {
            encode_key(SEALED_FIELD, WireType::LengthDelimited, &mut bytes);
            encode_varint(part.as_bytes().len() as u64, &mut bytes);
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes
    }

    /// Writes the ONNX file, replacing an old one only once the new one is complete.
    ///
    /// # Errors
    /// The file cannot be written; an old one is left as it was.
    pub fn save(&self, path: &Path) -> Result<(), FileError> {
        let written = write_atomic(path, &self.to_onnx());
        written.map_err(|source| FileError::Io { path: path.to_owned(), source })
    }
}

/// Reads a model that this project wrote.
pub(crate) fn read(bytes: Vec<u8>) -> Result<ModelFile, FileError> {
    let part = limits::field(&bytes, SEALED_FIELD.into()).map(|range| bytes[range].to_vec());
    let part = part.map(SealedPart::parse).transpose()?;
    let read::Contents { graph, manifest } = read::model(bytes.into())?;
    let manifest = canonical(&manifest.ok_or(ManifestError::Missing)?)?;
    let said = [&manifest.weights_sha256, &manifest.network_sha256].map(String::clone);
    let model = ModelFile::digested(graph, manifest)?;
    let Manifest { weights_sha256, network_sha256, .. } = model.manifest();
    let fields = ["weights_sha256", "network_sha256"];
    for ((field, found), expected) in
        fields.into_iter().zip(said).zip([weights_sha256, network_sha256])
    {
        if found != *expected {
            let expected = expected.clone();
            return Err(ManifestError::Field { field, expected, found }.into());
        }
    }
    model.joined(part)
}

/// The manifest of a file, which must be spelled as it is written: another spelling of the same would
/// be another file under the same signature.
fn canonical(text: &str) -> Result<Manifest, FileError> {
    let manifest = Manifest::from_json(text)?;
    match manifest.sealed.is_none() || manifest.to_json() == text {
        true => Ok(manifest),
        false => Err(SealedError::Manifest.into()),
    }
}

/// Whether a file has a sealed part.
pub(crate) fn has_sealed_part(bytes: &[u8]) -> bool {
    limits::field(bytes, SEALED_FIELD.into()).is_some()
}

/// [`sealed_part`] of a file that is not read whole: the manifest, and the bytes of the sealed part.
/// `None` where nothing is sealed.
pub(crate) fn read_sealed_part<F: Read + Seek>(
    file: &mut BufReader<F>,
) -> io::Result<Option<SealedPartRead>> {
    let found = outline::read(file)?;
    Ok(found.map(|outline::Found { manifest, part }| {
        let json = str::from_utf8(&manifest).map_err(|_| SealedError::Manifest)?;
        Ok((canonical(json)?, part))
    }))
}

/// The manifest of a file, and where its sealed part stands.
pub(crate) fn sealed_part(bytes: &[u8]) -> Result<(Manifest, Range<usize>), FileError> {
    let json = limits::metadata(bytes, MANIFEST_KEY).ok_or(ManifestError::Missing)?;
    let json = str::from_utf8(json).map_err(|_| SealedError::Manifest)?;
    let manifest = canonical(json)?;
    let place = limits::field(bytes, SEALED_FIELD.into()).ok_or(SealedError::Missing)?;
    Ok((manifest, place))
}

/// Whether a file is a [`ModelFile`] of this project, and no [`Foreign`] network.
///
/// Only the file's outline is looked at: it may still be malformed.
pub fn has_manifest(bytes: &[u8]) -> bool {
    archive::is_archive(bytes) || limits::has_metadata(bytes, MANIFEST_KEY)
}
