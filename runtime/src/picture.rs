//! Pictures as the models see them: 8-bit planar pixels, decoded from files here and nowhere else.

mod decode;
mod error;
mod framing;
mod jpeg;
#[cfg(feature = "render")]
mod save;

use std::path::Path;

use image::imageops::{self, FilterType};
use image::{ImageBuffer, Luma, Primitive};

pub use error::PictureError;
pub use framing::Framing;

/// Longest side of a picture, in pixels: what JPEG can state.
pub const MAX_SIDE: usize = 65_535;
/// Most pixels of a picture, 64 Mi: beyond any camera that feeds a small classifier, and 192 MiB as
/// RGB.
pub const MAX_PIXELS: usize = 64 << 20;

/// Names of the formats that are read.
#[cfg(feature = "formats")]
pub const FORMATS: &[&str] = &["PNG", "JPEG", "WebP", "BMP", "TIFF", "GIF"];
/// Names of the formats that are read.
#[cfg(not(feature = "formats"))]
pub const FORMATS: &[&str] = &["PNG", "JPEG"];

/// A picture of 8-bit pixels.
///
/// # Shapes
/// `[channels, height, width]`, planar and row-major, with 1 channel (grey) or 3 (red, green,
/// blue), values 0 to 255, sRGB-encoded as in the file. Every axis has at least one element. A picture
/// whose file has more bits keeps them beside, values 0 to 65,535.
/// Scaling to `[0, 1]` is the model's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    channels: usize,
    height: usize,
    width: usize,
    pixels: Vec<u8>,
    /// The same in 16 bits, where the file has more than 8.
    fine: Option<Vec<u16>>,
}

impl Picture {
    /// Opens a file in one of the [`FORMATS`], of any mode, told by its content, as a picture with
    /// `channels` channels; of an animation or of several pages the first.
    ///
    /// The conversion is fixed: palettes are resolved; samples of more bits are rounded to 8, and kept
    /// beside as [`levels`](Self::levels); what is transparent is laid over white; the orientation in the file's Exif data is applied; grey
    /// becomes RGB by repetition and RGB becomes grey by the BT.601 luma of the encoded values,
    /// rounded, as PIL, OpenCV, Keras and TensorFlow make it. Colour profiles are ignored.
    ///
    /// # Errors
    /// [`PictureError`] for a file that cannot be read, is no picture, is cut off or damaged, is
    /// larger than [`MAX_SIDE`] or [`MAX_PIXELS`], and for `channels` other than 1 and 3.
    pub fn open(path: &Path, channels: usize) -> Result<Self, PictureError> {
        let bytes = decode::read_file(path)?;
        Self::decode(&bytes, path, channels)
    }

