//! Model files: a network and what its file says of itself.
//!
//! A [`ModelFile`] holds both and is checked when it is made, so one that exists does not contradict
//! itself. It is written as ONNX, which any engine runs, or compiled for devices; both are read
//! alike.
//!
//! | module | what it holds |
//! |---|---|
//! | [`manifest`] | what a file says of itself |
//! | [`archive`] | compiled models, for devices |
//! | [`onnx`] | the file format of networks, and networks that others wrote in it |
//! | [`sealed`] | a second network in a file, encrypted |
//! | [`import`] | classifiers from elsewhere, in the form that all have here |
//! | [`atomic`] | files that are written whole or not at all |

pub mod archive;
pub mod atomic;
mod digest;
mod error;
mod hash;
pub mod import;
pub mod labels;
pub mod manifest;
mod model;
#[cfg(feature = "onnx")]
pub mod onnx;
#[cfg(not(feature = "onnx"))]
#[path = "onnx_absent.rs"]
pub mod onnx;
mod read;
pub mod sealed;

pub use digest::weights_digest;
pub use error::FileError;
pub use model::ModelFile;
pub use read::{MAX_FILE_BYTES, read_file};
