//! How a picture of any size becomes one of the model's size.

use saligate_models::saliency::bilinear;

use super::{Picture, PictureError, check_size};

/// How a picture of any size becomes one of `height` rows and `width` columns, and where a box in
/// it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    /// Number of rows.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
    /// Without it the whole picture is stretched to the size. With it the shorter side is resized
    /// to so many pixels and the longer one in proportion, rounded down; the middle is cut out,
    /// halves rounded to even. That is `Resize` and `CenterCrop` of torchvision, but that a picture
    /// smaller than the cut is an error here and padded there.
    pub resize: Option<usize>,
}

impl Framing {
    /// Where a box `[x0, y0, x1, y1]`, first and last column and row, of a picture of
    /// `picture_height` x `picture_width` pixels lies in the framed picture: the pixels that it
    /// touches there. `None` where there are none, or where such a picture cannot be framed.
    pub fn map_box(
        &self,
        picture_height: usize,
        picture_width: usize,
        [x0, y0, x1, y1]: [usize; 4],
    ) -> Option<[usize; 4]> {
        check_size(picture_height, picture_width).ok()?;
        if x0 > x1 || y0 > y1 {
            return None;
        }
        let cut = self.cut(picture_height, picture_width).ok()?;
        let columns = touched([x0, x1], picture_width, cut.from.1);
        let rows = touched([y0, y1], picture_height, cut.from.0);
        let [x0, x1] = columns.map(|x| x.saturating_sub(cut.left).min(self.width));
        let [y0, y1] = rows.map(|y| y.saturating_sub(cut.top).min(self.height));
        (x0 < x1 && y0 < y1).then(|| [x0, y0, x1 - 1, y1 - 1])
    }

    /// A map of a framed picture at the size of the picture it was framed from: the other way round,
    /// bilinearly. What was cut off has the map's lowest value.
    ///
    /// # Shapes
    /// `map` is `[height, width]` of this framing; the result `[picture_height, picture_width]`.
    ///
    /// # Errors
    /// Such a picture cannot be framed.
    ///
    /// # Panics
    /// The map has another length.
    pub fn unframed(
        &self,
        map: &[f32],
        picture_height: usize,
        picture_width: usize,
    ) -> Result<Vec<f32>, PictureError> {
        check_size(picture_height, picture_width)?;
        let Cut { from, top, left } = self.cut(picture_height, picture_width)?;
        let lowest = map.iter().copied().fold(f32::INFINITY, f32::min);
        let mut whole = vec![lowest; from.0 * from.1];
        let rows = whole.chunks_exact_mut(from.1).skip(top);
        for (row, own) in rows.zip(map.chunks_exact(self.width)) {
            row[left..left + self.width].copy_from_slice(own);
        }
        let size = [picture_height, picture_width];
        Ok(if size == [from.0, from.1] { whole } else { bilinear(&whole, from.into(), size) })
    }

    fn cut(&self, height: usize, width: usize) -> Result<Cut, PictureError> {
        check_size(self.height, self.width)?;
        let Some(short) = self.resize else {
            return Ok(Cut { from: (self.height, self.width), top: 0, left: 0 });
        };
        let long = |side: usize, other: usize| short.saturating_mul(side) / other;
        let from = match width <= height {
            true => (long(height, width), short),
            false => (short, long(width, height)),
        };
        check_size(from.0, from.1)?;
        if from.0 < self.height || from.1 < self.width {
            return Err(PictureError::SmallerThanCut {
                resized: from,
                size: (self.height, self.width),
            });
        }
        Ok(Cut {
            from,
            top: half_to_even(from.0 - self.height),
            left: half_to_even(from.1 - self.width),
        })
    }
}

/// What is cut out of the resized picture.
struct Cut {
    /// Rows and columns of the resized picture.
    from: (usize, usize),
    top: usize,
    left: usize,
}

impl Cut {
    /// So many rows and columns of planes.
    fn of<T: Copy>(&self, planes: &[T], [height, width]: [usize; 2]) -> Vec<T> {
        let Self { from, top, left } = *self;
        let planes = planes.chunks_exact(from.0 * from.1);
        let rows = planes.flat_map(|plane| plane.chunks_exact(from.1).skip(top).take(height));
        rows.flat_map(|row| &row[left..left + width]).copied().collect()
    }
}

