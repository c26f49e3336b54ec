//! What all files of this crate have in common: how they are written, and the words in them.

mod error;
pub(crate) mod file;
pub(crate) mod hex;
pub(crate) mod line;
pub(crate) mod record;
mod time;

pub use error::{Fault, FileError, RecordError, TimeError};
pub use time::Timestamp;
