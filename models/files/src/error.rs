//! Why a model file cannot be used.

use std::path::PathBuf;
use std::{fmt, io};

use saligate_models::graph::GraphError;

use crate::archive::ArchiveError;
use crate::manifest::ManifestError;
use crate::onnx::OnnxError;
use crate::sealed::SealedError;

/// An error in reading, making or writing a model file.
#[derive(Debug)]
pub enum FileError {
    /// The file cannot be read or written.
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file is larger than any model file can be.
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file is a text that stands for one that Git LFS has not fetched.
    LfsPointer {
        /// The file.
        path: PathBuf,
    },
    /// The network is larger than this library takes.
    Limit {
        /// What there is too much of.
        what: &'static str,
    },
    /// The network is inconsistent.
    Graph(GraphError),
    /// The manifest is missing or wrong, or contradicts the network.
    Manifest(ManifestError),
    /// A compiled model is malformed.
    Archive(ArchiveError),
    /// An ONNX file is malformed or not supported.
    Onnx(OnnxError),
    /// The sealed part of a model is wrong, or does not open.
    Sealed(SealedError),
    /// This program was built without a reader of ONNX.
    NotBuiltIn,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Self::TooLarge { path } => write!(f, "{} is larger than 2 GiB", path.display()),
            Self::LfsPointer { path } => write!(
                f,
                "{} is a Git LFS pointer, not the file itself; `git lfs install` and `git lfs pull` \
                 fetch it",
                path.display()
            ),
            Self::Limit { what } => write!(f, "the file has too many {what}"),
            Self::Graph(error) => error.fmt(f),
            Self::Manifest(error) => error.fmt(f),
            Self::Archive(error) => error.fmt(f),
            Self::Onnx(error) => error.fmt(f),
            Self::Sealed(error) => error.fmt(f),
            Self::NotBuiltIn => f.write_str(
                "this is no compiled model, and this program was built without a reader of ONNX; \
                 `saligate compile MODEL -o NEW.edge` of a whole program makes one",
            ),
        }
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Graph(error) => error.source(),
            Self::Manifest(error) => error.source(),
            Self::Archive(error) => error.source(),
            Self::Onnx(error) => error.source(),
            Self::Sealed(error) => error.source(),
            Self::TooLarge { .. }
            | Self::LfsPointer { .. }
            | Self::Limit { .. }
            | Self::NotBuiltIn => None,
        }
    }
}

impl From<GraphError> for FileError {
    fn from(error: GraphError) -> Self {
        Self::Graph(error)
    }
}

impl From<ManifestError> for FileError {
    fn from(error: ManifestError) -> Self {
        Self::Manifest(error)
    }
}

impl From<ArchiveError> for FileError {
    fn from(error: ArchiveError) -> Self {
        Self::Archive(error)
    }
}

impl From<SealedError> for FileError {
    fn from(error: SealedError) -> Self {
        Self::Sealed(error)
    }
}

impl From<OnnxError> for FileError {
    fn from(error: OnnxError) -> Self {
        Self::Onnx(error)
    }
}
