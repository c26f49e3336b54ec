//! Predicts and explains with exported models, on small machines and without Python.
//!
//! A [`Model`] is opened from a file, predicts a [`Picture`](picture::Picture), and explains it.
//! [`passes`] holds the methods that run the network many times on perturbed pictures.
//! Raw results ([`Explanation`]) and what is shown of them ([`render`]) are kept apart.
//!
//! tract stands behind one private module; no type of it is part of this interface.

mod engine;
mod error;
mod explanation;
mod license;
mod model;
pub mod npy;
pub mod passes;
pub mod picture;
pub mod render;

pub use engine::{EngineError, Optimization};
pub use error::RuntimeError;
pub use explanation::{Attribution, Explanation, Prediction, Target};
pub use license::Use;
pub use model::Model;
