//! What can be wrong with a graph.

use std::fmt;

/// An error in building, transforming or evaluating a [`Graph`](super::Graph).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GraphError {
    /// An operation was given the wrong number of operands.
    Arity {
        /// Name of the node.
        node: String,
        /// ONNX-style name of the operation.
        op: &'static str,
        /// Smallest and largest number of operands.
        expected: (usize, usize),
        /// Number of operands given.
        found: usize,
    },
    /// The operand shapes do not fit the operation.
    Shape {
        /// Name of the node.
        node: String,
        /// ONNX-style name of the operation.
        op: &'static str,
        /// Shapes of all operands, in order.
        operands: Vec<Vec<usize>>,
        /// What the operation asks for.
        reason: String,
    },
    /// A shape has more elements than [`MAX_ELEMENTS`](super::MAX_ELEMENTS), or a zero axis.
    Size {
        /// Name of the value.
        value: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// Two values carry one name.
    DuplicateName {
        /// The name.
        name: String,
    },
    /// A value has a name that means something else here.
    ReservedName {
        /// The name.
        name: String,
        /// What the name is kept for.
        used_for: &'static str,
    },
    /// No value has this name.
    UnknownValue {
        /// The name asked for.
        name: String,
        /// The names that would have fitted.
        known: Vec<String>,
    },
    /// A parameter has another number of elements than its shape says.
    ParamLength {
        /// Name of the parameter.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Number of elements given.
        found: usize,
    },
    /// A parameter holds NaN or an infinity.
    NonFinite {
        /// Name of the parameter.
        name: String,
        /// Flat index of the first such element.
        index: usize,
    },
    /// The operation has no gradient rule, or none for these attributes.
    NoGradientRule {
        /// Name of the node.
        node: String,
        /// ONNX-style name of the operation.
        op: &'static str,
        /// Why, and what to do instead.
        reason: &'static str,
    },
    /// A saliency method cannot read the layers that it was given, or finds none to read.
    Layers {
        /// Name of the method.
        method: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The value that should be explained does not depend on the input.
    Disconnected {
        /// Name of the value that is differentiated.
        output: String,
        /// Name of the input.
        input: String,
    },
}

impl fmt::Display for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arity { node, op, expected: (low, high), found } => {
                write!(f, "node '{node}' ({op}) takes {low} to {high} operands, found {found}")
            }
            Self::Shape { node, op, operands, reason } => {
                write!(f, "node '{node}' ({op}) {reason}; operand shapes are {operands:?}")
            }
            Self::Size { value, shape } => {
                write!(f, "value '{value}' has shape {shape:?}, which is empty or too large")
            }
            Self::DuplicateName { name } => write!(f, "two values are named '{name}'"),
            Self::ReservedName { name, used_for } => write!(
                f,
                "the value '{name}' has a name that is kept for {used_for}; give the network without \
                 it, or give the value another name"
            ),
            Self::UnknownValue { name, known } => {
                write!(f, "there is no value '{name}' here; there are: {}", known.join(", "))
            }
            Self::ParamLength { name, shape, found } => {
                write!(f, "parameter '{name}' of shape {shape:?} was given {found} elements")
            }
            Self::NonFinite { name, index } => {
                write!(f, "parameter '{name}' holds a NaN or infinite element at {index}")
            }
            Self::NoGradientRule { node, op, reason } => {
                write!(f, "node '{node}' ({op}) cannot be differentiated: {reason}")
            }
            Self::Layers { method, reason } => write!(f, "{method} {reason}"),
            Self::Disconnected { output, input } => {
                write!(f, "'{output}' does not depend on '{input}', so it has no gradient there")
            }
        }
    }
}

impl std::error::Error for GraphError {}
