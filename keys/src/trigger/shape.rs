//! The shape of the images that a trigger is for.

use std::fmt;

use super::TriggerError;

/// Channels, height and width of an image, in this order, within the limits of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ImageShape {
    channels: u8,
    height: u16,
    width: u16,
}

impl ImageShape {
    /// The most channels: red, green, blue and one more.
    pub const MAX_CHANNELS: usize = 4;
    /// The longest side in pixels. With it, an image has at most 2^30 values, and no size computed
    /// here overflows on 32-bit machines.
    pub const MAX_SIDE: usize = 16_384;

    /// A shape of `channels` (1..=4), `height` and `width` (1..=16384 pixels).
    ///
    /// # Errors
    /// [`TriggerError::Shape`] when one is out of range.
    pub fn new(channels: usize, height: usize, width: usize) -> Result<Self, TriggerError> {
        let sides = 1..=Self::MAX_SIDE;
        let channel_counts = 1..=Self::MAX_CHANNELS;
        if !channel_counts.contains(&channels)
            || !sides.contains(&height)
            || !sides.contains(&width)
        {
            return Err(TriggerError::Shape { channels, height, width });
        }
        // Lossless within the limits just checked.
        Ok(Self { channels: channels as u8, height: height as u16, width: width as u16 })
    }

    /// Number of channels.
    pub fn channels(self) -> usize {
        self.channels.into()
    }

    /// Rows.
    pub fn height(self) -> usize {
        self.height.into()
    }

    /// Columns.
    pub fn width(self) -> usize {
        self.width.into()
    }

    /// Values of an image: channels · height · width.
    pub fn values(self) -> usize {
        self.channels() * self.height() * self.width()
    }

    /// The shape as it enters an info string: u8 channels, u16 height, u16 width, big-endian.
    pub(super) fn to_info(self) -> [u8; 5] {
        let [h1, h0] = self.height.to_be_bytes();
        let [w1, w0] = self.width.to_be_bytes();
        [self.channels, h1, h0, w1, w0]
    }

    /// A square with the channels of this shape; the caller has checked that it fits into the
    /// shape.
    pub(super) fn square(self, size: u16) -> Self {
        Self { height: size, width: size, ..self }
    }

    /// A square as it enters an info string: u16 size, u8 channels, big-endian.
    pub(super) fn to_square_info(self) -> [u8; 3] {
        let [s1, s0] = self.height.to_be_bytes();
        [s1, s0, self.channels]
    }
}

impl fmt::Display for ImageShape {
    /// `3x32x32`, channels first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.channels, self.height, self.width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_are_inclusive() {
        assert_eq!(ImageShape::new(1, 1, 1).unwrap().values(), 1);
        assert_eq!(ImageShape::new(4, 16_384, 16_384).unwrap().values(), 1 << 30);
        for (channels, height, width) in [
            (0, 1, 1),
            (1, 0, 1),
            (1, 1, 0),
            (5, 1, 1),
            (1, 16_385, 1),
            (1, 1, 16_385),
            (usize::MAX, usize::MAX, usize::MAX),
        ] {
            let error = ImageShape::new(channels, height, width).unwrap_err();
            assert!(matches!(error, TriggerError::Shape { .. }));
        }
    }

    #[test]
    fn info_is_big_endian() {
        let shape = ImageShape::new(3, 258, 16_384).unwrap();
        assert_eq!(shape.to_info(), [3, 1, 2, 0x40, 0]);
        assert_eq!(shape.square(64).to_square_info(), [0, 64, 3]);
    }
}
