//! Predicting and explaining from C.
//!
//! Every function that can fail returns a [`SaligateStatus`]; [`saligate_message`] tells what
//! happened in words. A model may be used by several threads at once. Nothing unwinds into C: a
//! failure inside is an error like any other.

mod access;
mod call;
mod model;

pub use access::*;
pub use call::*;
pub use model::*;
