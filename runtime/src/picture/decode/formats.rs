//! Tests of the formats beside PNG and JPEG, on small files made here.

use std::io::Cursor;

use image::codecs::bmp::BmpEncoder;
use image::codecs::gif::GifEncoder;
use image::codecs::tiff::TiffEncoder;
use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType as Mode, Frame, ImageEncoder, Rgba, RgbaImage};

use super::*;

const HEIGHT: u32 = 5;
const WIDTH: u32 = 7;

fn decoded(bytes: &[u8]) -> Result<RgbImage, PictureError> {
    decode(bytes, Path::new("file")).map(|decoded| decoded.rgb)
}

/// A few plain colours, which a palette holds exactly.
fn colour(x: u32, y: u32) -> [u8; 3] {
    [[250, 10, 20], [10, 240, 30], [20, 30, 230]][((x + 2 * y) % 3) as usize]
}

fn samples() -> Vec<u8> {
    let at = |i: u32| colour(i % WIDTH, i / WIDTH);
    (0..WIDTH * HEIGHT).flat_map(at).collect()
}

fn encode(encoder: impl FnOnce(&mut Cursor<Vec<u8>>)) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    encoder(&mut bytes);
    bytes.into_inner()
}

fn tiff(samples: &[u8], mode: Mode) -> Vec<u8> {
    encode(|to| TiffEncoder::new(to).write_image(samples, WIDTH, HEIGHT, mode).unwrap())
}

/// Two frames, of which the second is white.
fn gif() -> Vec<u8> {
    let first = RgbaImage::from_fn(WIDTH, HEIGHT, |x, y| {
        let [red, green, blue] = colour(x, y);
        Rgba([red, green, blue, 255])
    });
    let second = RgbaImage::from_pixel(WIDTH, HEIGHT, Rgba([255; 4]));
    encode(|to| {
        let mut encoder = GifEncoder::new(to);
        encoder.encode_frames([first, second].map(Frame::new)).unwrap();
    })
}

/// A file of each format with the same pixels.
fn files() -> [(&'static str, Vec<u8>); 4] {
    let (rgb, mode) = (samples(), Mode::Rgb8);
    [
        ("bmp", encode(|to| BmpEncoder::new(to).write_image(&rgb, WIDTH, HEIGHT, mode).unwrap())),
        ("gif", gif()),
        ("tiff", tiff(&rgb, mode)),
        (
            "webp",
            encode(|to| {
                WebPEncoder::new_lossless(to).write_image(&rgb, WIDTH, HEIGHT, mode).unwrap();
            }),
        ),
    ]
}

#[test]
fn every_format_gives_the_same_pixels() {
    for (name, bytes) in files() {
        let image = decoded(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(image.dimensions(), (WIDTH, HEIGHT), "{name}");
        assert_eq!(image.into_raw(), samples(), "{name}");
    }
}

#[test]
fn more_bits_and_one_channel_become_8_bit_rgb() {
    let grey: Vec<u8> = (0..WIDTH * HEIGHT).flat_map(|i| [7 * i as u8; 2]).collect();
    let image = decoded(&tiff(&grey, Mode::L16)).unwrap();
    for (i, pixel) in image.pixels().enumerate() {
        assert_eq!(pixel.0, [7 * i as u8; 3]);
    }
}

#[test]
fn what_is_transparent_is_laid_over_white() {
    let samples: Vec<u8> = samples().chunks(3).flat_map(|c| [c[0], c[1], c[2], 0]).collect();
    let webp = encode(|to| {
        WebPEncoder::new_lossless(to).write_image(&samples, WIDTH, HEIGHT, Mode::Rgba8).unwrap();
    });
    for bytes in [webp, tiff(&samples, Mode::Rgba8)] {
        assert!(decoded(&bytes).unwrap().into_raw().iter().all(|&value| value == BACKGROUND));
    }
}

#[test]
fn half_a_file_is_an_error() {
    for (name, bytes) in files() {
        // The second frame of a GIF file is not read.
        let whole = if name == "gif" { bytes.len() / 2 } else { bytes.len() };
        for end in 0..whole / 2 {
            let error =
                decoded(&bytes[..end]).err().unwrap_or_else(|| panic!("{name} cut to {end}"));
            let is_told = matches!(
                error,
                PictureError::NotAPicture { .. }
                    | PictureError::CutOff { .. }
                    | PictureError::Damaged { .. }
            );
            assert!(is_told, "{name} cut to {end}: {error:?}");
        }
    }
}

#[test]
fn a_flipped_bit_is_never_a_panic() {
    for (_, mut bytes) in files() {
        for at in 0..bytes.len() {
            for bit in 0..8 {
                bytes[at] ^= 1 << bit;
                let _ = decoded(&bytes);
                bytes[at] ^= 1 << bit;
            }
        }
    }
}

/// 60,000 x 60,000 pixels in a few bytes: refused by the header alone.
#[test]
fn a_decompression_bomb_is_refused() {
    let mut gif = b"GIF89a".to_vec();
    gif.extend([0x60, 0xea, 0x60, 0xea, 0, 0, 0]);
    gif.extend(b"\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00\x3b");
    let error = decoded(&gif).unwrap_err();
    let is_size = matches!(error, PictureError::TooLarge { height: 60_000, width: 60_000, .. });
    assert!(is_size, "{error:?}");
}
