//! ONNX, in a program that was built without it: only compiled models are read.

use std::fmt;
use std::io::{self, BufReader, Read, Seek};
use std::ops::Range;

use crate::error::FileError;
use crate::manifest::Manifest;
use crate::model::ModelFile;
use crate::sealed::SealedPartRead;

/// An error in reading ONNX; there is none where nothing is read.
#[derive(Debug)]
pub enum OnnxError {}

impl fmt::Display for OnnxError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl std::error::Error for OnnxError {}

/// No file is known to be one.
pub(crate) fn has_sealed_part(_: &[u8]) -> bool {
    false
}

pub(crate) fn read_sealed_part<F: Read + Seek>(
    _: &mut BufReader<F>,
) -> io::Result<Option<SealedPartRead>> {
    Ok(None)
}

pub(crate) fn sealed_part(_: &[u8]) -> Result<(Manifest, Range<usize>), FileError> {
    Err(FileError::NotBuiltIn)
}

pub(crate) fn read(_: Vec<u8>) -> Result<ModelFile, FileError> {
    Err(FileError::NotBuiltIn)
}
