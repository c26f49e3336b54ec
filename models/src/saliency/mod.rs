//! Saliency methods: functions from a classifier to a larger graph with one more output.
//!
//! A classifier has the input [`IMAGE`] and the output [`LOGITS`]. [`attach`] adds the input
//! [`TARGET`] and the output [`ATTRIBUTION`]. A method is one file here and one line in
//! [`Method`].

mod gradient;
mod map;

use std::fmt;
use std::str::FromStr;

pub use map::{Reduction, saliency_map};

use crate::graph::{Graph, GraphError, Op, ValueId};

/// Name of the input with pixels in [0, 1], `[n, channel, row, column]`.
pub const IMAGE: &str = "image";
/// Name of the output with one score per class, before any softmax, `[n, class]`.
pub const LOGITS: &str = "logits";
/// Name of the input with class weights, `[n, class]` or `[1, class]`: a one-hot row explains that
/// class, and a row of zeros explains the predicted one.
pub const TARGET: &str = "target";
/// Name of the output with signed scores per pixel and channel, the shape of [`IMAGE`].
pub const ATTRIBUTION: &str = "attribution";

/// A saliency method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// Derivative of the explained logit by the pixels (Simonyan et al. 2014).
    Gradient,
}

impl Method {
    /// All methods.
    pub const ALL: &[Self] = &[Self::Gradient];

    /// The name used in files and on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gradient => "gradient",
        }
    }

    /// How its attribution becomes a map.
    pub fn reduction(self) -> Reduction {
        match self {
            Self::Gradient => Reduction::MaxAbs,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Method {
    type Err = UnknownMethod;

    fn from_str(name: &str) -> Result<Self, UnknownMethod> {
        let found = Self::ALL.iter().find(|m| m.name() == name).copied();
        found.ok_or_else(|| UnknownMethod { name: name.to_owned() })
    }
}

/// No method has this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownMethod {
    name: String,
}

impl fmt::Display for UnknownMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known: Vec<_> = Method::ALL.iter().map(|m| m.name()).collect();
        write!(f, "there is no saliency method '{}'; there are: {}", self.name, known.join(", "))
    }
}

impl std::error::Error for UnknownMethod {}

/// The classifier with the attribution of `method` as one more output.
///
/// Whatever else the graph computes is dropped first, so a method can be attached to a graph that
/// had one attached before.
///
/// # Errors
/// The graph has no [`IMAGE`] or [`LOGITS`], or an operation between them has no gradient rule.
pub fn attach(classifier: &Graph, method: Method) -> Result<Graph, GraphError> {
    let mut graph = classifier.extract(&[LOGITS])?;
    let (image, logits) = (graph.find(IMAGE)?, graph.find(LOGITS)?);
    let seed = seed(&mut graph, logits)?;
    let attribution = match method {
        Method::Gradient => gradient::attribution(&mut graph, image, logits, seed)?,
    };
    graph.rename(attribution, ATTRIBUTION)?;
    graph.set_outputs(&[logits, attribution]);
    Ok(graph)
}

/// Class weights of the explained score: the target row, or the predicted class where it is zero.
fn seed(graph: &mut Graph, logits: ValueId) -> Result<ValueId, GraphError> {
    let classes = graph.shape(logits).to_vec();
    let target = graph.input(TARGET, &classes)?;
    let predicted = graph.node("seed/predicted", Op::OneHotArgMax, &[logits])?;
    let chosen = graph.node("seed/chosen", Op::ReduceSum { axes: vec![1] }, &[target])?;
    let own = graph.node("seed/own", Op::Mul, &[predicted, chosen])?;
    let open = graph.node("seed/open", Op::Sub, &[predicted, own])?;
    graph.node("seed", Op::Add, &[open, target])
}
