//! PNG files in memory.

use std::io;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

use super::{Canvas, RenderError};

/// The bytes of a PNG file of the canvas, 8-bit RGB.
///
/// # Errors
/// [`RenderError::Encode`] if the encoder fails.
pub fn png_bytes(canvas: &Canvas) -> Result<Vec<u8>, RenderError> {
    encode_png(canvas.rgb(), canvas.height(), canvas.width(), ExtendedColorType::Rgb8)
        .map_err(|source| RenderError::Encode { source })
}

/// The bytes of a PNG file of row-major `samples` in this `mode`. Sides above 32 bits and sample
/// counts that do not match are an error.
pub(crate) fn encode_png(
    samples: &[u8],
    height: usize,
    width: usize,
    mode: ExtendedColorType,
) -> io::Result<Vec<u8>> {
    let (Ok(width), Ok(height)) = (u32::try_from(width), u32::try_from(height)) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    // The encoder panics on the wrong number of samples.
    let expected = u64::from(mode.bits_per_pixel()) / 8 * u64::from(width) * u64::from(height);
    if samples.len() as u64 != expected {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes)
        .write_image(samples, width, height, mode)
        .map_err(io::Error::other)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_survive() {
        let canvas = Canvas::from_rgb(2, 3, (0..18).map(|i| i * 13).collect()).unwrap();
        let decoded = image::load_from_memory(&png_bytes(&canvas).unwrap()).unwrap().into_rgb8();
        assert_eq!(decoded.dimensions(), (3, 2));
        assert_eq!(decoded.into_raw(), canvas.rgb());
    }

    #[test]
    fn the_same_canvas_gives_the_same_bytes() {
        let canvas = Canvas::filled(40, 50, [10, 20, 30]).unwrap();
        assert_eq!(png_bytes(&canvas).unwrap(), png_bytes(&canvas.clone()).unwrap());
    }

    #[test]
    fn a_wrong_number_of_samples_is_an_error() {
        assert!(encode_png(&[0; 5], 2, 3, ExtendedColorType::L8).is_err());
    }
}
