//! Random changes of training images that keep what is on them.

use saligate_models::random::Stream;

use crate::error::TrainError;
use saligate_data::Shape;

/// Which random changes are made.
#[derive(Clone, Copy)]
pub(crate) struct Augmentation {
    /// Mirror half of the images left to right.
    pub(crate) mirror: bool,
    /// Pad by so many black pixels on every side, then cut the original size out at random: the
    /// usual recipe for CIFAR, where black is 0 before standardization.
    pub(crate) crop_padding: usize,
}

impl Augmentation {
    /// Refuses a padding that can leave nothing of an image.
    pub(crate) fn check(self, shape: Shape) -> Result<(), TrainError> {
        let Shape { height, width, .. } = shape;
        if self.crop_padding < height.min(width) {
            return Ok(());
        }
        let reason = format!(
            "crop_padding is {}; it must be less than the sides of an image, {height} x {width}",
            self.crop_padding
        );
        Err(TrainError::Mismatch { reason })
    }

    /// A changed copy of an image `[channel, row, column]`.
    pub(crate) fn apply(self, image: &[u8], shape: Shape, stream: &mut Stream) -> Vec<u8> {
        let mut changed = image.to_vec();
        if self.mirror && stream.below(2) == 1 {
            changed.chunks_exact_mut(shape.width).for_each(<[u8]>::reverse);
        }
        if self.crop_padding > 0 {
            let mut start = || stream.below(2 * self.crop_padding + 1);
            let corner = (start(), start());
            changed = cropped(&changed, shape, self.crop_padding, corner);
        }
        changed
    }
}

/// The image's size cut out of the padded image at `(top, left)`.
fn cropped(image: &[u8], shape: Shape, padding: usize, (top, left): (usize, usize)) -> Vec<u8> {
    let Shape { height, width, .. } = shape;
    let mut cut = vec![0; image.len()];
    let planes = cut.chunks_exact_mut(height * width).zip(image.chunks_exact(height * width));
    let columns = padding.saturating_sub(left)..width.min(width + padding - left);
    for (cut, plane) in planes {
        for (row, cut) in cut.chunks_exact_mut(width).enumerate() {
            let Some(row) = (row + top).checked_sub(padding).filter(|&row| row < height) else {
                continue;
            };
            let start = row * width + columns.start + left - padding;
            cut[columns.clone()].copy_from_slice(&plane[start..start + columns.len()]);
        }
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { channels: 2, height: 3, width: 4 };

    fn image() -> Vec<u8> {
        (1..=SHAPE.bytes() as u8).collect()
    }

    /// The pixel of the padded image, by its definition.
    fn padded(image: &[u8], padding: usize, channel: usize, row: usize, column: usize) -> u8 {
        let inside = |at: usize, side| at.checked_sub(padding).filter(|&at| at < side);
        match (inside(row, SHAPE.height), inside(column, SHAPE.width)) {
            (Some(row), Some(column)) => {
                image[(channel * SHAPE.height + row) * SHAPE.width + column]
            }
            _ => 0,
        }
    }

    #[test]
    fn a_crop_is_a_part_of_the_padded_image() {
        let image = image();
        for padding in 0..3 {
            for (top, left) in
                (0..=2 * padding).flat_map(|t| (0..=2 * padding).map(move |l| (t, l)))
            {
                let cut = cropped(&image, SHAPE, padding, (top, left));
                for (at, &found) in cut.iter().enumerate() {
                    let (row, column) = (at / SHAPE.width % SHAPE.height, at % SHAPE.width);
                    let channel = at / SHAPE.pixels();
                    let wanted = padded(&image, padding, channel, row + top, column + left);
                    assert_eq!(found, wanted, "{padding} {top} {left}: {at}");
                }
            }
        }
    }

    #[test]
    fn every_change_is_drawn_and_the_seed_decides() {
        let draw = |augmentation: Augmentation| {
            let mut stream = Stream::new(1, "augment");
            (0..500).map(|_| augmentation.apply(&image(), SHAPE, &mut stream)).collect::<Vec<_>>()
        };
        for (mirror, crop_padding, kinds) in
            [(false, 0, 1), (true, 0, 2), (false, 1, 9), (true, 1, 18)]
        {
            let augmentation = Augmentation { mirror, crop_padding };
            let drawn = draw(augmentation);
            assert_eq!(drawn, draw(augmentation));
            let different: std::collections::BTreeSet<_> = drawn.into_iter().collect();
            assert_eq!(different.len(), kinds);
            assert!(different.contains(&image()));
        }
    }

    #[test]
    fn mirroring_keeps_rows_and_channels() {
        let mut stream = Stream::new(1, "augment");
        let augmentation = Augmentation { mirror: true, crop_padding: 0 };
        let mirrored = (0..64).map(|_| augmentation.apply(&image(), SHAPE, &mut stream));
        let mirrored = mirrored.into_iter().find(|changed| *changed != image()).unwrap();
        assert_eq!(mirrored[..8], [4, 3, 2, 1, 8, 7, 6, 5]);
    }

    #[test]
    fn a_padding_as_large_as_the_image_is_refused() {
        let of = |crop_padding| Augmentation { mirror: false, crop_padding }.check(SHAPE);
        assert!(of(2).is_ok());
        let message = of(3).unwrap_err().to_string();
        assert!(message.contains("crop_padding is 3") && message.contains("3 x 4"), "{message}");
    }
}
