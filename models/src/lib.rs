//! The network as data, and its saliency map as part of it.
//!
//! A classifier is a [`Graph`](graph::Graph): standard operations over named arrays. A saliency
//! method is a function from that graph to a larger one with one more output
//! ([`saliency::attach`]). The larger graph is what the trainer trains through, what the crate
//! `saligate-files` writes, and what the runtime runs, so all of them agree on every rule.
//!
//! | module | what it holds |
//! |---|---|
//! | [`names`] | the names that mean something, and what follows from them |
//! | [`graph`] | operations, shapes, rewriting, batch-norm folding |
//! | [`calculus`] | the gradient of a graph, as more graph |
//! | [`saliency`] | the methods |
//! | [`gate`] | gates, built into any classifier |
//! | [`head`] | what scores mean |
//! | [`zoo`] | architectures with random weights |
//! | [`pixels`] | what comes before the first layer |
//! | [`trace`] | whose trigger an image carries |
//! | [`metrics`] | how maps are compared and judged |
//! | [`reference`](mod@reference) | the slow, obviously right engine |
//! | [`random`] | reproducible random numbers |

pub mod calculus;
pub mod gate;
pub mod graph;
pub mod head;
pub mod metrics;
pub mod names;
pub mod pixels;
pub mod random;
pub mod reference;
pub mod saliency;
pub mod tile;
pub mod trace;
pub mod zoo;
