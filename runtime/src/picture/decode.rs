//! From the bytes of a file to RGB pixels, within bounds on time and memory.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use image::{
    ColorType, DynamicImage, ImageBuffer, ImageDecoder, ImageError, ImageFormat, ImageReader,
    Limits, Rgb, RgbImage,
};

use super::{MAX_PIXELS, PictureError, fits, jpeg};

/// Longest file that is read: 4 bytes for each of the most pixels.
const MAX_FILE_BYTES: u64 = 4 * MAX_PIXELS as u64;
/// Most memory a decoder may take: 8 bytes for each of the most pixels (16-bit RGBA) and as much
/// again to work with.
const MAX_DECODER_BYTES: u64 = 16 * MAX_PIXELS as u64;
/// What shows through where a picture is transparent.
const BACKGROUND: u8 = 255;

/// Reads a file up to the longest length that is decoded.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, PictureError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|source| PictureError::Read { path: path.to_owned(), source })?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(PictureError::FileTooLong { path: path.to_owned(), limit: MAX_FILE_BYTES });
    }
    Ok(bytes)
}

/// A picture as its file has it, upright and opaque.
#[derive(Debug)]
pub(super) struct Decoded {
    /// Samples of 8 bits.
    pub(super) rgb: RgbImage,
    /// The samples themselves, where they have more than 8 bits, of 16.
    pub(super) fine: Option<ImageBuffer<Rgb<u16>, Vec<u16>>>,
}

/// Decodes a file in one of the [formats](super::FORMATS), upright and opaque; of several frames or
/// pages the first.
pub(super) fn decode(bytes: &[u8], origin: &Path) -> Result<Decoded, PictureError> {
    let not_a_picture = || PictureError::NotAPicture { path: origin.to_owned() };
    let format = image::guess_format(bytes).map_err(|_| not_a_picture())?;
    match format {
        ImageFormat::Png => {}
        // The decoder paints what is missing grey instead of failing.
        ImageFormat::Jpeg if !jpeg::is_complete(bytes) => {
            let cut_off = || PictureError::CutOff { path: origin.to_owned() };
            return if jpeg::has_all_scans(bytes) {
                unended(bytes, origin).ok_or_else(cut_off)
            } else {
                Err(cut_off())
            };
        }
        ImageFormat::Jpeg => {}
        #[cfg(feature = "formats")]
        ImageFormat::Bmp | ImageFormat::Gif | ImageFormat::Tiff | ImageFormat::WebP => {}
        _ => return Err(not_a_picture()),
    }

    decoded(bytes, format, origin)
}

/// A JPEG file that lacks its end marker and nothing else: whatever is put behind its data, the pixels
/// are the same. Where data are missing, they are read from there.
fn unended(bytes: &[u8], origin: &Path) -> Option<Decoded> {
    /// Bits of either kind at every place, and no marker.
    const TAILS: [u8; 4] = [0x00, 0x55, 0xAA, 0xFE];
    /// More bytes than a block of coefficients takes.
    const LENGTH: usize = 1024;
    // The first half of the marker may be there.
    let bytes = bytes.strip_suffix(&jpeg::END[..1]).unwrap_or(bytes);
    let with = |tail: &[u8]| {
        let whole = [bytes, tail, &jpeg::END].concat();
        decoded(&whole, ImageFormat::Jpeg, origin).ok()
    };
    let plain = with(&[])?;
    let same = |tail: u8| with(&[tail; LENGTH]).is_some_and(|found| found.rgb == plain.rgb);
    TAILS.into_iter().all(same).then_some(plain)
}

fn decoded(bytes: &[u8], format: ImageFormat, origin: &Path) -> Result<Decoded, PictureError> {
    let failure = |error: ImageError| decoder_failure(error, origin);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits());
    let mut decoder = reader.into_decoder().map_err(failure)?;
    let (width, height) = decoder.dimensions();
    if !fits(height as usize, width as usize) {
        return Err(PictureError::TooLarge {
            path: Some(origin.to_owned()),
            height: height as usize,
            width: width as usize,
        });
    }
    let orientation = decoder.orientation().map_err(failure)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(failure)?;
    image.apply_orientation(orientation);
    let deep = matches!(
        image.color(),
        ColorType::L16 | ColorType::La16 | ColorType::Rgb16 | ColorType::Rgba16
    );
    let fine = deep.then(|| opaque_fine(image.clone()));
    Ok(Decoded { rgb: opaque(image), fine })
}

fn limits() -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_DECODER_BYTES);
    limits
}

/// 8-bit RGB over the background.
fn opaque(image: DynamicImage) -> RgbImage {
    if !image.color().has_alpha() {
        return image.into_rgb8();
    }
    let image = image.into_rgba8();
    RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let [red, green, blue, alpha] = image.get_pixel(x, y).0;
        Rgb([red, green, blue].map(|value| over_background(value, alpha)))
    })
}

