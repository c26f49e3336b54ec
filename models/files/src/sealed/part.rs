//! The bytes of a sealed part, and what they say without a key.

use std::ops::Range;

use saligate_keys::{
    CHUNK_TAG_LEN, KeyId, ModelKey, SIGNATURE_LEN, Vendor, WRAPPED_KEY_LEN, WrappedKey,
};

use super::opened::Plaintext;
use super::{CHUNKS, MAGIC, MAX_KEYS, MAX_LENGTH, SealedError, VERSION};
use crate::hash::sha256;

/// Bytes before the keys.
pub(super) const HEAD_LEN: usize = 92;
/// Bytes of a key.
const ENTRY_LEN: usize = KeyId::LEN + WRAPPED_KEY_LEN;

/// A sealed part whose lengths are right. What it holds is known to be unchanged only once it is
/// opened, or its [signature](SealedPart::verify) is checked.
#[derive(Clone)]
pub struct SealedPart {
    /// The part, and what else stood around it.
    file: Vec<u8>,
    place: Range<usize>,
    chunk: usize,
    length: u64,
    keys: usize,
}

impl SealedPart {
    /// Reads the head of a sealed part, and checks its lengths.
    ///
    /// # Errors
    /// [`SealedError::Magic`], [`SealedError::Version`] or [`SealedError::Length`].
    pub fn parse(bytes: Vec<u8>) -> Result<Self, SealedError> {
        let place = 0..bytes.len();
        Self::within(bytes, place)
    }

    /// [`parse`](Self::parse) of a part of some bytes, which are not moved.
    ///
    /// # Panics
    /// There are no such bytes.
    pub(crate) fn within(file: Vec<u8>, place: Range<usize>) -> Result<Self, SealedError> {
        let bytes = &file[place.clone()];
        let head = bytes.get(..HEAD_LEN);
        let head = match head {
            Some(head) if head.starts_with(MAGIC) => head,
            Some(_) => return Err(SealedError::Magic),
            None if bytes.starts_with(MAGIC) => return Err(SealedError::Length),
            None => return Err(SealedError::Magic),
        };
        let number =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let found = number(8);
        if found != VERSION {
            return Err(SealedError::Version { found });
        }
        let (chunk, keys) = (number(12) as usize, number(88) as usize);
        let length = u64::from(number(16)) | u64::from(number(20)) << 32;
        let fits = CHUNKS.contains(&chunk)
            && chunk.is_multiple_of(4)
            && (1..=MAX_LENGTH).contains(&length)
            && (1..=MAX_KEYS).contains(&keys);
        let tags = length.div_ceil(chunk.max(1) as u64).saturating_mul(CHUNK_TAG_LEN as u64);
        let entries = (keys as u64).saturating_mul(ENTRY_LEN as u64);
        let rest = entries.saturating_add((HEAD_LEN + SIGNATURE_LEN) as u64);
        let all = length.saturating_add(tags).saturating_add(rest);
        if !fits || all != bytes.len() as u64 {
            return Err(SealedError::Length);
        }
        Ok(Self { file, place, chunk, length, keys })
    }

    /// The bytes as they stand in a file.
    pub fn as_bytes(&self) -> &[u8] {
        &self.file[self.place.clone()]
    }

    /// Bytes of the true network.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Number of chunks that it is encrypted in.
    pub fn chunks(&self) -> u64 {
        self.length.div_ceil(self.chunk as u64)
    }

    /// Ids of the keys that open it.
    pub fn keys(&self) -> Vec<KeyId> {
        self.entries().map(|(id, _)| id).collect()
    }

    fn entries(&self) -> impl Iterator<Item = (KeyId, &[u8])> {
        let entries = self.as_bytes()[HEAD_LEN..self.chunks_at()].chunks_exact(ENTRY_LEN);
        entries.map(|entry| {
            let (id, wrapped) = entry.split_at(KeyId::LEN);
            let mut bytes = [0; KeyId::LEN];
            bytes.copy_from_slice(id);
            (KeyId::from_bytes(bytes), wrapped)
        })
    }

    fn chunks_at(&self) -> usize {
        HEAD_LEN + self.keys * ENTRY_LEN
    }

    /// Checks that it was written with this manifest.
    ///
    /// # Errors
    /// [`SealedError::Manifest`].
    pub(super) fn check_manifest(&self, json: &str) -> Result<(), SealedError> {
        let same = self.as_bytes()[56..88] == sha256(json.as_bytes());
        same.then_some(()).ok_or(SealedError::Manifest)
    }

    /// Checks that the vendor signed it as it is, which takes no key.
    ///
    /// # Errors
    /// [`SealedError::Signature`].
    pub fn verify(&self, vendor: &Vendor) -> Result<(), SealedError> {
        let bytes = self.as_bytes();
        let (signed, signature) = bytes.split_at(bytes.len() - SIGNATURE_LEN);
        let signature = signature.try_into().map_err(|_| SealedError::Length)?;
        let good = vendor.signed_sealed(&sha256(signed), signature);
        good.then_some(()).ok_or(SealedError::Signature)
    }

    /// The true network's bytes, to be decrypted one chunk at a time. Nothing else of the file is kept.
    ///
    /// # Errors
    /// [`SealedError::NoKey`], or the key does not open the file.
    pub(super) fn open(self, key: &ModelKey, id: KeyId) -> Result<Plaintext, SealedError> {
        let entry = self.entries().find(|(other, _)| *other == id).map(|(_, wrapped)| wrapped);
        let unknown = || SealedError::NoKey { found: id, known: self.keys() };
        let wrapped: &WrappedKey =
            entry.and_then(|wrapped| wrapped.try_into().ok()).ok_or_else(unknown)?;
        let mut salt = [0; 32];
        let bytes = self.as_bytes();
        salt.copy_from_slice(&bytes[24..56]);
        let content = key.unwrap(wrapped, &salt, &bound_entry(&bytes[..HEAD_LEN], id))?;
        let bound = sha256(&bytes[..self.chunks_at()]);
        let chunks = self.place.start + self.chunks_at()..self.place.end - SIGNATURE_LEN;
        Ok(Plaintext::new(self.file, chunks, self.chunk, content, bound))
    }
}

impl PartialEq for SealedPart {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for SealedPart {}

impl std::fmt::Debug for SealedPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedPart").field("length", &self.length).finish_non_exhaustive()
    }
}

/// What a wrapped content key is bound to: the head, which has the SHA-256 of the manifest, and the
/// id of the key.
pub(super) fn bound_entry(head: &[u8], id: KeyId) -> Vec<u8> {
    [head, id.as_bytes()].concat()
}
