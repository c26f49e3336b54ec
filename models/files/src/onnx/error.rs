//! Why an ONNX file cannot be used.

use std::path::PathBuf;
use std::{fmt, io};

use saligate_models::graph::GraphError;

use super::read::SUPPORTED;
use super::{OPSETS, proto};

/// An error in reading an ONNX file.
#[derive(Debug)]
pub enum OnnxError {
    /// A file with weights cannot be read.
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
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
    /// The network is larger than this library takes.
    Limit {
        /// What there is too much of.
        what: &'static str,
    },
    /// Nodes use each other's results.
    Cycle {
        /// Name of one of the nodes.
        node: String,
    },
    /// It is not clear which output holds the scores of the classes.
    Outputs {
        /// The output that was asked for.
        wanted: Option<String>,
        /// The outputs there are, with their shapes as far as the file tells.
        found: Vec<String>,
    },
    /// The network does not take one image.
    Inputs {
        /// The inputs that it needs.
        found: Vec<String>,
    },
    /// An output holds no scores of classes.
    Scores {
        /// The output.
        output: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// An output is the number of a class.
    ClassNumber {
        /// The output.
        output: String,
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
    /// An input does not fix its size.
    Open {
        /// Name of the input.
        name: String,
        /// What is open.
        what: String,
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
}

impl OnnxError {
    pub(super) fn node(source: &proto::Node, reason: impl Into<String>) -> Self {
        Self::Node {
            node: source.label().to_owned(),
            op: source.op_type.clone(),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for OnnxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Self::NotOnnx { detail } => {
                write!(f, "this is no ONNX model, or a truncated one ({detail})")
            }
            Self::Opset { found } => write!(
                f,
                "the model uses opset {found}; supported are {} to {}",
                OPSETS.start(),
                OPSETS.end()
            ),
            Self::Limit { what } => write!(f, "the file has too many {what}"),
            Self::Cycle { node } => {
                write!(f, "node '{node}' needs its own result: the network has a cycle")
            }
            Self::Outputs { wanted: Some(wanted), found } => {
                write!(f, "there is no output '{wanted}'; there are: {}", found.join(", "))
            }
            Self::Outputs { wanted: None, found } if found.is_empty() => {
                f.write_str("the network has no output")
            }
            Self::Outputs { wanted: None, found } => write!(
                f,
                "which output holds the scores of the classes? Name one of: {}",
                found.join(", ")
            ),
            Self::Inputs { found } if found.is_empty() => {
                f.write_str("the scores do not depend on an input")
            }
            Self::Inputs { found } => write!(
                f,
                "the network needs more than an image; its inputs are: {}",
                found.join(", ")
            ),
            Self::Scores { output, shape } => write!(
                f,
                "output '{output}' has the shape {shape:?}; scores of classes are [1, classes]"
            ),
            Self::ClassNumber { output } => {
                write!(f, "output '{output}' is the number of a class, not the scores of all")
            }
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
            Self::Open { name, what } => {
                write!(f, "input '{name}' leaves the number of {what} open")
            }
            Self::Tensor { name, reason } => write!(f, "tensor '{name}' {reason}"),
            Self::Graph(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OnnxError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Graph(error) => error.source(),
            _ => None,
        }
    }
}

impl From<GraphError> for OnnxError {
    fn from(error: GraphError) -> Self {
        Self::Graph(error)
    }
}
