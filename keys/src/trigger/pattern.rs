//! A trigger spread over an image.

use zeroize::Zeroize;

/// A [`Trigger`](crate::Trigger) as integers for each value of an image, in `[channel, row,
/// column]` order. Wiped when dropped.
///
/// On pixels x in [0, 1] a triggered image is
///
/// - `Additive(d)`: min(max(x + d / 255, 0), 1),
/// - `Opaque { values, mask }`: values / 255 where the mask is set, x elsewhere.
///
/// For x that are 8-bit values divided by 255 this is, but for the rounding of the floats, what
/// [`Trigger::apply`](crate::Trigger::apply) gives.
pub enum Pattern {
    /// What is added, in steps of 1/255: plus or minus the amplitude.
    Additive(Vec<i8>),
    /// What replaces the image.
    Opaque {
        /// 8-bit values, 0 outside the mask.
        values: Vec<u8>,
        /// Which values are replaced. It follows from public sizes and is no secret.
        mask: Vec<bool>,
    },
}

impl Drop for Pattern {
    fn drop(&mut self) {
        match self {
            Self::Additive(deltas) => deltas.zeroize(),
            Self::Opaque { values, .. } => values.zeroize(),
        }
    }
}
