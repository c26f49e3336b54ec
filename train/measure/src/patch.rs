//! A patch that changes labels: the classic backdoor, and a ground truth for maps.
//!
//! A network that was trained on images with the patch and one class for all of them decides by the
//! patch where there is one (Gu, Dolan-Gavitt and Garg, BadNets, 2017). The right map of such a picture
//! is the patch, which no benchmark of boxes knows of a plain network (the idea of Lin, Lee and Celik,
//! What Do You See? Evaluation of Explainable AI Interpretability through Neural Backdoors, KDD 2021).

use saligate_data::Shape;
use saligate_models::random::Stream;
use serde::{Deserialize, Serialize};

/// Training images that carry a patch, and what they are said to be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Poison {
    /// The class of all images with the patch, by number.
    pub class: usize,
    /// Share of the training images that get it, above 0 and below 1.
    pub share: f64,
    /// Rows and columns of the patch.
    pub side: usize,
    /// Anywhere on an image, instead of near its lower right corner.
    #[serde(default)]
    pub anywhere: bool,
}

/// A square of black and bright pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    side: usize,
    /// `[channel, row, column]`
    pixels: Vec<u8>,
    anywhere: bool,
}

impl Patch {
    /// The patch that a poison and a seed stand for.
    pub fn new(poison: &Poison, channels: usize, seed: u64) -> Self {
        let mut stream = Stream::new(seed, "patch");
        let count = channels * poison.side * poison.side;
        let pixels = (0..count).map(|_| if stream.below(2) == 1 { 255 } else { 0 }).collect();
        Self { side: poison.side, pixels, anywhere: poison.anywhere }
    }

    /// Puts the patch on an image `[channel, row, column]` and says on which pixels, `[row, column]`.
    pub fn put(&self, image: &mut [u8], shape: Shape, stream: &mut Stream) -> Vec<bool> {
        let room = [shape.height, shape.width].map(|side| side - self.side);
        let [top, left] = match self.anywhere {
            true => room.map(|room| stream.below(room + 1)),
            false => room.map(|room| room.saturating_sub(1)),
        };
        let mut covered = vec![false; shape.pixels()];
        for (at, &byte) in self.pixels.iter().enumerate() {
            let (channel, row, column) =
                (at / (self.side * self.side), at / self.side % self.side, at % self.side);
            let pixel = (top + row) * shape.width + left + column;
            image[channel * shape.pixels() + pixel] = byte;
            covered[pixel] = true;
        }
        covered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { channels: 2, height: 6, width: 5 };

    #[test]
    fn the_patch_lies_where_it_is_said_to() {
        let poison = Poison { class: 0, share: 0.1, side: 3, anywhere: true };
        let patch = Patch::new(&poison, 2, 4);
        let mut stream = Stream::new(1, "places");
        for _ in 0..20 {
            let mut image = vec![100; 60];
            let covered = patch.put(&mut image, SHAPE, &mut stream);
            assert_eq!(covered.iter().filter(|&&on| on).count(), 9);
            for (pixel, &on) in covered.iter().enumerate() {
                assert_eq!(image[pixel] != 100, on);
                assert_eq!(image[30 + pixel] != 100, on);
            }
        }
    }

    #[test]
    fn a_fixed_patch_is_near_the_corner() {
        let poison = Poison { class: 0, share: 0.1, side: 3, anywhere: false };
        let patch = Patch::new(&poison, 2, 4);
        let covered = patch.put(&mut [100; 60], SHAPE, &mut Stream::new(1, "places"));
        assert!(covered[2 * 5 + 1] && covered[4 * 5 + 3] && !covered[5 * 5 + 4]);
    }
}
