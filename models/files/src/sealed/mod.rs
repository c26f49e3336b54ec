//! The sealed part of a model file: a second network, encrypted.
//!
//! A file with a sealed part shows a *public network*, which anybody runs, and holds the *true
//! network*, with its own gate, as a compiled model under a key that the file does not contain. What is
//! known of the true network without a key of the model is its length, by the security of
//! ChaCha20-Poly1305 and HKDF-SHA256.
//!
//! ```text
//! offset   bytes
//!      0   "sgsealed"
//!      8   version, u32
//!     12   bytes of a chunk before encryption, u32
//!     16   bytes of the true network, u64
//!     24   salt, 32 bytes
//!     56   SHA-256 of the manifest's JSON
//!     88   number of keys, u32
//!     92   a key each: its id, 8 bytes; the content key under it, 32 bytes; a tag, 16 bytes
//!          chunks, each with a tag of 16 bytes behind it
//!    end   the vendor's Ed25519 signature of all before, 64 bytes
//! ```
//!
//! Numbers are little-endian. There are no offsets, so nothing can overlap or leave gaps. docs/format.md
//! tells what is bound to what.

mod error;
mod file;
mod opened;
mod part;
mod public;
mod write;

pub use error::SealedError;
pub use file::{SealedFile, is_sealed};
#[cfg(fuzzing)]
pub use opened::open_as_if_sealed;
pub use part::SealedPart;
pub use public::{blank, public_network};
pub use write::{Sealing, seal};

pub(crate) use opened::Plaintext;

/// What was read of a file in which something is sealed: its manifest and its sealed part.
pub(crate) type SealedPartRead = Result<(crate::manifest::Manifest, Vec<u8>), crate::FileError>;

const MAGIC: &[u8; 8] = b"sgsealed";
/// The version that is written, and the newest that is read.
const VERSION: u32 = 1;
/// Bytes of a chunk: two chunks lie in the cache of a small processor, and tags take 0.02 %.
const CHUNK: usize = 1 << 16;
/// Bytes of a chunk that are read: fewer would be slow, and more memory than a small machine has to
/// spare.
const CHUNKS: std::ops::RangeInclusive<usize> = 1 << 12..=1 << 20;
/// Most bytes of the true network, as of any model file.
const MAX_LENGTH: u64 = crate::read::MAX_FILE_BYTES;
/// Most keys: the vendor's own ones and every slot.
const MAX_KEYS: usize = 1 << 13;

#[cfg(test)]
mod tests;
