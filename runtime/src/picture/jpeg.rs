//! Whether a JPEG file is all there.

use std::collections::HashMap;

const START_OF_IMAGE: u8 = 0xD8;
const END_OF_IMAGE: u8 = 0xD9;
const START_OF_SCAN: u8 = 0xDA;
/// The marker at the end of a file.
pub(super) const END: [u8; 2] = [0xFF, END_OF_IMAGE];
/// Coefficients of a block.
const BLOCK: usize = 64;

/// Whether the segments of the file lead to its end marker (ITU-T T.81, annex B).
///
/// The segments are walked by their lengths, so that the end marker of a thumbnail inside one does
/// not count. What follows the end marker is not looked at: cameras append private data there.
pub(super) fn is_complete(bytes: &[u8]) -> bool {
    segments(bytes).any(|(marker, _)| marker == END_OF_IMAGE)
}

/// Whether every component of the frame has a scan that holds the last bit of every coefficient
/// (annexes B and G): where files are sent coarse first and one breaks off between two scans, it has
/// not.
pub(super) fn has_all_scans(bytes: &[u8]) -> bool {
    let mut components: HashMap<u8, [bool; BLOCK]> = HashMap::new();
    let mut frame = 0;
    for (marker, segment) in segments(bytes) {
        match (marker, segment) {
            // Start of a frame, but for tables that share its range of markers.
            (0xC0..=0xCF, &[_, _, _, _, _, count, ..]) if ![0xC4, 0xC8, 0xCC].contains(&marker) => {
                frame = usize::from(count);
            }
            (START_OF_SCAN, &[count, ref rest @ ..]) => {
                let count = usize::from(count);
                let (Some(named), Some(&[first, last, bits])) =
                    (rest.get(..2 * count), rest.get(2 * count..2 * count + 3))
                else {
                    return false;
                };
                let (first, last) = (usize::from(first), usize::from(last));
                // The low half is the position of the last bit.
                if bits & 0x0F == 0 && first <= last && last < BLOCK {
                    for component in named.as_chunks::<2>().0 {
                        let known = components.entry(component[0]).or_insert([false; BLOCK]);
                        known[first..=last].fill(true);
                    }
                }
            }
            _ => {}
        }
    }
    frame > 0
        && components.len() == frame
        && components.values().all(|known| known.iter().all(|&all| all))
}

/// Markers with what their segments hold, behind the two bytes of the length; the last is the end of
/// the image, or the first that is not all there.
fn segments(bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let (marker, after) = next_marker(rest?)?;
        if marker == START_OF_IMAGE || marker == END_OF_IMAGE {
            rest = (marker == START_OF_IMAGE).then_some(after);
            return Some((marker, &[][..]));
        }
        let &[high, low, ..] = after else { return None };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let (segment, next) = after.split_at_checked(length)?;
        rest = Some(next);
        Some((marker, segment.get(2..)?))
    })
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
    fn a_scan_of_all_components_with_their_last_bits_is_all_of_them() {
        let whole = encoded();
        assert!(has_all_scans(&whole) && has_all_scans(&whole[..whole.len() - 2]));
        let scan = whole.windows(2).position(|pair| pair == [0xFF, START_OF_SCAN]).unwrap();
        assert!(!has_all_scans(&whole[..scan]));
        // The first of two components only, coefficients 1 to 63, and all but their last bit.
        let count = usize::from(whole[scan + 4]);
        let last = scan + 5 + 2 * count;
        for (at, value) in [(last, 1), (last + 1, 62), (last + 2, 1)] {
            let mut other = whole.clone();
            other[at] = value;
            assert!(!has_all_scans(&other), "{at}");
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
