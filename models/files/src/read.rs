//! Whole files, as far as models reach.

use std::fs;
use std::io::Read;
use std::path::Path;

use crate::error::FileError;

/// Largest file that is read, in bytes: protobuf's own limit.
pub const MAX_FILE_BYTES: u64 = 1 << 31;

/// How the text begins that Git keeps in place of a large file.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// An empty list with room for so many bytes.
///
/// # Errors
/// The machine has not so much memory.
pub(crate) fn reserved(length: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    match bytes.try_reserve_exact(length) {
        Ok(()) => Ok(bytes),
        Err(error) => Err(std::io::Error::new(std::io::ErrorKind::OutOfMemory, error)),
    }
}

/// Reads a whole file of at most [`MAX_FILE_BYTES`].
///
/// # Errors
/// The file cannot be read, is too large, or was not fetched by Git LFS.
pub fn read_file(path: &Path) -> Result<Vec<u8>, FileError> {
    let io = |source| FileError::Io { path: path.to_owned(), source };
    let file = fs::File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    if length > MAX_FILE_BYTES {
        return Err(FileError::TooLarge { path: path.to_owned() });
    }
    let mut bytes = Vec::with_capacity(length as usize);
    // A pipe or device has no length before it is read.
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(FileError::TooLarge { path: path.to_owned() });
    }
    if bytes.starts_with(LFS_POINTER) {
        return Err(FileError::LfsPointer { path: path.to_owned() });
    }
    Ok(bytes)
}
