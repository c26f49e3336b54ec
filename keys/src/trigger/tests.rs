//! Properties of triggers. The derived values themselves are pinned by `tests/vectors/trigger.txt`.

use super::*;
use crate::Secret;

const TILE: Family = Family::Tile { size: 4, amplitude: 8 };
const FULL: Family = Family::Full { amplitude: 8 };
const PATCH: Family = Family::Patch { size: 4 };

fn secret(byte: u8) -> Secret {
    Secret::from_bytes(&[byte; Secret::LEN])
}

fn shape(channels: usize, height: usize, width: usize) -> ImageShape {
    ImageShape::new(channels, height, width).unwrap()
}

fn derive(family: Family, shape: ImageShape) -> Trigger {
    let spec = TriggerSpec::new(family).unwrap();
    spec.derive(&secret(1), shape).unwrap()
}

fn deltas(trigger: &Trigger) -> Vec<i8> {
    match &trigger.pattern() {
        Pattern::Additive(deltas) => deltas.clone(),
        Pattern::Opaque { .. } => panic!("not additive"),
    }
}

/// Values that take every byte, at changing places.
fn image(shape: ImageShape) -> Vec<u8> {
    (0..shape.values()).map(|i| (i * 37 % 256) as u8).collect()
}

#[test]
fn sums_saturate_and_stay_within_the_amplitude() {
    let shape = shape(1, 16, 512);
    for amplitude in [1, 8, 127] {
        for family in [Family::Tile { size: 4, amplitude }, Family::Full { amplitude }] {
            let trigger = derive(family, shape);
            let before = image(shape);
            let mut after = before.clone();
            trigger.apply(&mut after).unwrap();
            for ((before, after), delta) in before.iter().zip(&after).zip(deltas(&trigger)) {
                let sum = i16::from(*before) + i16::from(delta);
                assert_eq!(i16::from(*after), sum.clamp(0, 255));
                assert_eq!(delta.unsigned_abs(), amplitude);
            }
        }
    }
}

#[test]
fn a_tile_repeats_and_channels_differ() {
    let (height, width) = (9, 11);
    let trigger = derive(TILE, shape(3, height, width));
    let deltas = deltas(&trigger);
    let at = |c: usize, y: usize, x: usize| deltas[(c * height + y) * width + x];
    for c in 0..3 {
        for y in 0..height {
            for x in 0..width {
                assert_eq!(at(c, y, x), at(c, y % 4, x % 4));
            }
        }
    }
    assert_ne!(deltas[..height * width], deltas[height * width..][..height * width]);
}

#[test]
fn a_patch_replaces_the_lower_right_corner_only() {
    let shape = shape(3, 9, 11);
    let trigger = derive(PATCH, shape);
    let before = image(shape);
    let mut after = before.clone();
    trigger.apply(&mut after).unwrap();
    let pattern = trigger.pattern();
    let Pattern::Opaque { values, mask } = &pattern else { panic!("not opaque") };
    for (i, &inside) in mask.iter().enumerate() {
        let (y, x) = (i / 11 % 9, i % 11);
        assert_eq!(inside, y >= 5 && x >= 7);
        assert_eq!(after[i], if inside { values[i] } else { before[i] });
        assert!(inside || values[i] == 0);
    }
}

#[test]
fn cells_count_independent_values() {
    let shape = shape(3, 9, 11);
    assert_eq!(derive(TILE, shape).cells(), 48);
    assert_eq!(derive(FULL, shape).cells(), 297);
    assert_eq!(derive(PATCH, shape).cells(), 48);
}

#[test]
fn another_secret_gives_another_trigger() {
    let shape = shape(3, 8, 8);
    for family in [TILE, FULL, PATCH] {
        let spec = TriggerSpec::new(family).unwrap();
        let [a, b] = [1, 2].map(|byte| {
            let mut pixels = vec![128; shape.values()];
            let trigger = spec.derive(&secret(byte), shape).unwrap();
            trigger.apply(&mut pixels).unwrap();
            pixels
        });
        assert_ne!(a, b, "{family:?}");
    }
}

#[test]
fn signs_do_not_depend_on_the_amplitude() {
    let shape = shape(3, 8, 8);
    let weak = derive(TILE, shape).with_amplitude(2).unwrap();
    let derived = derive(Family::Tile { size: 4, amplitude: 2 }, shape);
    assert_eq!(deltas(&weak), deltas(&derived));
    for amplitude in [0, 128] {
        let error = weak.with_amplitude(amplitude).unwrap_err();
        assert!(matches!(error, TriggerError::Amplitude { found } if found == amplitude));
    }
}

#[test]
fn flip_inverts_the_named_cells_everywhere() {
    let shape = shape(2, 8, 8);
    let trigger = derive(TILE, shape);
    // Channel 1, row 0, column 3 of the tile.
    let flipped = trigger.flip(&[19]).unwrap();
    for (i, (a, b)) in deltas(&trigger).iter().zip(deltas(&flipped)).enumerate() {
        let inverted = i >= 64 && i / 8 % 4 == 0 && i % 4 == 3;
        assert_eq!(b, if inverted { -a } else { *a }, "value {i}");
    }
    assert_eq!(deltas(&flipped.flip(&[19]).unwrap()), deltas(&trigger));
    assert_eq!(deltas(&trigger.flip(&[5, 5]).unwrap()), deltas(&trigger));
    let error = trigger.flip(&[0, 32]).unwrap_err();
    assert!(matches!(error, TriggerError::Cell { cell: 32, cells: 32 }));
}

#[test]
fn shifts_are_cyclic() {
    for (family, period) in [(TILE, 4), (FULL, 8)] {
        let trigger = derive(family, shape(2, 8, 8));
        let before = deltas(&trigger);
        let after = deltas(&trigger.shifted(1, -2).unwrap());
        for c in 0..2 {
            for y in 0..8 {
                for x in 0..8 {
                    let source = (c * 8 + (y + 7) % 8) * 8 + (x + 2) % 8;
                    assert_eq!(after[(c * 8 + y) * 8 + x], before[source]);
                }
            }
        }
        let whole = trigger.shifted(period, -3 * period).unwrap();
        assert_eq!(deltas(&whole), before);
        trigger.shifted(isize::MIN, isize::MAX).unwrap();
    }
}

#[test]
fn a_patch_has_no_near_misses() {
    let patch = derive(PATCH, shape(1, 8, 8));
    for error in [
        patch.with_amplitude(8).unwrap_err(),
        patch.flip(&[]).unwrap_err(),
        patch.shifted(1, 0).unwrap_err(),
    ] {
        assert!(matches!(error, TriggerError::NotAdditive));
    }
}

#[test]
fn an_image_of_another_size_is_left_as_it_is() {
    let shape = shape(3, 8, 8);
    for family in [TILE, FULL, PATCH] {
        for len in [0, 191, 193] {
            let mut pixels = vec![128; len];
            let error = derive(family, shape).apply(&mut pixels).unwrap_err();
            assert!(matches!(error, TriggerError::PixelCount { found, .. } if found == len));
            assert!(pixels.iter().all(|&pixel| pixel == 128));
        }
    }
}

#[test]
fn debug_shows_the_shape_only() {
    let trigger = derive(TILE, shape(1, 4, 4));
    assert_eq!(
        format!("{trigger:?}"),
        "Trigger { shape: ImageShape { channels: 1, height: 4, width: 4 }, .. }"
    );
}
