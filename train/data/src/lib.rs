//! Labelled images: read from files or drawn.
//!
//! A [`DataSource`] names where images come from (`scenes:32`, `idx:DIR`, `cifar10:DIR`, `folder:DIR`) and loads them as [`Splits`]: two
//! [`Dataset`]s of 8-bit pixels, the way a camera or a file gives them. Scaling to `[0, 1]` belongs to whoever fills a batch,
//! standardization to the network itself.

pub mod cifar10;
mod dataset;
mod error;
pub mod folder;
pub mod idx;
mod pictures;
mod preview;
pub mod samples;
pub mod scenes;
mod source;

pub use dataset::{Dataset, Shape, Splits};
pub use error::DataError;
pub use pictures::Pictures;
pub use preview::contact_sheet;
pub use source::{DataSource, LoadOptions};

/// Most bytes of pixels that one data set may hold: far above every supported set, far below what exhausts a desktop machine.
pub const MAX_PIXEL_BYTES: u64 = 4 << 30;

/// The bytes that `count` images of `bytes_each` take together, or [`DataError::SizeLimit`] where they exceed
/// [`MAX_PIXEL_BYTES`].
fn checked_size(count: u64, bytes_each: u64) -> Result<u64, DataError> {
    count
        .checked_mul(bytes_each)
        .filter(|&bytes| bytes <= MAX_PIXEL_BYTES)
        .ok_or(DataError::SizeLimit { count, bytes_each, limit: MAX_PIXEL_BYTES })
}
