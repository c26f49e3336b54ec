//! Triggers that replace the lower right corner.

use std::ops::Range;

use zeroize::Zeroizing;

use super::{ImageShape, Pattern};
use crate::Secret;
use crate::derive::{self, Purpose};

/// The values of an opaque square.
pub(super) struct Patch {
    square: ImageShape,
    /// In `[channel, row, column]` order.
    values: Zeroizing<Vec<u8>>,
}

impl Patch {
    pub(super) fn derive(secret: &Secret, square: ImageShape) -> Self {
        let parameters = square.to_square_info();
        Self {
            square,
            values: derive::stream(secret, Purpose::Patch, &parameters, square.values()),
        }
    }

    /// A patch whose bytes are known; `None` where they are too few or too many.
    pub(super) fn restored(values: &[u8], square: ImageShape) -> Option<Self> {
        let values = Zeroizing::new(values.to_vec());
        (values.len() == square.values()).then_some(Self { square, values })
    }

    pub(super) fn exposed(&self) -> &[u8] {
        &self.values
    }

    pub(super) fn cells(&self) -> usize {
        self.square.values()
    }

    /// Replaces the corner of an image.
    pub(super) fn paste(&self, image: ImageShape, pixels: &mut [u8]) {
        let rows = self.values.chunks_exact(self.square.width());
        for (place, row) in self.places(image).zip(rows) {
            pixels[place].copy_from_slice(row);
        }
    }

    pub(super) fn pattern(&self, image: ImageShape) -> Pattern {
        let mut values = vec![0; image.values()];
        self.paste(image, &mut values);
        let mut mask = vec![false; image.values()];
        for place in self.places(image) {
            mask[place].fill(true);
        }
        Pattern::Opaque { values, mask }
    }

    /// Where the rows of the square lie in an image, channel by channel.
    fn places(&self, image: ImageShape) -> impl Iterator<Item = Range<usize>> {
        let size = self.square.width();
        let (height, width) = (image.height(), image.width());
        (0..image.channels()).flat_map(move |channel| {
            (height - size..height).map(move |row| {
                let end = (channel * height + row + 1) * width;
                end - size..end
            })
        })
    }
}
