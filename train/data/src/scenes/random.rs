//! The random numbers of one scene.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::Split;

/// Sets these streams apart from others drawn from the same seed; the digit is the version of the drawing.
const PURPOSE: [u8; 16] = *b"saligate scene 1";

/// A ChaCha8 stream with the few distributions that drawing needs.
pub(super) struct Random(ChaCha8Rng);

impl Random {
    /// The stream of one scene.
    pub(super) fn new(seed: u64, split: Split, index: u64) -> Self {
        let split: u64 = match split {
            Split::Train => 0,
            Split::Test => 1,
        };
        let mut key = [0; 32];
        key[..16].copy_from_slice(&PURPOSE);
        key[16..24].copy_from_slice(&seed.to_le_bytes());
        key[24..].copy_from_slice(&split.to_le_bytes());
        let mut stream = ChaCha8Rng::from_seed(key);
        stream.set_stream(index);
        Self(stream)
    }

    /// 32 random bits.
    pub(super) fn bits(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// An integer in `0..end`.
    pub(super) fn below(&mut self, end: u32) -> u32 {
        ((u64::from(self.bits()) * u64::from(end)) >> 32) as u32
    }

    /// A number in `low..=high`.
    pub(super) fn between(&mut self, low: f32, high: f32) -> f32 {
        // 24 bits fit an f32 exactly.
        let unit = (self.bits() >> 8) as f32 / (1 << 24) as f32;
        low + (high - low) * unit
    }

    /// Three numbers in `0..=1`.
    pub(super) fn triple(&mut self) -> [f32; 3] {
        [0; 3].map(|_| self.between(0.0, 1.0))
    }

    /// A point of the unit circle, all directions alike: found by rejection, since sine and cosine differ between platforms.
    pub(super) fn direction(&mut self) -> [f32; 2] {
        loop {
            let [x, y] = [0; 2].map(|_| self.between(-1.0, 1.0));
            let length = (x * x + y * y).sqrt();
            if (0.1..=1.0).contains(&length) {
                return [x / length, y / length];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_to_their_ranges() {
        let mut random = Random::new(1, Split::Train, 2);
        for _ in 0..10_000 {
            assert!(random.below(3) < 3);
            assert!((-2.0..=5.0).contains(&random.between(-2.0, 5.0)));
            let [x, y] = random.direction();
            assert!((x * x + y * y - 1.0).abs() < 1e-6);
        }
    }
}
