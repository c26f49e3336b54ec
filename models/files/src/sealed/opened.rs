//! The true network's bytes, decrypted chunk by chunk as they are asked for.

use std::ops::Range;

use saligate_keys::{CHUNK_TAG_LEN, ChunkPlace, ContentKey, SealError};
use zeroize::{Zeroize, Zeroizing};

/// A reader of encrypted chunks. There is never more than one chunk in plain.
pub(crate) struct Plaintext {
    /// The file.
    sealed: Vec<u8>,
    /// Where its chunks stand.
    place: Range<usize>,
    /// Bytes of a chunk, without its tag.
    chunk: usize,
    content: ContentKey,
    bound: [u8; 32],
    /// Chunks that were opened.
    opened: usize,
    plain: Zeroizing<Vec<u8>>,
    /// Bytes of the open chunk that were taken.
    taken: usize,
}

/// Reads a true network as if these were its bytes, which fuzzers cannot encrypt.
///
/// # Errors
/// As [`SealedFile::open`](super::SealedFile::open), but for those of keys.
#[cfg(fuzzing)]
pub fn open_as_if_sealed(plain: &[u8]) -> Result<crate::ModelFile, crate::FileError> {
    const CHUNK: usize = *super::CHUNKS.start();
    let (content, bound) = (ContentKey::generate().map_err(super::SealedError::from)?, [0; 32]);
    let count = plain.len().div_ceil(CHUNK);
    let mut sealed = Vec::new();
    for (number, chunk) in plain.chunks(CHUNK).enumerate() {
        let (start, is_last) = (sealed.len(), number + 1 == count);
        sealed.extend_from_slice(chunk);
        let place = ChunkPlace { number: number as u32, is_last };
        let tag = content.chunks(&bound).seal(place, &mut sealed[start..]);
        sealed.extend(tag);
    }
    let place = 0..sealed.len();
    crate::archive::read_sealed(Plaintext::new(sealed, place, CHUNK, content, bound))
}

impl Plaintext {
    pub(super) fn new(
        sealed: Vec<u8>,
        place: Range<usize>,
        chunk: usize,
        content: ContentKey,
        bound: [u8; 32],
    ) -> Self {
        let plain = Zeroizing::new(Vec::with_capacity(chunk + CHUNK_TAG_LEN));
        Self { sealed, place, chunk, content, bound, opened: 0, plain, taken: 0 }
    }

    /// The next bytes, at most so many, at least one unless there are none left.
    pub(crate) fn next(&mut self, most: usize) -> Result<&[u8], SealError> {
        if self.taken == self.plain.len() && !self.is_at_end() {
            self.open_next()?;
        }
        let end = self.plain.len().min(self.taken.saturating_add(most));
        let start = std::mem::replace(&mut self.taken, end);
        Ok(&self.plain[start..end])
    }

    /// Bytes that are left, and those of their tags.
    pub(crate) fn left(&self) -> usize {
        let opened = self.opened * (self.chunk + CHUNK_TAG_LEN);
        self.plain.len() - self.taken + self.place.len().saturating_sub(opened)
    }

    /// Whether every byte was taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.taken == self.plain.len() && self.is_at_end()
    }

    fn is_at_end(&self) -> bool {
        self.opened * (self.chunk + CHUNK_TAG_LEN) >= self.place.len()
    }

    fn open_next(&mut self) -> Result<(), SealError> {
        let full = self.chunk + CHUNK_TAG_LEN;
        let start = self.place.start + self.opened * full;
        let end = self.place.end.min(start + full);
        let number =
            u32::try_from(self.opened).map_err(|_| SealError::Chunk { number: u32::MAX })?;
        let place = ChunkPlace { number, is_last: end == self.place.end };
        self.plain.zeroize();
        self.plain.extend_from_slice(&self.sealed[start..end]);
        let chunks = self.content.chunks(&self.bound);
        let length = chunks.open(place, &mut self.plain).map(|plain| plain.len());
        // Of a chunk that does not open, nothing is given out.
        self.plain.truncate(length.unwrap_or(0));
        (self.opened, self.taken) = (self.opened + 1, 0);
        length.map(drop)
    }
}
