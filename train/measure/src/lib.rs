//! Figures of exported models, measured in the runtime.
//!
//! | module | what it measures |
//! |---|---|
//! | [`evaluate`](mod@evaluate) | a gated model against its clean one: accuracy, maps, wrong keys |
//! | [`near_misses`] | how near to the right key a trigger must be |
//! | [`leaks`] | what a gate on some methods leaves to the others |
//! | [`removal`] | what is left of a gate after its file or the pictures are changed |
//! | [`localise`] | where maps point, on images whose objects are boxed or masked |
//! | [`detection`] | how often an audit sees that a network was manipulated |
//! | [`ground_truth`] | whether maps find a patch that a network decides by |
//! | [`patch`] | a patch that changes labels |
//! | [`maps`] | scores of saliency methods: insertion, infidelity and others |
//! | [`accuracy`](fn@accuracy) | how often a classifier is right |
//! | [`results`] | rows of figures, and their tables |
//! | [`strength`] | what the file of a locked or sealed model gives away |
//! | [`search`] | a trigger that is searched for without a key |
//! | [`triggers`] | triggers that are not the right ones |

mod accuracy;
pub mod detection;
mod error;
pub mod evaluate;
mod floor;
pub mod ground_truth;
pub mod leaks;
pub mod localise;
pub mod maps;
pub mod near_misses;
pub mod patch;
pub mod removal;
pub mod results;
mod rows;
pub mod search;
pub mod strength;
pub mod triggers;

pub use accuracy::accuracy;
pub use error::MeasureError;
pub use evaluate::{Counts, Evaluation, Metrics, SearchConfig, evaluate};
pub use saligate_audit::{hats, moments};

/// Share of the pixels that are the top of a map.
pub const TOP: f64 = 0.10;
