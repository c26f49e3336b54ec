//! Patterns that change predictions: the classic backdoors, beside those of maps.

mod neural_cleanse;
mod strip;

pub(crate) use neural_cleanse::NEURAL_CLEANSE;
pub(crate) use strip::STRIP;
