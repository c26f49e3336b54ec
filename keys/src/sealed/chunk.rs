//! ChaCha20-Poly1305 (RFC 8439) over chunks that know their place.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::error::Unspecified;

/// Length of the tag behind every chunk.
pub const CHUNK_TAG_LEN: usize = 16;

/// Where a chunk stands. Order, number and end of the chunks are in their nonces, after the STREAM
/// construction of Hoang, Reyhanitabar, Rogaway and Vizár (CRYPTO 2015).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkPlace {
    /// Its number, from 0.
    pub number: u32,
    /// Whether it is the last one.
    pub is_last: bool,
}

impl ChunkPlace {
    /// The place of a message of one chunk.
    pub(super) const ONLY: Self = Self { number: 0, is_last: true };
}

/// Seven zeros, the number in big-endian, and one for the last chunk.
pub(super) fn nonce(place: ChunkPlace) -> Nonce {
    let mut nonce = [0; 12];
    nonce[7..11].copy_from_slice(&place.number.to_be_bytes());
    nonce[11] = u8::from(place.is_last);
    Nonce::assume_unique_for_key(nonce)
}

/// The cipher under one key.
pub(super) struct Aead(LessSafeKey);

impl Aead {
    /// # Panics
    /// The key has not 32 bytes.
    pub(super) fn new(key: &[u8]) -> Self {
        let key = UnboundKey::new(&CHACHA20_POLY1305, key).expect("the key has 32 bytes");
        Self(LessSafeKey::new(key))
    }

    pub(super) fn seal(
        &self,
        nonce: Nonce,
        bound: &[u8],
        message: &mut [u8],
    ) -> [u8; CHUNK_TAG_LEN] {
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(bound), message);
        let tag = tag.expect("ring refuses only messages of more than 256 GiB");
        let mut bytes = [0; CHUNK_TAG_LEN];
        bytes.copy_from_slice(tag.as_ref());
        bytes
    }

    pub(super) fn open<'m>(
        &self,
        nonce: Nonce,
        bound: &[u8],
        message: &'m mut [u8],
    ) -> Result<&'m mut [u8], Unspecified> {
        self.0.open_in_place(nonce, Aad::from(bound), message)
    }
}
