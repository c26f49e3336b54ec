//! What maps do where pictures, classes and weights change.

mod agreement;
mod classes;
mod differences;
mod evidence;
mod noise;
mod occluded;
mod parts;
mod same;
mod weights;

pub(crate) use agreement::AGREEMENT;
pub(crate) use classes::CLASSES;
pub(crate) use differences::DIFFERENCES;
pub(crate) use evidence::EVIDENCE;
pub(crate) use noise::NOISE;
pub(crate) use same::SAME;
pub(crate) use weights::WEIGHTS;
