//! Where the parameters of an archive are read from: memory, or what is decrypted piece by piece.

use super::ArchiveError;
use super::precision::{Encoding, four};
use crate::error::FileError;
use crate::sealed::{Plaintext, SealedError};

/// Bytes that are read from the beginning to the end.
pub(super) enum Parameters<'a> {
    /// All of them.
    Open(&'a [u8]),
    /// Those of a sealed part.
    Sealed(Box<Plaintext>),
}

impl<'a> Parameters<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self::Open(bytes)
    }

    pub(super) fn sealed(plain: Plaintext) -> Self {
        Self::Sealed(Box::new(plain))
    }

    /// Whether every byte was read.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Open(bytes) => bytes.is_empty(),
            Self::Sealed(plain) => plain.is_empty(),
        }
    }

    /// How many bytes there are at most.
    fn left(&self) -> usize {
        match self {
            Self::Open(bytes) => bytes.len(),
            Self::Sealed(plain) => plain.left(),
        }
    }

    /// Some of the next bytes, at most so many and at least one.
    fn next(&mut self, most: usize) -> Result<&[u8], FileError> {
        let found = match self {
            Self::Open(bytes) => {
                let (found, rest) = bytes.split_at(most.min(bytes.len()));
                *bytes = rest;
                found
            }
            Self::Sealed(plain) => plain.next(most).map_err(SealedError::from)?,
        };
        match found {
            [] => Err(ArchiveError::Length.into()),
            found => Ok(found),
        }
    }

    /// Calls `take` with the next bytes, piece by piece.
    fn pieces(&mut self, mut length: usize, mut take: impl FnMut(&[u8])) -> Result<(), FileError> {
        while length > 0 {
            let piece = self.next(length)?;
            length -= piece.len();
            take(piece);
        }
        Ok(())
    }

    /// The next bytes.
    pub(super) fn bytes(&mut self, length: usize) -> Result<Vec<u8>, FileError> {
        // What a file says of its length is no reason to take memory.
        let mut bytes = Vec::new();
        self.pieces(length, |piece| bytes.extend_from_slice(piece))?;
        Ok(bytes)
    }

    /// The next parameter, and the zeros behind it.
    pub(super) fn take(
        &mut self,
        shape: &[usize],
        stored: Encoding,
    ) -> Result<Vec<f32>, FileError> {
        let [scales, elements] = stored.lengths(shape).ok_or(ArchiveError::Length)?;
        if scales.saturating_add(elements) > self.left() {
            return Err(ArchiveError::Length.into());
        }
        let scale_bytes = self.bytes(scales)?;
        let rows: Vec<f32> = scale_bytes.chunks_exact(4).map(four).collect();
        let count = shape.iter().product::<usize>();
        let row = count.checked_div(rows.len()).unwrap_or(1);
        let mut values = Vec::with_capacity(count);
        // Pieces end at whole elements: chunks, and the beginning of every parameter, are multiples of 4.
        self.pieces(elements, |piece| stored.append(piece, &rows, row, &mut values))?;
        let used = scales + elements;
        self.pieces(used.next_multiple_of(4) - used, |_| ())?;
        Ok(values)
    }
}