    /// Decodes the bytes of such a file as [`open`](Self::open) does; `origin` is the name
    /// that errors give.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn decode(bytes: &[u8], origin: &Path, channels: usize) -> Result<Self, PictureError> {
        check_channels(channels)?;
        let decode::Decoded { rgb, fine } = decode::decode(bytes, origin)?;
        let (height, width) = (rgb.height() as usize, rgb.width() as usize);
        let pixels = planes_first(rgb.as_raw());
        let fine = fine.map(|fine| planes_first(fine.as_raw()));
        if channels == 3 {
            return Ok(Self { channels, height, width, pixels, fine });
        }
        let (pixels, fine) = (luma(&pixels), fine.map(|fine| luma(&fine)));
        Ok(Self { channels, height, width, pixels, fine })
    }

    /// A picture of these pixels.
    ///
    /// # Shapes
    /// `pixels`: `[channels, height, width]`, planar.
    ///
    /// # Errors
    /// [`PictureError`] for `channels` other than 1 and 3, sides of 0 or above the limits, and a
    /// length other than `channels · height · width`.
    pub fn from_planar(
        channels: usize,
        height: usize,
        width: usize,
        pixels: Vec<u8>,
    ) -> Result<Self, PictureError> {
        check_channels(channels)?;
        check_size(height, width)?;
        let expected = channels * height * width;
        if pixels.len() != expected {
            return Err(PictureError::Length { expected, found: pixels.len() });
        }
        Ok(Self { channels, height, width, pixels, fine: None })
    }

    /// Number of channels: 1 or 3.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The pixels, `[channels, height, width]`.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The pixels, `[channels, height, width]`, without a copy.
    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }

    /// The pixels in 16 bits, `[channels, height, width]`, 0 to 65,535, where the file has more than 8.
    pub fn levels(&self) -> Option<&[u16]> {
        self.fine.as_deref()
    }

    /// The picture stretched to `height` rows and `width` columns; the aspect ratio is not kept.
    ///
    /// Triangle filter (bilinear, widened when shrinking so that no pixel is skipped) on the
    /// encoded values, each channel on its own. A picture that already has the size is returned bit
    /// by bit.
    ///
    /// # Errors
    /// [`PictureError`] for sides of 0 or above the limits.
    pub fn resize_to(self, height: usize, width: usize) -> Result<Self, PictureError> {
        check_size(height, width)?;
        if (height, width) == (self.height, self.width) {
            return Ok(self);
        }
        let (from, to) = ((self.height, self.width), (height, width));
        let pixels = resize_planes(&self.pixels, from, to);
        let fine = self.fine.as_deref().map(|fine| resize_planes(fine, from, to));
        Ok(Self { height, width, pixels, fine, ..self })
    }

    /// BT.601 luma of the encoded values, `[height, width]`, in steps of 2^-16 and rounded, as PIL has
    /// it; the pixels themselves of a grey picture.
    #[cfg(feature = "render")]
    pub(crate) fn luma(&self) -> Vec<u8> {
        if self.channels == 1 {
            return self.pixels.clone();
        }
        luma(&self.pixels)
    }

    /// The pixels as `[height, width, 3]`, grey repeated.
    #[cfg(feature = "render")]
    pub(crate) fn to_rgb(&self) -> Vec<u8> {
        let area = self.height * self.width;
        let channel_step = if self.channels == 1 { 0 } else { area };
        (0..area)
            .flat_map(|at| [0, 1, 2].map(|channel| self.pixels[at + channel * channel_step]))
            .collect()
    }
}

/// BT.601 luma of planes of red, green and blue, in steps of 2^-16 and rounded.
fn luma<T: Primitive>(planes: &[T]) -> Vec<T> {
    let area = planes.len() / 3;
    let number = |sample: T| sample.to_u32().expect("samples are not negative");
    let mixed = |at: usize| {
        let [red, green, blue] = [0, 1, 2].map(|plane| number(planes[plane * area + at]));
        let sum = 19_595 * red + 38_470 * green + 7_471 * blue + 32_768;
        T::from(sum >> 16).expect("a mean of samples is in their range")
    };
    (0..area).map(mixed).collect()
}

/// From `[height, width, 3]` to `[3, height, width]`.
fn planes_first<T: Copy>(rgb: &[T]) -> Vec<T> {
    (0..3).flat_map(|channel| rgb.iter().skip(channel).step_by(3)).copied().collect()
}

/// Resizes `[height, width]` planes; sizes are `(height, width)`.
fn resize_planes<T>(planes: &[T], from: (usize, usize), to: (usize, usize)) -> Vec<T>
where
    T: Primitive + 'static,
    Luma<T>: image::Pixel<Subpixel = T>,
{
    let resized = planes.chunks_exact(from.0 * from.1).flat_map(|plane| {
        let image = ImageBuffer::from_fn(from.1 as u32, from.0 as u32, |x, y| {
            Luma([plane[y as usize * from.1 + x as usize]])
        });
        imageops::resize(&image, to.1 as u32, to.0 as u32, FilterType::Triangle).into_raw()
    });
    resized.collect()
}

fn check_channels(channels: usize) -> Result<(), PictureError> {
    match channels {
        1 | 3 => Ok(()),
        found => Err(PictureError::Channels { found }),
    }
}

fn check_size(height: usize, width: usize) -> Result<(), PictureError> {
    if height == 0 || width == 0 {
        return Err(PictureError::Empty { height, width });
    }
    if fits(height, width) {
        Ok(())
    } else {
        Err(PictureError::TooLarge { path: None, height, width })
    }
}

