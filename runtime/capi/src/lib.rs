//! Predicting and explaining from C.
//!
//! Every function that can fail returns a [`SaligateStatus`]; [`saligate_message`] tells what
//! happened in words. A model may be used by several threads at once. Nothing unwinds into C, and
//! where panics unwind, as in every profile of this project, none ends the program either: it is an
//! error like any other. What the system itself ends is not caught: a stack that overflows, or memory
//! that is refused.

mod access;
mod call;
mod model;
mod open;
mod unseal;

pub use access::*;
pub use call::*;
pub use model::*;
pub use open::*;
pub use unseal::*;

/// Nothing of a sealed network is left in memory when it is freed.
#[global_allocator]
static ALLOCATOR: saligate_runtime::WipingAllocator = saligate_runtime::WipingAllocator;
