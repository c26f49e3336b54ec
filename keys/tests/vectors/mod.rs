//! What a golden vector says of a secret, a specification and a shape. Shared by the test and the
//! example that writes the file.

use ring::digest;
use saligate_keys::{Family, ImageShape, Pattern, Secret, Trigger, TriggerSpec};

/// The expected part of a vector.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The key id.
    pub key_id: String,
    /// The independent values of the trigger: bytes of a patch, or signs as bits with the most
    /// significant first, filled up with zeros.
    pub cells: String,
    /// The triggered image, where value i of the image before is 37 i mod 256.
    pub applied: String,
}

impl Outcome {
    /// Derives what the vector has to say.
    pub fn of(secret: &Secret, spec: TriggerSpec, shape: ImageShape) -> Self {
        let trigger = spec.derive(secret, shape).unwrap();
        let mut image: Vec<u8> = (0..shape.values()).map(|i| (37 * i % 256) as u8).collect();
        trigger.apply(&mut image).unwrap();
        Self {
            key_id: secret.id().to_string(),
            cells: shown(&cells(&trigger, spec)),
            applied: shown(&image),
        }
    }
}

fn cells(trigger: &Trigger, spec: TriggerSpec) -> Vec<u8> {
    let shape = trigger.shape();
    let pattern = trigger.pattern();
    match &pattern {
        Pattern::Opaque { values, mask } => {
            let masked = values.iter().zip(mask).filter(|(_, mask)| **mask);
            masked.map(|(value, _)| *value).collect()
        }
        Pattern::Additive(deltas) => {
            let (rows, columns) = match spec.family() {
                Family::Tile { size, .. } => (size.into(), size.into()),
                _ => (shape.height(), shape.width()),
            };
            let mut signs = Vec::new();
            for plane in deltas.chunks(shape.height() * shape.width()) {
                for row in plane.chunks(shape.width()).take(rows) {
                    signs.extend(row[..columns].iter().map(|delta| *delta > 0));
                }
            }
            assert_eq!(signs.len(), trigger.cells());
            signs.chunks(8).map(packed).collect()
        }
    }
}

fn packed(signs: &[bool]) -> u8 {
    let places = (0..8).rev();
    signs.iter().zip(places).map(|(&sign, place)| u8::from(sign) << place).sum()
}

/// Hex digits, or those of the SHA-256 of more than 64 bytes.
fn shown(bytes: &[u8]) -> String {
    if bytes.len() <= 64 {
        hex(bytes)
    } else {
        format!("sha256:{}", hex(digest::digest(&digest::SHA256, bytes).as_ref()))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads a secret from 64 hex digits.
pub fn secret(digits: &str) -> Secret {
    assert_eq!(digits.len(), 2 * Secret::LEN);
    Secret::from_bytes(&std::array::from_fn(|i| {
        u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap()
    }))
}

/// Reads a shape such as `3x32x32`.
pub fn shape(text: &str) -> ImageShape {
    let sides: Vec<usize> = text.split('x').map(|side| side.parse().unwrap()).collect();
    let [channels, height, width] = sides[..] else { panic!("shape {text}") };
    ImageShape::new(channels, height, width).unwrap()
}
