//! One IDX file, plain or compressed.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::super::DataError;

/// An IDX file being read from front to back, decompressed on the way.
pub(super) struct IdxFile {
    path: PathBuf,
    reader: Box<dyn Read>,
    position: u64,
}

impl IdxFile {
    /// Opens the file of this name in the folder, or its compressed form.
    pub(super) fn open(folder: &Path, name: &str) -> Result<Self, DataError> {
        let (path, gz) = (folder.join(name), folder.join(format!("{name}.gz")));
        if path.is_file() {
            let reader = Box::new(BufReader::new(File::open(&path).map_err(DataError::io(&path))?));
            Ok(Self { path, reader, position: 0 })
        } else if gz.is_file() {
            let file = BufReader::new(File::open(&gz).map_err(DataError::io(&gz))?);
            Ok(Self { path: gz, reader: Box::new(MultiGzDecoder::new(file)), position: 0 })
        } else {
            let expected = format!("{name} or {name}.gz");
            Err(DataError::MissingFile { folder: folder.to_owned(), expected })
        }
    }

    /// Reads the magic number and `N` extents.
    pub(super) fn header<const N: usize>(&mut self, magic: u32) -> Result<[usize; N], DataError> {
        let found = self.number()?;
        if found != magic {
            return Err(DataError::WrongMagic { path: self.path.clone(), expected: magic, found });
        }
        let mut extents = [0; N];
        for extent in &mut extents {
            *extent = self.number()? as usize;
        }
        Ok(extents)
    }

    fn number(&mut self) -> Result<u32, DataError> {
        let bytes = self.bytes(4)?;
        Ok(bytes.iter().fold(0, |number, &byte| number << 8 | u32::from(byte)))
    }

    /// Reads the remaining `length` bytes, and makes sure that they are the last.
    pub(super) fn body(&mut self, length: u64) -> Result<Vec<u8>, DataError> {
        let body = self.bytes(length)?;
        // Reading on also makes the decompressor check its checksum.
        match io::copy(&mut self.reader.by_ref().take(1), &mut io::sink()) {
            Ok(0) => Ok(body),
            Ok(_) => {
                Err(DataError::TrailingBytes { path: self.path.clone(), expected: self.position })
            }
            Err(error) => Err(DataError::io(&self.path)(error)),
        }
    }

    /// Reads exactly `length` bytes. The buffer grows with what is there, so a short file that announces much costs little.
    fn bytes(&mut self, length: u64) -> Result<Vec<u8>, DataError> {
        let mut bytes = Vec::new();
        let read = self.reader.by_ref().take(length).read_to_end(&mut bytes);
        let expected = self.position + length;
        self.position += bytes.len() as u64;
        match read {
            Ok(_) if self.position == expected => Ok(bytes),
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                Err(DataError::io(&self.path)(error))
            }
            _ => Err(DataError::Truncated {
                path: self.path.clone(),
                expected,
                found: self.position,
            }),
        }
    }
}
