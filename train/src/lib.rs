//! Burn evaluation of graphs, objectives, data sets, fitting, locking, evaluation.

pub mod data;
pub mod decoy;
mod engine;
