//! A model file with a sealed part, without its public network.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use saligate_keys::{KeyId, ModelDigest, ModelKey};

use super::{SealedError, SealedPart};
use crate::error::FileError;
use crate::manifest::{Manifest, Sealed};
use crate::model::ModelFile;
use crate::{archive, digest, onnx};

/// What a holder of a key or licence needs of a file: its manifest and its sealed part. The public
/// network is not read.
#[derive(Clone, Debug)]
pub struct SealedFile {
    manifest: Manifest,
    pub(crate) part: SealedPart,
    sealed: Sealed,
}

/// Whether a model file has a sealed part. Only the file's outline is looked at.
pub fn is_sealed(bytes: &[u8]) -> bool {
    match archive::is_archive(bytes) {
        true => archive::is_sealed(bytes),
        false => onnx::has_sealed_part(bytes),
    }
}

impl SealedFile {
    /// Reads the manifest and the sealed part of a file.
    ///
    /// # Errors
    /// The file has none, or they do not belong together.
    pub fn from_vec(bytes: Vec<u8>) -> Result<Self, FileError> {
        let (manifest, place) = match archive::is_archive(&bytes) {
            true => archive::sealed_part(&bytes)?,
            false => onnx::sealed_part(&bytes)?,
        };
        Self::new(manifest, SealedPart::within(bytes, place)?)
    }

    /// Reads the manifest and the sealed part of a file, and nothing else of it; `None` where nothing is
    /// sealed, or the file is none that can be read in parts.
    ///
    /// # Errors
    /// The file cannot be read, or the two do not belong together.
    pub fn open_path(path: &Path) -> Result<Option<Self>, FileError> {
        let io = |source| FileError::Io { path: path.to_owned(), source };
        let mut file = BufReader::new(File::open(path).map_err(io)?);
        if !file.get_ref().metadata().map_err(io)?.is_file() {
            return Ok(None);
        }
        let found = match archive::read_sealed_part(&mut file).map_err(io)? {
            Some(found) => Some(found),
            None => onnx::read_sealed_part(&mut file).map_err(io)?,
        };
        let Some(found) = found else { return Ok(None) };
        let (manifest, part) = found?;
        Self::new(manifest, SealedPart::parse(part)?).map(Some)
    }

    pub(crate) fn new(manifest: Manifest, part: SealedPart) -> Result<Self, FileError> {
        manifest.check()?;
        let sealed = manifest.sealed.ok_or(SealedError::Missing)?;
        part.check_manifest(&manifest.to_json())?;
        let gate = manifest.gate.as_ref().ok_or(SealedError::Missing)?;
        if gate.keys != part.keys() {
            return Err(SealedError::Manifest.into());
        }
        Ok(Self { manifest, part, sealed })
    }

    /// What the file says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What the manifest says of the sealed part.
    pub fn sealed(&self) -> &Sealed {
        &self.sealed
    }

    /// The sealed part.
    pub fn part(&self) -> &SealedPart {
        &self.part
    }

    /// What licences call the model: see [`ModelFile::licensing_digest`].
    pub fn licensing_digest(&self) -> ModelDigest {
        digest::sealed_licensing_digest(&self.manifest, &self.sealed.id)
    }

    /// Checks that the sealed part is whole, and the manifest's with it, by the signature of the
    /// vendor that the manifest names. Takes no key.
    ///
    /// # Errors
    /// [`SealedError::Signature`] or [`SealedError::NoVendor`].
    pub fn verify(&self) -> Result<(), SealedError> {
        let vendor = self.manifest.gate.as_ref().and_then(|gate| gate.vendor);
        self.part.verify(&vendor.ok_or(SealedError::NoVendor)?)
    }

    /// The true network, decrypted chunk by chunk.
    ///
    /// # Errors
    /// The key does not open the file, something in it was changed, or the network is not what the
    /// manifest says. None of its weights is given out then.
    pub fn open(self, key: &ModelKey, id: KeyId) -> Result<ModelFile, FileError> {
        let licensed = self.licensing_digest();
        let Self { manifest, part, .. } = self;
        let truth = archive::read_sealed(part.open(key, id)?)?;
        check_same(&manifest, truth.manifest())?;
        Ok(truth.licensed_as(licensed))
    }
}

/// Checks that the true network is what the file says of it.
fn check_same(said: &Manifest, found: &Manifest) -> Result<(), FileError> {
    let names = |manifest: &Manifest| -> Vec<String> {
        manifest.methods.iter().map(|method| method.name.clone()).collect()
    };
    let gate = |manifest: &Manifest| manifest.gate.clone();
    for (what, same) in [
        ("labels", said.labels == found.labels),
        ("input", said.input == found.input),
        ("head", said.head == found.head),
        ("list of methods", names(said) == names(found)),
        ("gate", gate(said) == gate(found)),
    ] {
        if !same {
            return Err(SealedError::Other { what }.into());
        }
    }
    Ok(())
}
