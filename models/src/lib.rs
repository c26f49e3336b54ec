//! The network as data, and its saliency map as part of it.
//!
//! A classifier is a [`Graph`](graph::Graph): standard operations over named arrays. A saliency
//! method is a function from that graph to a larger one with one more output
//! ([`saliency::attach`]). The larger graph is what the trainer trains through, what
//! [`onnx`] writes, and what the runtime runs, so all of them agree on every rule.
//!
//! | module | what it holds |
//! |---|---|
//! | [`graph`] | operations, shapes, batch-norm folding |
//! | [`calculus`] | the gradient of a graph, as more graph |
//! | [`saliency`] | the methods |
//! | [`gate`] | gates, built into any classifier |
//! | [`zoo`] | architectures with random weights |
//! | [`onnx`] | the file format |
//! | [`archive`] | compiled models, for devices |
//! | [`import`] | classifiers from elsewhere |
//! | [`manifest`] | what a file says of itself |
//! | [`licensing`] | which model a licence is for |
//! | [`trace`] | whose trigger an image carries |
//! | [`metrics`] | how maps are compared and judged |
//! | [`reference`](mod@reference) | the slow, obviously right engine |

pub mod archive;
pub mod atomic;
pub mod calculus;
pub mod gate;
pub mod graph;
pub mod import;
pub mod licensing;
pub mod manifest;
pub mod metrics;
pub mod onnx;
pub mod random;
pub mod reference;
pub mod saliency;
pub mod trace;
pub mod zoo;
