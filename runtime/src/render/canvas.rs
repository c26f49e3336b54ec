//! The surface that everything is drawn on.

use std::path::Path;

use saligate_files::atomic::write_atomic;

use super::{RenderError, png_bytes};
use crate::picture::Picture;

/// Most pixels of a canvas, 64 Mi: 192 MiB of memory.
pub(super) const MAX_PIXELS: usize = 64 << 20;

/// An sRGB colour: red, green, blue.
pub(super) type Rgb = [u8; 3];

/// A drawing for people: 8-bit sRGB pixels, at least one.
///
/// # Shapes
/// `[height, width, 3]`, row-major, the three colours of a pixel side by side, values 0 to 255.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canvas {
    height: usize,
    width: usize,
    rgb: Vec<u8>,
}

impl Canvas {
    /// A canvas of these pixels.
    ///
    /// # Shapes
    /// `rgb`: `[height, width, 3]`.
    ///
    /// # Errors
    /// [`RenderError`] for sides of 0, more than 64 Mi pixels, and a length other than `height ·
    /// width · 3`.
    pub fn from_rgb(height: usize, width: usize, rgb: Vec<u8>) -> Result<Self, RenderError> {
        let expected = 3 * check_size(height, width)?;
        if rgb.len() != expected {
            return Err(RenderError::Length { expected, found: rgb.len() });
        }
        Ok(Self { height, width, rgb })
    }

    /// A canvas of one colour.
    pub(super) fn filled(height: usize, width: usize, colour: Rgb) -> Result<Self, RenderError> {
        let pixels = check_size(height, width)?;
        Ok(Self { height, width, rgb: colour.repeat(pixels) })
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The pixels, `[height, width, 3]`.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// The canvas enlarged by the whole factor that brings its longer side nearest below `side`
    /// pixels, each pixel becoming a square; larger canvases stay as they are.
    ///
    /// # Errors
    /// [`RenderError::TooLarge`].
    pub fn enlarged(&self, side: usize) -> Result<Self, RenderError> {
        let factor = (side / self.height.max(self.width)).max(1);
        let mut large = Self::filled(self.height * factor, self.width * factor, [0; 3])?;
        large.paste(0, 0, self, factor);
        Ok(large)
    }

    /// Writes the canvas as a lossless PNG file, whole or not at all.
    ///
    /// # Errors
    /// [`RenderError::Write`] if the file cannot be written; what was at the path is then still
    /// there.
    pub fn save_png(&self, path: &Path) -> Result<(), RenderError> {
        let bytes = png_bytes(self)?;
        write_atomic(path, &bytes)
            .map_err(|source| RenderError::Write { path: path.to_owned(), source })
    }

    /// Colours a rectangle; what lies outside the canvas is left out.
    pub(super) fn fill(
        &mut self,
        top: usize,
        left: usize,
        height: usize,
        width: usize,
        colour: Rgb,
    ) {
        let right = left.saturating_add(width).min(self.width);
        let bottom = top.saturating_add(height).min(self.height);
        for row in top..bottom {
            for column in left..right {
                self.pixel(row, column).copy_from_slice(&colour);
            }
        }
    }

    /// Draws `canvas`, each of its pixels as a square of `factor` pixels; what lies outside is left
    /// out.
    pub(super) fn paste(&mut self, top: usize, left: usize, canvas: &Self, factor: usize) {
        for (at, colour) in canvas.rgb.as_chunks::<3>().0.iter().enumerate() {
            let (row, column) = (at / canvas.width, at % canvas.width);
            self.fill(top + row * factor, left + column * factor, factor, factor, *colour);
        }
    }

    /// Covers a share of a pixel, in `[0, 1]`, with a colour; outside the canvas there is nothing
    /// to cover.
    pub(super) fn blend(&mut self, row: usize, column: usize, colour: Rgb, share: f32) {
        if row < self.height && column < self.width {
            for (value, above) in self.pixel(row, column).iter_mut().zip(colour) {
                *value = mix(*value, above, share);
            }
        }
    }

    fn pixel(&mut self, row: usize, column: usize) -> &mut [u8] {
        let start = 3 * (row * self.width + column);
        &mut self.rgb[start..start + 3]
    }
}

impl From<&Picture> for Canvas {
    /// The picture's pixels, grey repeated. Its limits are those of a canvas.
    fn from(picture: &Picture) -> Self {
        Self { height: picture.height(), width: picture.width(), rgb: picture.to_rgb() }
    }
}

/// `above` with this weight, in `[0, 1]`, over `below`.
pub(super) fn mix(below: u8, above: u8, weight: f32) -> u8 {
    (f32::from(below) * (1.0 - weight) + f32::from(above) * weight).round() as u8
}

/// The number of pixels, if a canvas may have it.
pub(super) fn check_size(height: usize, width: usize) -> Result<usize, RenderError> {
    match height.checked_mul(width) {
        Some(0) => Err(RenderError::Empty),
        Some(pixels) if pixels <= MAX_PIXELS => Ok(pixels),
        _ => Err(RenderError::TooLarge { height, width }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INK: Rgb = [1, 2, 3];

    #[test]
    fn a_rectangle_is_clipped_at_the_edge() {
        let mut canvas = Canvas::filled(2, 3, [0; 3]).unwrap();
        canvas.fill(1, 2, 9, usize::MAX, INK);
        canvas.fill(7, 7, 1, 1, INK);
        let inked: Vec<bool> =
            canvas.rgb().as_chunks::<3>().0.iter().map(|pixel| *pixel == INK).collect();
        assert_eq!(inked, [false, false, false, false, false, true]);
    }

    #[test]
    fn a_pasted_pixel_becomes_a_square() {
        let small = Canvas::from_rgb(1, 2, vec![1, 2, 3, 9, 9, 9]).unwrap();
        let mut canvas = Canvas::filled(3, 5, [0; 3]).unwrap();
        canvas.paste(1, 0, &small, 2);
        let row = [INK, INK, [9; 3], [9; 3], [0; 3]].concat();
        assert_eq!(canvas.rgb(), [[0; 15].to_vec(), row.clone(), row].concat());
    }

    #[test]
    fn a_picture_becomes_its_pixels() {
        let rgb = Picture::from_planar(3, 1, 2, vec![1, 4, 2, 5, 3, 6]).unwrap();
        assert_eq!(Canvas::from(&rgb).rgb(), [1, 2, 3, 4, 5, 6]);
        let grey = Picture::from_planar(1, 2, 1, vec![7, 8]).unwrap();
        assert_eq!(Canvas::from(&grey), Canvas::from_rgb(2, 1, vec![7, 7, 7, 8, 8, 8]).unwrap());
    }

    #[test]
    fn impossible_sizes_are_refused() {
        assert!(matches!(Canvas::filled(0, 5, INK), Err(RenderError::Empty)));
        assert!(matches!(Canvas::filled(usize::MAX, 2, INK), Err(RenderError::TooLarge { .. })));
        assert!(matches!(Canvas::filled(MAX_PIXELS, 2, INK), Err(RenderError::TooLarge { .. })));
        let short = Canvas::from_rgb(1, 1, vec![0; 2]);
        assert!(matches!(short, Err(RenderError::Length { expected: 3, found: 2 })));
    }
}
