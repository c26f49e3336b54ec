//! The true network's bytes, decrypted chunk by chunk as they are asked for.

use saligate_keys::{CHUNK_TAG_LEN, ChunkPlace, ContentKey, SealError};
use zeroize::{Zeroize, Zeroizing};

/// A reader of encrypted chunks. There is never more than one chunk in plain.
pub(crate) struct Plaintext {
    sealed: Vec<u8>,
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

impl Plaintext {
    pub(super) fn new(sealed: Vec<u8>, chunk: usize, content: ContentKey, bound: [u8; 32]) -> Self {
        let plain = Zeroizing::new(Vec::with_capacity(chunk + CHUNK_TAG_LEN));
        Self { sealed, chunk, content, bound, opened: 0, plain, taken: 0 }
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

    /// Whether every byte was taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.taken == self.plain.len() && self.is_at_end()
    }

    fn is_at_end(&self) -> bool {
        self.opened * (self.chunk + CHUNK_TAG_LEN) >= self.sealed.len()
    }

    fn open_next(&mut self) -> Result<(), SealError> {
        let full = self.chunk + CHUNK_TAG_LEN;
        let start = self.opened * full;
        let end = self.sealed.len().min(start + full);
        let number =
            u32::try_from(self.opened).map_err(|_| SealError::Chunk { number: u32::MAX })?;
        let place = ChunkPlace { number, is_last: end == self.sealed.len() };
        self.plain.zeroize();
        self.plain.extend_from_slice(&self.sealed[start..end]);
        let chunks = self.content.chunks(&self.bound);
        let length = chunks.open(place, &mut self.plain)?.len();
        self.plain.truncate(length);
        (self.opened, self.taken) = (self.opened + 1, 0);
        Ok(())
    }
}
