//! What a sealed model is encrypted with: the network that its file does not show.
//!
//! ```text
//!   SealedId ◄──HKDF── vendor's Secret, digest of the model         in the manifest
//!
//!   ModelKey ◄──HKDF── Secret of a key or slot, SealedId            in licences, wrapped
//!      │
//!     HKDF, salt of the file
//!      ▼
//!   ContentKey, wrapped for every key of the model                  in the file
//!      │
//!   ChaCha20-Poly1305, chunk by chunk                               in the file
//! ```
//!
//! A content key is drawn anew for every file. So a key that is taken out of a model no longer opens
//! what is written afterwards, while licences of other keys go on.

mod chunk;
mod error;
mod id;

use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

pub use chunk::{CHUNK_TAG_LEN, ChunkPlace};
pub use error::SealError;
pub use id::SealedId;

use self::chunk::{Aead, nonce};
use crate::derive::{self, Purpose};
use crate::vendor::SIGNATURE_LEN;
use crate::{Secret, Vendor, VendorKeys};

/// What is signed of a sealed part, before its digest.
const SIGNED: &[u8] = b"saligate/v1/sealed-part";

/// What opens the sealed part of one model, for one of its keys. 32 bytes, wiped when dropped.
pub struct ModelKey(Secret);

/// What a sealed part is encrypted with. 32 bytes, wiped when dropped.
pub struct ContentKey(Secret);

impl ModelKey {
    /// Length in bytes.
    pub const LEN: usize = Secret::LEN;

    /// The key of a secret of a model: its own key or that of a slot.
    pub fn of(secret: &Secret, model: &SealedId) -> Self {
        let mut key = Secret::zeros();
        let stream = derive::stream(secret, Purpose::SealedModel, model.as_bytes(), Secret::LEN);
        key.expose_mut().copy_from_slice(&stream);
        Self(key)
    }

    pub(crate) fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        Self(Secret::from_bytes(bytes))
    }

    pub(crate) fn expose(&self) -> &[u8; Self::LEN] {
        self.0.expose()
    }

    /// The content key, encrypted under this key for a file with this salt and bound to `bound`.
    pub fn wrap(&self, content: &ContentKey, salt: &[u8; 32], bound: &[u8]) -> WrappedKey {
        let mut message = Zeroizing::new(*content.0.expose());
        let tag = self.entry(salt).seal(nonce(ChunkPlace::ONLY), bound, message.as_mut_slice());
        let mut wrapped = [0; WRAPPED_KEY_LEN];
        wrapped[..ContentKey::LEN].copy_from_slice(message.as_slice());
        wrapped[ContentKey::LEN..].copy_from_slice(&tag);
        wrapped
    }

    /// The content key.
    ///
    /// # Errors
    /// [`SealError::Key`]: this is no key of the file, or something in it was changed.
    pub fn unwrap(
        &self,
        wrapped: &WrappedKey,
        salt: &[u8; 32],
        bound: &[u8],
    ) -> Result<ContentKey, SealError> {
        let mut message = Zeroizing::new(*wrapped);
        let opened = self.entry(salt).open(nonce(ChunkPlace::ONLY), bound, message.as_mut_slice());
        opened.map_err(|_| SealError::Key)?;
        let mut key = Secret::zeros();
        key.expose_mut().copy_from_slice(&message[..ContentKey::LEN]);
        Ok(ContentKey(key))
    }

    /// The key of this file's entry.
    fn entry(&self, salt: &[u8; 32]) -> Aead {
        Aead::new(&derive::stream(&self.0, Purpose::SealedEntry, salt, Secret::LEN))
    }
}

/// Length of a [`WrappedKey`].
pub const WRAPPED_KEY_LEN: usize = ContentKey::LEN + CHUNK_TAG_LEN;

/// A content key as it stands in a file: ciphertext and tag.
pub type WrappedKey = [u8; WRAPPED_KEY_LEN];

impl ContentKey {
    /// Length in bytes.
    pub const LEN: usize = Secret::LEN;

    /// Draws a new key.
    ///
    /// # Errors
    /// [`SealError::Random`] when the operating system's generator is not available.
    pub fn generate() -> Result<Self, SealError> {
        Secret::generate().map(Self).map_err(|_| SealError::Random)
    }

    /// What encrypts and decrypts chunks that are bound to `bound`.
    pub fn chunks<'a>(&self, bound: &'a [u8]) -> Chunks<'a> {
        Chunks { aead: Aead::new(self.0.expose()), bound }
    }
}

/// The chunks of one sealed part. Every chunk knows its number, and whether it is the last one.
pub struct Chunks<'a> {
    aead: Aead,
    bound: &'a [u8],
}

impl Chunks<'_> {
    /// Encrypts a chunk in its place; returns the tag. No two chunks under one key may have one place.
    pub fn seal(&self, place: ChunkPlace, chunk: &mut [u8]) -> [u8; CHUNK_TAG_LEN] {
        self.aead.seal(nonce(place), self.bound, chunk)
    }

    /// Decrypts a chunk, which has its tag behind it, in its place.
    ///
    /// # Errors
    /// [`SealError::Chunk`]: it was changed, or stands in another place than it was written for.
    pub fn open<'c>(
        &self,
        place: ChunkPlace,
        chunk: &'c mut [u8],
    ) -> Result<&'c mut [u8], SealError> {
        let opened = self.aead.open(nonce(place), self.bound, chunk);
        opened.map_err(|_| SealError::Chunk { number: place.number })
    }
}

/// 32 random bytes for a file, which are no secret.
///
/// # Errors
/// [`SealError::Random`].
pub fn salt() -> Result<[u8; 32], SealError> {
    let mut salt = [0; 32];
    SystemRandom::new().fill(&mut salt).map_err(|_| SealError::Random)?;
    Ok(salt)
}

impl VendorKeys<'_> {
    /// Signs the SHA-256 of a sealed part, so that it is known to be whole without a key.
    pub fn sign_sealed(&self, digest: &[u8; 32]) -> [u8; SIGNATURE_LEN] {
        self.sign(&[SIGNED, digest].concat())
    }

    /// The id of a model that this vendor seals: the same whenever the same model is sealed.
    pub fn sealed_id(&self, model: &crate::ModelDigest) -> SealedId {
        let mut id = [0; 32];
        id.copy_from_slice(&derive::stream(self.secret(), Purpose::SealedId, model.as_bytes(), 32));
        SealedId::from(id)
    }
}

impl Vendor {
    /// Whether the vendor signed a sealed part with this SHA-256.
    pub fn signed_sealed(&self, digest: &[u8; 32], signature: &[u8; SIGNATURE_LEN]) -> bool {
        self.verifies(&[SIGNED, digest].concat(), signature)
    }
}

#[cfg(test)]
mod tests;
