//! Whether a JPEG file is all there.

const START_OF_IMAGE: u8 = 0xD8;
const END_OF_IMAGE: u8 = 0xD9;

/// Whether the segments of the file lead to its end marker (ITU-T T.81, annex B).
///
/// The segments are walked by their lengths, so that the end marker of a thumbnail inside one does
/// not count. What follows the end marker is not looked at: cameras append private data there.
pub(super) fn is_complete(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some((marker, after)) = next_marker(rest) {
        rest = match marker {
            END_OF_IMAGE => return true,
            START_OF_IMAGE => after,
            _ => {
                let [high, low, ..] = *after else { return false };
                let length = usize::from(u16::from_be_bytes([high, low]));
                match after.get(length..) {
                    Some(next) if length >= 2 => next,
                    _ => return false,
                }
            }
        };
    }
    false
}

/// The next marker and what follows it, past entropy-coded data. In such data a byte of 0xFF stands
/// before a stuffed zero or a restart marker; before a marker it may be repeated as fill.
fn next_marker(bytes: &[u8]) -> Option<(u8, &[u8])> {
    bytes.windows(2).enumerate().find_map(|(at, pair)| match *pair {
        [0xFF, 0x00 | 0x01 | 0xD0..=0xD7 | 0xFF] => None,
        [0xFF, marker] => Some((marker, &bytes[at + 2..])),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::codecs::jpeg::JpegEncoder;
    use image::{ImageEncoder, RgbImage};

    fn encoded() -> Vec<u8> {
        let image = RgbImage::from_fn(33, 21, |x, y| image::Rgb([x as u8 * 7, y as u8 * 11, 200]));
        let mut bytes = Vec::new();
        let encoder = JpegEncoder::new_with_quality(&mut bytes, 90);
        encoder.write_image(&image, 33, 21, image::ExtendedColorType::Rgb8).unwrap();
        bytes
    }

    #[test]
    fn a_whole_file_is_complete_and_no_beginning_of_it() {
        let bytes = encoded();
        assert!(is_complete(&bytes));
        for end in 0..bytes.len() {
            assert!(!is_complete(&bytes[..end]), "cut to {end} of {} bytes", bytes.len());
        }
    }

    #[test]
    fn what_follows_the_end_does_not_matter() {
        let bytes = [&encoded()[..], b"private data of the camera \xff\xd8"].concat();
        assert!(is_complete(&bytes));
    }

    #[test]
    fn the_end_of_a_thumbnail_is_not_the_end() {
        let bytes = encoded();
        let thumbnail = b"\xff\xe1\x00\x06\xff\xd8\xff\xd9";
        let with_thumbnail = [&bytes[..2], thumbnail, &bytes[2..]].concat();
        assert!(is_complete(&with_thumbnail));
        assert!(!is_complete(&with_thumbnail[..with_thumbnail.len() - 2]));
    }

    #[test]
    fn a_segment_that_lies_about_its_length_is_not_complete() {
        for length in [b"\x00\x00", b"\x00\x01", b"\xff\xff"] {
            let bytes = [b"\xff\xd8\xff\xe1", &length[..], b"\xff\xd9"].concat();
            assert!(!is_complete(&bytes), "{length:?}");
        }
    }
}
