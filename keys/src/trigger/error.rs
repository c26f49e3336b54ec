//! What can go wrong with a trigger.

use crate::{ImageShape, TriggerSpec};

/// Why there is no such trigger, or it does not fit an image.
#[derive(Debug, thiserror::Error)]
pub enum TriggerError {
    /// The side of a tile or patch is out of range.
    #[error("trigger size {found} is out of range; give 1 to {} pixels", TriggerSpec::MAX_SIZE)]
    Size {
        /// The side in pixels.
        found: u16,
    },
    /// The amplitude of a trigger is out of range.
    #[error(
        "trigger amplitude {found} is out of range; give 1 to {} steps of 1/255",
        TriggerSpec::MAX_AMPLITUDE
    )]
    Amplitude {
        /// The amplitude in 8-bit steps.
        found: u8,
    },
    /// No image of these sizes is supported.
    #[error(
        "images of {channels}x{height}x{width} (channels x height x width) are not supported; \
         use 1 to {} channels and sides of 1 to {} pixels",
        ImageShape::MAX_CHANNELS,
        ImageShape::MAX_SIDE
    )]
    Shape {
        /// Number of channels.
        channels: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// A tile or patch does not fit into the image.
    #[error(
        "a trigger of {size}x{size} pixels does not fit into an image of {shape}; \
         use a smaller size or larger images"
    )]
    LargerThanImage {
        /// The side of the tile or patch in pixels.
        size: u16,
        /// The image.
        shape: ImageShape,
    },
    /// A slice of pixels has not the length of the image that the trigger was derived for.
    #[error(
        "found {found} values, but an image of {shape} has {}; \
         pass one image in [channel, row, column] order",
        .shape.values()
    )]
    PixelCount {
        /// The image that the trigger was derived for.
        shape: ImageShape,
        /// The length of the slice.
        found: usize,
    },
    /// A trigger has no such sign cell.
    #[error("there is no cell {cell} in a trigger of {cells}; count from 0")]
    Cell {
        /// The index that was asked for.
        cell: usize,
        /// How many cells there are.
        cells: usize,
    },
    /// A patch has neither signs nor an amplitude.
    #[error("a patch has no signs or amplitude to change; use a tile or full trigger")]
    NotAdditive,
    /// The bytes are no trigger of this kind.
    #[error("{found} bytes are no trigger of this kind; check which model it belongs to")]
    Length {
        /// How many there are.
        found: usize,
    },
}