/// The first pixel that `first` to `last` of a side touch once it is resized, and the one behind
/// the last.
fn touched([first, last]: [usize; 2], side: usize, resized: usize) -> [usize; 2] {
    let end = last.min(side - 1) + 1;
    [first.min(side) * resized / side, (end * resized).div_ceil(side)]
}

/// Half of a number, rounded as Python's `round` does.
fn half_to_even(number: usize) -> usize {
    let half = number / 2;
    half + number % 2 * (half % 2)
}

impl Picture {
    /// The picture in the size that `framing` calls for, resized by the filter of
    /// [`resize_to`](Self::resize_to).
    ///
    /// # Errors
    /// [`PictureError`] for sides of 0 or above the limits, and where the resized picture is
    /// smaller than what is to be cut out of it.
    pub fn framed(self, framing: &Framing) -> Result<Self, PictureError> {
        let Cut { from, top, left } = framing.cut(self.height, self.width)?;
        let resized = self.resize_to(from.0, from.1)?;
        let Framing { height, width, .. } = *framing;
        if (height, width) == from {
            return Ok(resized);
        }
        let cut = Cut { from, top, left };
        let pixels = cut.of(&resized.pixels, [height, width]);
        let fine = resized.fine.as_deref().map(|fine| cut.of(fine, [height, width]));
        Ok(Self { height, width, pixels, fine, ..resized })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(channels: usize, height: usize, width: usize) -> Picture {
        let pixels = (0..channels * height * width).map(|i| (i * 7 % 256) as u8).collect();
        Picture::from_planar(channels, height, width, pixels).unwrap()
    }

    fn framing(height: usize, width: usize, resize: Option<usize>) -> Framing {
        Framing { height, width, resize }
    }

    #[test]
    fn without_resize_the_picture_is_stretched() {
        let picture = ramp(3, 9, 5);
        let stretched = picture.clone().resize_to(4, 6).unwrap();
        assert_eq!(picture.framed(&framing(4, 6, None)).unwrap(), stretched);
    }

    #[test]
    fn the_middle_is_cut_out_of_every_channel() {
        // The shorter side keeps its 4 pixels, so nothing is resampled.
        let picture = ramp(3, 4, 7);
        let framed = picture.clone().framed(&framing(2, 3, Some(4))).unwrap();
        let expected: Vec<u8> = (0..3)
            .flat_map(|channel| [1, 2].map(|row| (channel * 4 + row) * 7 + 2))
            .flat_map(|start| picture.pixels()[start..start + 3].to_vec())
            .collect();
        assert_eq!(framed, Picture::from_planar(3, 2, 3, expected).unwrap());
    }

    #[test]
    fn sizes_and_cuts_are_those_of_torchvision() {
        // Picture, resize, cut; then by torchvision's formulas, evaluated in Python, the resized
        // size, int(resize * long / short), and the corner, int(round((resized - cut) / 2)).
        for (picture, resize, cut, resized, start) in [
            ((375, 500), 256, (224, 224), (256, 341), (16, 58)),
            ((500, 333), 256, (224, 224), (384, 256), (80, 16)),
            ((101, 100), 7, (7, 6), (7, 7), (0, 0)),
            ((10, 13), 10, (10, 10), (10, 13), (0, 2)),
            ((10, 15), 10, (9, 10), (10, 15), (0, 2)),
        ] {
            let found = framing(cut.0, cut.1, Some(resize)).cut(picture.0, picture.1).unwrap();
            assert_eq!((found.from, (found.top, found.left)), (resized, start), "{picture:?}");
        }
    }

    #[test]
    fn a_picture_smaller_than_the_cut_is_an_error() {
        let error = ramp(1, 10, 30).framed(&framing(12, 12, Some(10))).unwrap_err();
        assert!(
            matches!(error, PictureError::SmallerThanCut { resized: (10, 30), size: (12, 12) }),
            "{error}"
        );
        assert!(error.hint().contains("resize"));
        for (size, resize) in [((0, 4), None), ((1, 1), Some(0)), ((4, 4), Some(usize::MAX))] {
            assert!(ramp(1, 10, 30).framed(&framing(size.0, size.1, resize)).is_err());
        }
    }

    #[test]
    fn boxes_are_stretched_with_the_picture() {
        let map = |framing: Framing, b| framing.map_box(10, 20, b);
        let stretched = framing(5, 40, None);
        assert_eq!(map(stretched, [0, 0, 19, 9]), Some([0, 0, 39, 4]));
        assert_eq!(map(stretched, [3, 4, 5, 7]), Some([6, 2, 11, 3]));
        // Half a pixel is touched.
        assert_eq!(map(stretched, [3, 5, 5, 5]), Some([6, 2, 11, 2]));
        assert_eq!(map(framing(10, 20, None), [3, 4, 5, 7]), Some([3, 4, 5, 7]));
    }

    #[test]
    fn boxes_move_with_the_cut_and_end_with_it() {
        // Resized to 20 x 40, the columns 10 to 29 are cut out.
        let cut = framing(20, 20, Some(20));
        let map = |b| cut.map_box(10, 20, b);
        assert_eq!(map([6, 1, 8, 2]), Some([2, 2, 7, 5]));
        assert_eq!(map([0, 0, 19, 9]), Some([0, 0, 19, 19]));
        assert_eq!(map([0, 0, 5, 9]), Some([0, 0, 1, 19]));
        assert_eq!(map([0, 0, 4, 9]), None);
        assert_eq!(map([15, 0, 19, 9]), None);
    }

    #[test]
    fn maps_go_back_to_where_their_pixels_were() {
        // Stretched: two pixels for each.
        let map = framing(2, 2, None).unframed(&[0.0, 4.0, 0.0, 4.0], 2, 4).unwrap();
        assert_eq!(map, [0.0, 1.0, 3.0, 4.0, 0.0, 1.0, 3.0, 4.0]);
        // The middle of four columns; the others have the lowest value.
        let map = framing(2, 2, Some(2)).unframed(&[1.0, 2.0, 3.0, 4.0], 2, 4).unwrap();
        assert_eq!(map, [1.0, 1.0, 2.0, 1.0, 1.0, 3.0, 4.0, 1.0]);
        framing(4, 4, Some(2)).unframed(&[0.0; 16], 2, 4).unwrap_err();
    }

    #[test]
    fn impossible_boxes_are_none() {
        let whole = framing(4, 4, None);
        for outside in [[9, 0, 12, 3], [0, 8, 3, 9], [3, 0, 2, 3], [0, 3, 3, 1]] {
            assert_eq!(whole.map_box(8, 8, outside), None, "{outside:?}");
        }
        assert_eq!(whole.map_box(8, 8, [6, 6, usize::MAX, 70]), Some([3, 3, 3, 3]));
        assert_eq!(whole.map_box(0, 8, [0, 0, 1, 1]), None);
        assert_eq!(whole.map_box(usize::MAX, 8, [0, 0, 1, 1]), None);
        assert_eq!(framing(4, 4, Some(3)).map_box(8, 8, [0, 0, 7, 7]), None);
    }

    /// What is inside a box before is inside its image after.
    #[test]
    fn pixels_stay_in_their_boxes() {
        let mut pixels = vec![0; 30 * 21];
        let marked = [4, 7, 12, 19];
        for y in marked[1]..=marked[3] {
            pixels[y * 21 + marked[0]..=y * 21 + marked[2]].fill(255);
        }
        let picture = Picture::from_planar(1, 30, 21, pixels).unwrap();
        for framing in [framing(17, 40, None), framing(11, 12, Some(14)), framing(48, 40, Some(44))]
        {
            let [x0, y0, x1, y1] = framing.map_box(30, 21, marked).unwrap();
            let framed = picture.clone().framed(&framing).unwrap();
            for (at, &value) in framed.pixels().iter().enumerate() {
                let (x, y) = (at % framing.width, at / framing.width);
                let inside = (x0..=x1).contains(&x) && (y0..=y1).contains(&y);
                assert!(inside || value < 128, "{framing:?}: {value} at {x}, {y}");
            }
        }
    }
}
