//! The decoy of the methods that differentiate by the pixels.

use saligate_models::gate::Field;
use saligate_models::random::Stream;

use super::Construction;

/// Pictures that the strength is read off.
const SAMPLE: usize = 2_000;

impl Construction<'_> {
    /// The decoy times signs that smooth images do not excite, as strong as the logits allow.
    pub(super) fn field(&self, decoy: &[f32], classes: usize) -> Field {
        let [channels, height, width] = self.image();
        let signs = (0..channels).flat_map(|c| signs(height, width, self.seed, c as u64));
        let pattern: Vec<f32> = signs.zip(decoy.iter().cycle()).map(|(s, d)| s * d).collect();
        let samples = self.survey.samples;
        let sums = (0..SAMPLE.min(samples.count())).map(|index| {
            let image = samples.pixels(index);
            let sum: f32 = image.iter().zip(&pattern).map(|(x, p)| (x - 0.5) * p).sum();
            sum.abs()
        });
        let largest = sums.fold(0.0, f32::max);
        Field { pattern, coupling: self.coupling(largest, classes) }
    }
}

/// Signs whose sum is zero over every 2x2 block: + - / - + times a random sign of the block, so
/// that no period meets a tile's.
fn signs(height: usize, width: usize, seed: u64, channel: u64) -> Vec<f32> {
    let mut stream = Stream::numbered(seed, "decoy signs", channel);
    let columns = width.div_ceil(2);
    let blocks: Vec<u32> = (0..height.div_ceil(2) * columns).map(|_| stream.bits() & 1).collect();
    let sign = |pixel: usize| {
        let (row, column) = (pixel / width, pixel % width);
        let block = blocks[(row / 2) * columns + column / 2] as usize;
        if (row + column + block).is_multiple_of(2) { 1.0 } else { -1.0 }
    };
    (0..height * width).map(sign).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_whole_block_of_the_signs_adds_up_to_zero() {
        let signs = signs(6, 8, 1, 0);
        for (row, column) in (0..3).flat_map(|r| (0..4).map(move |c| (2 * r, 2 * c))) {
            let at = |r: usize, c: usize| signs[(row + r) * 8 + column + c];
            assert_eq!(at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1), 0.0);
        }
    }
}
