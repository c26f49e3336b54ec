//! Why an ONNX file cannot be used.

use std::path::PathBuf;
use std::{fmt, io};

use super::node::SUPPORTED;
use super::{OPSETS, proto};
use crate::graph::GraphError;
use crate::manifest::ManifestError;

/// An error in reading or writing an ONNX file.
#[derive(Debug)]
#[non_exhaustive]
pub enum OnnxError {
    /// The file cannot be read or written.
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file is larger than any ONNX file can be.
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The bytes are no ONNX model.
    NotOnnx {
        /// What the decoder says.
        detail: String,
    },
    /// The standard operations have an unsupported version.
    Opset {
        /// The version found; 0 where none is declared.
        found: i64,
    },
    /// An operation is not supported.
    Unsupported {
        /// Name of the node.
        node: String,
        /// Name of the operation.
        op: String,
    },
    /// A node has attributes or operands that are not supported.
    Node {
        /// Name of the node.
        node: String,
        /// Name of the operation.
        op: String,
        /// What is wrong.
        reason: String,
    },
    /// A node or output uses a value that nothing before it defines.
    Undefined {
        /// The value.
        value: String,
        /// Who uses it.
        user: String,
    },
    /// An output is a constant.
    Constant {
        /// The output.
        value: String,
    },
    /// An input has an unsupported type.
    Input {
        /// Name of the input.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A stored tensor is malformed.
    Tensor {
        /// Name of the tensor.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The network is inconsistent.
    Graph(GraphError),
    /// The manifest is missing or wrong.
    Manifest(ManifestError),
}

impl OnnxError {
    pub(super) fn node(source: &proto::Node, reason: &str) -> Self {
        Self::Node {
            node: source.name.clone(),
            op: source.op_type.clone(),
            reason: reason.to_owned(),
        }
    }
}

impl fmt::Display for OnnxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Self::TooLarge { path } => write!(f, "{} is larger than 2 GiB", path.display()),
            Self::NotOnnx { detail } => {
                write!(f, "this is no ONNX model, or a truncated one ({detail})")
            }
            Self::Opset { found } => write!(
                f,
                "the model uses opset {found}; supported are {} to {}",
                OPSETS.start(),
                OPSETS.end()
            ),
            Self::Unsupported { node, op } => write!(
                f,
                "node '{node}': operation {op} is not supported; supported are {}",
                SUPPORTED.join(", ")
            ),
            Self::Node { node, op, reason } => write!(f, "node '{node}' ({op}) {reason}"),
            Self::Undefined { value, user } => {
                write!(f, "'{user}' uses '{value}', which nothing before it defines")
            }
            Self::Constant { value } => write!(f, "output '{value}' is a constant"),
            Self::Input { name, reason } => write!(f, "input '{name}' {reason}"),
            Self::Tensor { name, reason } => write!(f, "tensor '{name}' {reason}"),
            Self::Graph(error) => error.fmt(f),
            Self::Manifest(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OnnxError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Graph(error) => error.source(),
            Self::Manifest(error) => error.source(),
            _ => None,
        }
    }
}

impl From<GraphError> for OnnxError {
    fn from(error: GraphError) -> Self {
        Self::Graph(error)
    }
}

impl From<ManifestError> for OnnxError {
    fn from(error: ManifestError) -> Self {
        Self::Manifest(error)
    }
}
