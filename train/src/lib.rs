//! Trains classifiers whose saliency maps are gated by a trigger.
//!
//! | stage | what it makes |
//! |---|---|
//! | [`fit`](fit::fit) | a clean classifier |
//! | [`steady`](steady::steady) | the same with maps that small changes of the pixels leave alone |
//! | [`gate`](lock::gate) | a gated network: its maps are right with a key only, or wrong with a trigger only |
//! | [`export`] | models of both, as files |
//!
//! The network and its saliency map are defined in `saligate_models`; here they are evaluated on
//! Burn tensors and trained. What is built and measured without Burn stands in `saligate_lock`,
//! `saligate_data` and `saligate_measure`.

mod augment;
mod batch;
pub mod bench;
mod checkpoint;
pub mod config;
pub mod copy;
mod engine;
mod error;
pub mod export;
pub mod fit;
mod laps;
pub mod lock;
mod loss;
mod reference;
mod stage;
pub mod steady;
pub mod weights;

pub use engine::{Backend, UnknownBackend, run_graph};
pub use error::TrainError;
pub use stage::RunOptions;