/// Whether a picture of this size is within the limits.
fn fits(height: usize, width: usize) -> bool {
    height <= MAX_SIDE && width <= MAX_SIDE && height.saturating_mul(width) <= MAX_PIXELS
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn ramp(channels: usize, height: usize, width: usize) -> Picture {
        let pixels = (0..channels * height * width).map(|i| (i * 7 % 256) as u8).collect();
        Picture::from_planar(channels, height, width, pixels).unwrap()
    }

    #[test]
    fn pixels_survive_a_png_file_bit_by_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture.png");
        for (channels, height, width) in [(1, 1, 1), (3, 1, 1), (1, 5, 9), (3, 9, 5)] {
            let picture = ramp(channels, height, width);
            picture.save_png(&path).unwrap();
            assert_eq!(Picture::open(&path, channels).unwrap(), picture);
        }
    }

    #[test]
    fn a_grey_file_opens_as_rgb_with_equal_planes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("grey.png");
        let grey = ramp(1, 3, 4);
        grey.save_png(&path).unwrap();
        let rgb = Picture::open(&path, 3).unwrap();
        assert!(rgb.pixels().chunks_exact(12).all(|plane| plane == grey.pixels()));
    }

    #[test]
    fn an_rgb_file_opens_as_grey_by_its_luma() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rgb.png");
        let rgb = Picture::from_planar(3, 1, 4, vec![255, 0, 0, 90, 0, 255, 0, 90, 0, 0, 255, 90])
            .unwrap();
        rgb.save_png(&path).unwrap();
        // 255 times .299, .587 and .114, rounded.
        assert_eq!(Picture::open(&path, 1).unwrap().pixels(), [76, 150, 29, 90]);
    }

    #[test]
    fn the_same_size_changes_no_pixel() {
        let picture = ramp(3, 6, 7);
        assert_eq!(picture.clone().resize_to(6, 7).unwrap(), picture);
    }

    #[test]
    fn a_flat_picture_stays_flat_at_any_size() {
        for (height, width) in [(1, 1), (3, 90), (64, 2)] {
            let resized = Picture::from_planar(3, 9, 8, vec![77; 216])
                .unwrap()
                .resize_to(height, width)
                .unwrap();
            assert_eq!(
                resized,
                Picture::from_planar(3, height, width, vec![77; 3 * height * width]).unwrap()
            );
        }
    }

    #[test]
    fn halving_averages_without_mixing_channels_or_axes() {
        let rows = [0, 0, 0, 0, 200, 200, 200, 200];
        let planes: Vec<u8> = rows.iter().copied().chain([50; 8]).chain([9; 8]).collect();
        let halved = Picture::from_planar(3, 4, 2, planes).unwrap().resize_to(2, 1).unwrap();
        let [top, bottom] = [halved.pixels()[0], halved.pixels()[1]];
        assert!(top < 60 && bottom > 140 && top + bottom == 200, "{top} {bottom}");
        assert_eq!(halved.pixels()[2..], [50, 50, 9, 9]);
    }

    #[test]
    fn a_failed_save_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing").join("picture.png");
        let error = ramp(1, 2, 2).save_png(&path).unwrap_err();
        assert!(matches!(error, PictureError::Write { .. }), "{error}");
        assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
    }

    #[test]
    fn impossible_pictures_are_refused() {
        let of = |channels, height, width, length| {
            Picture::from_planar(channels, height, width, vec![0; length])
        };
        assert!(matches!(of(2, 1, 1, 2), Err(PictureError::Channels { found: 2 })));
        assert!(matches!(of(1, 0, 4, 0), Err(PictureError::Empty { height: 0, width: 4 })));
        assert!(matches!(of(3, 2, 2, 11), Err(PictureError::Length { expected: 12, found: 11 })));
        assert!(matches!(of(3, usize::MAX, usize::MAX, 0), Err(PictureError::TooLarge { .. })));
        assert!(matches!(of(1, MAX_SIDE + 1, 1, 0), Err(PictureError::TooLarge { .. })));
        assert!(matches!(ramp(1, 2, 2).resize_to(0, 3), Err(PictureError::Empty { .. })));
        assert!(matches!(
            ramp(1, 2, 2).resize_to(60_000, 60_000),
            Err(PictureError::TooLarge { .. })
        ));
    }
}
