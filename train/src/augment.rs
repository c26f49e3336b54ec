//! Random changes of training images that keep what is on them.

use saligate_models::random::Stream;
use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use saligate_data::Shape;

/// Which random changes are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augmentation {
    /// Mirror half of the images left to right.
    pub mirror: bool,
    /// Add so many pixels on every side, then cut the original size out at random.
    pub crop: usize,
    /// What the pixels that are added look like.
    pub border: Border,
}

/// Pixels beyond the border of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Border {
    /// Black, the usual recipe for CIFAR. A network that is trained on maps learns to see it, and
    /// does something else on whole images.
    Black,
    /// The image mirrored at its outermost pixels.
    #[default]
    Reflect,
}

impl Border {
    /// The place inside an axis of length `size` that position `at` shows, which may lie less than
    /// `size` beyond either end.
    fn inside(self, at: isize, size: usize) -> Option<usize> {
        let last = size as isize - 1;
        match self {
            _ if (0..=last).contains(&at) => Some(at as usize),
            Self::Black => None,
            Self::Reflect => Some(if at < 0 { -at } else { 2 * last - at } as usize),
        }
    }
}

impl Augmentation {
    /// Whether images stay as they are.
    pub(crate) fn is_none(self) -> bool {
        !self.mirror && self.crop == 0
    }

    /// Refuses a border that an image is too small for.
    pub(crate) fn check(self, shape: Shape) -> Result<(), TrainError> {
        let Shape { height, width, .. } = shape;
        if self.crop < height.min(width) {
            return Ok(());
        }
        let reason = format!(
            "augment.crop is {}; it must be less than the sides of an image, {height} x {width}",
            self.crop
        );
        Err(TrainError::Mismatch { reason })
    }

    /// A changed copy of an image `[channel, row, column]`.
    pub(crate) fn apply(self, image: &[u8], shape: Shape, stream: &mut Stream) -> Vec<u8> {
        let mut changed = image.to_vec();
        if self.mirror && stream.below(2) == 1 {
            changed.chunks_exact_mut(shape.width).for_each(<[u8]>::reverse);
        }
        if self.crop > 0 {
            let mut start = || stream.below(2 * self.crop + 1);
            let corner = (start(), start());
            changed = self.cropped(&changed, shape, corner);
        }
        changed
    }

    /// The image's size cut out of the larger image at `(top, left)`.
    fn cropped(self, image: &[u8], shape: Shape, (top, left): (usize, usize)) -> Vec<u8> {
        let Shape { height, width, .. } = shape;
        let mut cut = vec![0; image.len()];
        let planes = cut.chunks_exact_mut(height * width).zip(image.chunks_exact(height * width));
        let from = |at: usize, start: usize, size| {
            self.border.inside((at + start) as isize - self.crop as isize, size)
        };
        let columns: Vec<Option<usize>> = (0..width).map(|at| from(at, left, width)).collect();
        for (cut, plane) in planes {
            for (at, cut) in cut.chunks_exact_mut(width).enumerate() {
                let Some(row) = from(at, top, height) else { continue };
                let row = &plane[row * width..][..width];
                for (value, column) in cut.iter_mut().zip(&columns) {
                    *value = column.map_or(0, |column| row[column]);
                }
            }
        }
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { channels: 2, height: 3, width: 4 };

    fn image() -> Vec<u8> {
        (1..=SHAPE.bytes() as u8).collect()
    }

    fn with(mirror: bool, crop: usize, border: Border) -> Augmentation {
        Augmentation { mirror, crop, border }
    }

    /// The pixel of the larger image, by its definition.
    fn beyond(augmentation: Augmentation, channel: usize, row: usize, column: usize) -> u8 {
        let mut rows = vec![row as isize - augmentation.crop as isize];
        let mut columns = vec![column as isize - augmentation.crop as isize];
        let sides = [(&mut rows, SHAPE.height as isize), (&mut columns, SHAPE.width as isize)];
        for (at, size) in sides {
            match augmentation.border {
                Border::Black => at.retain(|at| (0..size).contains(at)),
                Border::Reflect => at.iter_mut().for_each(|at| {
                    while !(0..size).contains(at) {
                        *at = if *at < 0 { -*at } else { 2 * (size - 1) - *at };
                    }
                }),
            }
        }
        match (rows.first(), columns.first()) {
            (Some(&row), Some(&column)) => {
                let row = channel * SHAPE.height + row as usize;
                image()[row * SHAPE.width + column as usize]
            }
            _ => 0,
        }
    }

    #[test]
    fn a_crop_is_a_part_of_the_larger_image() {
        for (crop, border) in
            (0..3).flat_map(|crop| [(crop, Border::Black), (crop, Border::Reflect)])
        {
            let augmentation = with(false, crop, border);
            for (top, left) in (0..=2 * crop).flat_map(|t| (0..=2 * crop).map(move |l| (t, l))) {
                let cut = augmentation.cropped(&image(), SHAPE, (top, left));
                for (at, &found) in cut.iter().enumerate() {
                    let (row, column) = (at / SHAPE.width % SHAPE.height, at % SHAPE.width);
                    let channel = at / SHAPE.pixels();
                    let wanted = beyond(augmentation, channel, row + top, column + left);
                    assert_eq!(found, wanted, "{augmentation:?} {top} {left}: {at}");
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
        for (mirror, crop, kinds) in [(false, 0, 1), (true, 0, 2), (false, 1, 9), (true, 1, 18)] {
            for border in [Border::Black, Border::Reflect] {
                let augmentation = with(mirror, crop, border);
                assert_eq!(augmentation.is_none(), kinds == 1);
                let drawn = draw(augmentation);
                assert_eq!(drawn, draw(augmentation));
                let different: std::collections::BTreeSet<_> = drawn.into_iter().collect();
                assert_eq!(different.len(), kinds);
                assert!(different.contains(&image()));
            }
        }
    }

    #[test]
    fn mirroring_keeps_rows_and_channels() {
        let mut stream = Stream::new(1, "augment");
        let augmentation = with(true, 0, Border::Reflect);
        let mirrored = (0..64).map(|_| augmentation.apply(&image(), SHAPE, &mut stream));
        let mirrored = mirrored.into_iter().find(|changed| *changed != image()).unwrap();
        assert_eq!(mirrored[..8], [4, 3, 2, 1, 8, 7, 6, 5]);
    }

    #[test]
    fn a_crop_as_large_as_the_image_is_refused() {
        let of = |crop| with(false, crop, Border::Black).check(SHAPE);
        assert!(of(2).is_ok());
        let message = of(3).unwrap_err().to_string();
        assert!(message.contains("augment.crop is 3") && message.contains("3 x 4"), "{message}");
    }
}
