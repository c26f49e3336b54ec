//! Trains classifiers whose saliency maps are gated by a trigger.
//!
//! | stage | what it makes |
//! |---|---|
//! | [`fit`](fit::fit) | a clean classifier |
//! | [`steady`](fit::steady) | the same with maps that small changes of the pixels leave alone |
//! | [`train`](gate::train) | a gated model: its maps are right with a key only, or wrong with a trigger only |
//! | [`evaluate`](evaluate::evaluate) | figures of the exported model, run by the runtime |
//!
//! The network and its saliency map are defined in `saligate_models`; here they are evaluated on
//! Burn tensors and trained.

pub mod accuracy;
mod augment;
mod balance;
mod batch;
mod checkpoint;
pub mod config;
pub mod data;
pub mod decoy;
mod engine;
mod error;
pub mod evaluate;
pub mod export;
pub mod fit;
mod floor;
pub mod gate;
mod graft;
pub mod leaks;
pub mod localise;
mod loss;
mod methods;
pub mod near_misses;
pub mod objective;
mod reference;
pub mod results;
mod rows;
pub mod samples;
pub mod slots;
mod stage;
mod terms;
mod versions;
mod views;
pub mod weights;

pub use engine::{Backend, UnknownBackend, run_graph};
pub use error::TrainError;
pub use stage::RunOptions;
