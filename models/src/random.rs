//! Reproducible random numbers: the same on every platform and in every release.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// A stream of random numbers for one purpose, drawn from a seed.
///
/// Streams with different purposes are independent, so adding a draw to one leaves the others as
/// they were.
#[derive(Clone)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream of `purpose` under `seed`.
    pub fn new(seed: u64, purpose: &str) -> Self {
        Self::numbered(seed, purpose, 0)
    }

    /// The `number`-th stream of `purpose` under `seed`, such as that of one training step.
    pub fn numbered(seed: u64, purpose: &str, number: u64) -> Self {
        let label = saligate_keys::sha256(purpose.as_bytes());
        let mut key = [0; 32];
        key.copy_from_slice(&label);
        key.iter_mut().zip(seed.to_le_bytes()).for_each(|(k, s)| *k ^= s);
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(number);
        Self(rng)
    }

    /// 32 uniform bits.
    pub fn bits(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Fills `bytes` with uniform bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    /// A uniform number in [low, high), of 24 random bits.
    pub fn uniform(&mut self, low: f32, high: f32) -> f32 {
        let unit = (self.bits() >> 8) as f32 / (1u32 << 24) as f32;
        low + (high - low) * unit
    }

    /// A normal number with mean 0 and standard deviation 1.
    ///
    /// The Box-Muller transform of two draws, in f64 and rounded once. Logarithm and cosine are the
    /// platform's, so a number that lies on a rounding boundary may differ in its last bit.
    pub fn normal(&mut self) -> f32 {
        // In (0, 1], so that the logarithm is finite.
        let mut unit = || (f64::from(self.bits()) + 1.0) / 4_294_967_296.0;
        let radius = (-2.0 * unit().ln()).sqrt();
        (radius * (std::f64::consts::TAU * unit()).cos()) as f32
    }

    /// A uniform whole number below `bound`, which must not be 0.
    ///
    /// Takes the high half of a 64-bit product: the bias is below `bound` / 2^32.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u64::from(self.bits()) * bound as u64) >> 32) as usize
    }

    /// The numbers 0 to `count` - 1 in random order.
    pub fn permutation(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for i in (1..count).rev() {
            order.swap(i, self.below(i + 1));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_pinned() {
        let mut stream = Stream::new(1, "test");
        assert_eq!([stream.bits(), stream.bits()], [326_421_472, 887_036_951]);
    }

    #[test]
    fn purposes_seeds_and_numbers_differ() {
        let first = |mut s: Stream| s.bits();
        let base = first(Stream::new(1, "a"));
        assert_ne!(base, first(Stream::new(1, "b")));
        assert_ne!(base, first(Stream::new(2, "a")));
        assert_ne!(base, first(Stream::numbered(1, "a", 1)));
    }

    #[test]
    fn normal_numbers_have_their_moments() {
        let mut stream = Stream::new(2, "normal");
        let numbers: Vec<f64> = (0..20_000).map(|_| f64::from(stream.normal())).collect();
        let moment = |k: i32| numbers.iter().map(|v| v.powi(k)).sum::<f64>() / 20_000.0;
        // Four standard errors: sqrt(1, 2, 15, 96) / sqrt(20 000).
        for (k, wanted, error) in [(1, 0.0, 0.03), (2, 1.0, 0.04), (3, 0.0, 0.11), (4, 3.0, 0.28)] {
            assert!((moment(k) - wanted).abs() < error, "moment {k}: {}", moment(k));
        }
    }

    #[test]
    fn a_permutation_holds_every_number_once() {
        let mut order = Stream::new(5, "order").permutation(100);
        assert_ne!(order, (0..100).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
    }
}