/// 16-bit RGB over the background.
fn opaque_fine(image: DynamicImage) -> ImageBuffer<Rgb<u16>, Vec<u16>> {
    if !image.color().has_alpha() {
        return image.into_rgb16();
    }
    let image = image.into_rgba16();
    ImageBuffer::from_fn(image.width(), image.height(), |x, y| {
        let [red, green, blue, alpha] = image.get_pixel(x, y).0.map(u64::from);
        let white = 257 * u64::from(BACKGROUND) * (65_535 - alpha);
        Rgb([red, green, blue].map(|value| ((value * alpha + white + 32_767) / 65_535) as u16))
    })
}

/// `value` with the weight `alpha / 255` over the background, rounded to nearest.
fn over_background(value: u8, alpha: u8) -> u8 {
    let alpha = u32::from(alpha);
    ((u32::from(value) * alpha + u32::from(BACKGROUND) * (255 - alpha) + 127) / 255) as u8
}

fn decoder_failure(error: ImageError, origin: &Path) -> PictureError {
    let path = origin.to_owned();
    match error {
        ImageError::IoError(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => {
            PictureError::CutOff { path }
        }
        error => PictureError::Damaged { path, source: Box::new(error) },
    }
}

#[cfg(all(test, feature = "formats"))]
mod formats;

#[cfg(test)]
mod tests {
    use super::*;
    use image::ExtendedColorType::{L8, L16, La8, La16, Rgb8, Rgb16, Rgba8, Rgba16};
    use image::codecs::jpeg::JpegEncoder;
    use image::codecs::png::PngEncoder;
    use image::{ExtendedColorType as Mode, ImageEncoder};

    fn png(samples: &[u8], height: u32, width: u32, mode: Mode) -> Vec<u8> {
        let mut bytes = Vec::new();
        PngEncoder::new(&mut bytes).write_image(samples, width, height, mode).unwrap();
        bytes
    }

    fn jpeg(samples: &[u8], width: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let height = samples.len() as u32 / width;
        let encoder = JpegEncoder::new_with_quality(&mut bytes, 100);
        encoder.write_image(samples, width, height, L8).unwrap();
        bytes
    }

    /// Dark on the left, bright on the right.
    fn halves() -> Vec<u8> {
        let samples: Vec<u8> = (0..24 * 16).map(|i| if i % 24 < 12 { 20 } else { 230 }).collect();
        jpeg(&samples, 24)
    }

    #[test]
    fn levels_between_those_of_8_bits_are_kept() {
        let fine = |samples: &[u16], mode| {
            let bytes: Vec<u8> = samples.iter().flat_map(|s| s.to_ne_bytes()).collect();
            let decoded = decode(&png(&bytes, 1, 1, mode), Path::new("file")).unwrap();
            decoded.fine.map(|fine| fine.get_pixel(0, 0).0)
        };
        assert_eq!(fine(&[1000], L16), Some([1000; 3]));
        assert_eq!(fine(&[1, 2, 65_535], Rgb16), Some([1, 2, 65_535]));
        assert_eq!(fine(&[1000, 0], La16), Some([65_535; 3]));
        assert_eq!(fine(&[1, 2, 3, 65_535], Rgba16), Some([1, 2, 3]));
        let plain = decode(&png(&[90], 1, 1, L8), Path::new("file")).unwrap();
        assert!(plain.fine.is_none());
    }

    fn decoded(bytes: &[u8]) -> Result<RgbImage, PictureError> {
        decode(bytes, Path::new("file")).map(|decoded| decoded.rgb)
    }

    #[test]
    fn every_mode_becomes_opaque_8_bit_rgb() {
        let grey = [90, 90, 90];
        let colour = [10, 20, 30];
        let half = |[red, green, blue]: [u8; 3]| {
            [red, green, blue].map(|value| over_background(value, 128))
        };
        let cases: [(Mode, &[u8], [u8; 3]); 10] = [
            (L8, &[90], grey),
            (La8, &[90, 255], grey),
            (La8, &[90, 0], [255; 3]),
            (Rgb8, &[10, 20, 30], colour),
            (Rgba8, &[10, 20, 30, 255], colour),
            (Rgba8, &[10, 20, 30, 128], half(colour)),
            (L16, &[90, 90], grey),
            (La16, &[90, 90, 128, 128], half(grey)),
            (Rgb16, &[10, 10, 20, 20, 30, 30], colour),
            (Rgba16, &[10, 10, 20, 20, 30, 30, 0, 0], [255; 3]),
        ];
        for (mode, samples, expected) in cases {
            let image = decoded(&png(samples, 1, 1, mode)).unwrap();
            assert_eq!(
                (image.dimensions(), image.get_pixel(0, 0).0),
                ((1, 1), expected),
                "{mode:?} {samples:?}"
            );
        }
    }

    #[test]
    fn the_background_shows_through_by_alpha() {
        assert_eq!([0, 128, 255].map(|alpha| over_background(0, alpha)), [255, 127, 0]);
        assert_eq!([0, 128, 255].map(|alpha| over_background(255, alpha)), [255, 255, 255]);
    }

    /// Two pixels of a palette whose second entry is transparent (chunk tRNS), written with
    /// Python's zlib.
    #[test]
    fn palettes_are_resolved() {
        const PALETTE: &[u8] = b"\x89PNG\r\n\x1a\n\
            \x00\x00\x00\x0dIHDR\x00\x00\x00\x02\x00\x00\x00\x01\x08\x03\x00\x00\x00\
            \xc3\xfc\x8f\xb8\
            \x00\x00\x00\x06PLTE\x0a\x14\x1e\xc8\x00\x64\xf4\x39\xe9\xfe\
            \x00\x00\x00\x02tRNS\xff\x00\xe5\xb7\x30\x4a\
            \x00\x00\x00\x0bIDAT\x78\x9c\x63\x60\x60\x04\x00\x00\x04\x00\x02\xbf\x7a\x3f\x4a\
            \x00\x00\x00\x00IEND\xae\x42\x60\x82";
        assert_eq!(decoded(PALETTE).unwrap().into_raw(), [10, 20, 30, 255, 255, 255]);
    }

    #[test]
    fn a_jpeg_file_is_told_by_its_content() {
        let image = decoded(&halves()).unwrap();
        assert_eq!(image.dimensions(), (24, 16));
        assert!(image.get_pixel(2, 8).0[0] < 30 && image.get_pixel(21, 8).0[0] > 220);
    }

    #[test]
    fn the_orientation_in_the_file_is_applied() {
        // Exif with the one field Orientation = 6: the first row of the file is the right side.
        let exif = b"\xff\xe1\x00\x22Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01\
            \x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00";
        let bytes = halves();
        let image = decoded(&[&bytes[..2], exif, &bytes[2..]].concat()).unwrap();
        assert_eq!(image.dimensions(), (16, 24));
        assert!(image.get_pixel(8, 2).0[0] < 30 && image.get_pixel(8, 21).0[0] > 220);
    }

    #[test]
    fn every_truncation_is_an_error() {
        let samples: Vec<u8> = (0..=255).collect();
        for whole in [png(&samples, 16, 16, L8), jpeg(&samples, 16)] {
            // The last chunk of a PNG file, 12 bytes, carries nothing and may be missing, as the end
            // marker of a JPEG file, 2 bytes.
            let is_png = whole.starts_with(b"\x89PNG");
            let pixels_end = whole.len() - if is_png { 12 } else { 2 };
            if !is_png {
                for end in pixels_end..whole.len() {
                    assert_eq!(decoded(&whole[..end]).unwrap(), decoded(&whole).unwrap(), "{end}");
                }
            }
            for end in 0..pixels_end {
                let error = decoded(&whole[..end]).unwrap_err();
                let expected = match end {
                    0..8 => matches!(
                        error,
                        PictureError::NotAPicture { .. } | PictureError::CutOff { .. }
                    ),
                    _ => matches!(error, PictureError::CutOff { .. }),
                };
                assert!(expected, "cut to {end} of {}: {error:?}", whole.len());
            }
        }
    }

    #[test]
    fn a_flipped_bit_is_never_a_panic() {
        for mut bytes in [png(&[7; 64], 8, 8, L8), halves()] {
            for at in 0..bytes.len() {
                for bit in 0..8 {
                    bytes[at] ^= 1 << bit;
                    let _ = decoded(&bytes);
                    bytes[at] ^= 1 << bit;
                }
            }
        }
    }

    /// 60,000 x 60,000 grey pixels in 45 bytes: refused by the header alone.
    #[test]
    fn a_decompression_bomb_is_refused() {
        const BOMB: &[u8] = b"\x89PNG\r\n\x1a\n\
            \x00\x00\x00\x0dIHDR\x00\x00\xea\x60\x00\x00\xea\x60\x08\x00\x00\x00\x00\
            \xa5\xb9\x2a\x9e\
            \x00\x00\x00\x00IDAT\x35\xaf\x06\x1e";
        let error = decoded(BOMB).unwrap_err();
        assert!(
            matches!(error, PictureError::TooLarge { height: 60_000, width: 60_000, .. }),
            "{error:?}"
        );
    }

    #[test]
    fn other_content_is_no_picture() {
        for content in
            [&b""[..], b"\x89PN", b"hello", b"P5 1 1 255\n\x00", b"RIFF\x04\x00\x00\x00WAVE"]
        {
            let error = decoded(content).unwrap_err();
            assert!(matches!(error, PictureError::NotAPicture { .. }), "{content:?}: {error:?}");
        }
    }

    #[test]
    fn the_message_names_the_formats() {
        let told = decoded(b"hello").unwrap_err().to_string();
        assert!(super::super::FORMATS.iter().all(|format| told.contains(format)), "{told}");
    }

    #[test]
    fn files_that_cannot_be_read_say_what_to_try() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().join("missing.png"), folder.path().to_owned()] {
            let error = read_file(&path).unwrap_err();
            assert!(matches!(error, PictureError::Read { .. }), "{error:?}");
            assert!(
                error.to_string().contains(&path.display().to_string()) && !error.hint().is_empty()
            );
        }
    }
}
