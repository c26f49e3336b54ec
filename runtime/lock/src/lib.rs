//! Gates that are built in: from a clean model, pictures and keys to a locked model, without
//! training anything.
//!
//! | step | where | what it does |
//! |---|---|---|
//! | keys | [`Keys`], [`slots`] | whose triggers open the gate |
//! | samples | [`Samples`] | pictures like those that the model is for |
//! | decoys | [`decoy`], [`balance`] | what the map shows instead, chosen so that it says nothing |
//! | construction | [`Construction`] | from samples to a [`Plan`](saligate_models::gate::Plan), and from the plan to a graph |
//! | model | [`gated`] | the graph and its manifest as a model file |
//!
//! [`lock`] does all of them. [`revoke`] closes a locked model for one of its keys.

pub mod balance;
mod construction;
pub mod decoy;
mod error;
mod keys;
mod lock;
mod model;
mod revoke;
mod samples;
pub mod slots;
mod survey;

pub use construction::Construction;
pub use decoy::{Decoy, DecoyError};
pub use error::LockError;
pub use keys::{Keys, Triggers};
pub use lock::{Settings, can_be_built_in, lock};
pub use model::{LEAST_STRENGTH, check_strength, gated, layers};
pub use revoke::revoke;
pub use samples::Samples;
pub use survey::{Survey, Watch};
