//! Predicts and explains with exported models, on small machines and without Python.
//!
//! A [`Model`] is opened from a file, predicts a [`Picture`](picture::Picture), and explains it.
//! [`passes`] holds the methods that run the network many times on perturbed pictures; [`method`] is
//! the registry of those and of a file's own.
//! Raw results ([`Explanation`]) and what is shown of them ([`render`]) are kept apart.
//!
//! Networks are run by this project's own engine or, for a second opinion, by another one that is
//! lent from outside ([`EngineKind`]).

mod access;
mod device;
mod engine;
mod error;
mod explanation;
mod graph_runner;
mod learner;
pub mod method;
mod model;
pub mod npy;
pub mod passes;
pub mod picture;
#[cfg(feature = "render")]
pub mod render;
mod sealed;

pub use access::{Access, Use};
pub use device::device_name;
pub use engine::{EngineError, EngineKind, OtherEngine, OtherPlan, Times};
pub use error::RuntimeError;
pub use explanation::{Attribution, Explanation, Prediction, StepTime, Target};
pub use graph_runner::GraphRunner;
pub use learner::Learner;
pub use model::Model;
pub use saligate_kernels::{CrewError, Isa, MAX_THREADS, WipingAllocator};
pub use sealed::{LockedModel, SealedModel};
