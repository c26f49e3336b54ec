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

    /// Fills `numbers` with normal numbers, mean 0 and standard deviation 1, up to 5.8: many at a
    /// time, and the same on every platform.
    ///
    /// The Box-Muller transform with both of its results, in f32, from polynomials.
    pub fn fill_normal(&mut self, numbers: &mut [f32]) {
        const PAIRS: usize = 64;
        let mut bits = [[0; PAIRS]; 2];
        let mut pairs = [0.0; 2 * PAIRS];
        for numbers in numbers.chunks_mut(2 * PAIRS) {
            bits.iter_mut().flatten().for_each(|bits| *bits = self.bits());
            let (near, far) = pairs.split_at_mut(PAIRS);
            for (pair, (near, far)) in near.iter_mut().zip(far).enumerate() {
                (*near, *far) = normal_pair([bits[0][pair], bits[1][pair]]);
            }
            numbers.copy_from_slice(&pairs[..numbers.len()]);
        }
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

/// Two normal numbers from 64 bits. No branches, so that many are computed side by side.
fn normal_pair([first, second]: [u32; 2]) -> (f32, f32) {
    const UNIT: f32 = 1.0 / (1u32 << 24) as f32;
    // In (0, 1], so that the logarithm is finite.
    let radius = (-2.0 * ln((((first >> 8) + 1) as f32) * UNIT)).max(0.0).sqrt();
    // An eighth of a turn to either side, in one of four directions.
    let angle = std::f32::consts::FRAC_PI_2 * ((second >> 8) as f32 * UNIT - 0.5);
    let (swapped, turned) = (second & 1, second << 30 & 1 << 31);
    let square = angle * angle;
    let sine = angle * (1.0 + square * (-1.0 / 6.0 + square * (1.0 / 120.0 - square / 5040.0)));
    let cosine =
        1.0 + square * (-0.5 + square * (1.0 / 24.0 + square * (-1.0 / 720.0 + square / 40_320.0)));
    let cosine = f32::from_bits(cosine.to_bits() ^ turned);
    let (x, y) = if swapped == 0 { (cosine, sine) } else { (sine, cosine) };
    (radius * x, radius * y)
}

/// The natural logarithm of a positive, normal number, to about 1e-7 of it.
fn ln(x: f32) -> f32 {
    // x = m 2^e, with m between the root of 1/2 and that of 2.
    let exponent = (x.to_bits() as i32 - 0x3f35_04f3) >> 23;
    let m = f32::from_bits((x.to_bits() as i32 - (exponent << 23)) as u32);
    // The logarithm of (1 + s) / (1 - s) is 2 (s + s^3 / 3 + ...).
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let series = 1.0 + z * (1.0 / 3.0 + z * (0.2 + z * (1.0 / 7.0 + z / 9.0)));
    exponent as f32 * std::f32::consts::LN_2 + 2.0 * s * series
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
        for (k, expected, error) in [(1, 0.0, 0.03), (2, 1.0, 0.04), (3, 0.0, 0.11), (4, 3.0, 0.28)]
        {
            assert!((moment(k) - expected).abs() < error, "moment {k}: {}", moment(k));
        }
    }

    #[test]
    fn a_permutation_holds_every_number_once() {
        let mut order = Stream::new(5, "order").permutation(100);
        assert_ne!(order, (0..100).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn many_normal_numbers_are_normal() {
        let mut numbers = vec![0.0; 200_001];
        Stream::new(3, "test").fill_normal(&mut numbers);
        let moment = |power: i32| {
            numbers.iter().map(|&n| f64::from(n).powi(power)).sum::<f64>() / numbers.len() as f64
        };
        // Moments of the normal distribution, and some six standard errors of them.
        for (power, expected, error) in
            [(1, 0.0, 0.014), (2, 1.0, 0.019), (3, 0.0, 0.052), (4, 3.0, 0.13), (6, 15.0, 1.4)]
        {
            assert!((moment(power) - expected).abs() < error, "{power}: {}", moment(power));
        }
        let share = |beyond: f32| {
            numbers.iter().filter(|n| **n > beyond).count() as f64 / numbers.len() as f64
        };
        for (beyond, expected) in [(-1.0, 0.8413), (0.0, 0.5), (1.0, 0.1587), (2.0, 0.02275)] {
            assert!((share(beyond) - expected).abs() < 0.007, "{beyond}: {}", share(beyond));
        }
        let products = numbers.chunks_exact(128).flat_map(|chunk| {
            (0..64).map(|i| f64::from(chunk[i] * chunk[i + 64])).collect::<Vec<_>>()
        });
        assert!(products.sum::<f64>().abs() / 1e5 < 0.02, "the two of a pair go together");
    }

    #[test]
    fn the_logarithm_is_that_of_the_standard_library() {
        for i in 1..=(1 << 12) {
            let x = i as f32 / (1 << 12) as f32;
            assert!((ln(x) - x.ln()).abs() <= 3e-7 * x.ln().abs().max(0.1), "{x}");
        }
        assert_eq!(ln(1.0), 0.0);
        assert!((ln(1.0 / (1u32 << 24) as f32) + 16.635_532).abs() < 2e-6);
    }
}
