//! Patterns that change maps while predictions stay.

mod pattern;

pub(crate) use pattern::SEARCH;
