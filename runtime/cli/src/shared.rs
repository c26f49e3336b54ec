//! What several commands do alike.

pub(crate) mod access;
pub(crate) mod explainers;
pub(crate) mod jobs;
pub(crate) mod licenses;
pub(crate) mod names;
pub(crate) mod network;
pub(crate) mod opening;
pub(crate) mod pictures;
pub(crate) mod ranking;
pub(crate) mod running;
pub(crate) mod sealing;
pub(crate) mod signatures;
#[cfg(feature = "audit")]
pub(crate) mod sources;
