//! A trigger that is searched for, by someone who has the file and some pictures but no key.
//!
//! The search does not know the right maps. It follows the slope, by a repeated tile, of what can be
//! read off maps alone ([`Aim`]): how much the map of each picture resembles its map without any
//! trigger, and how much the maps of different pictures resemble each other.

use std::num::NonZero;

use saligate_models::graph::{Graph, GraphError};
use saligate_models::head::Head;
use saligate_models::pixels::scaled;
use saligate_models::random::Stream;
use saligate_models::saliency::{Attachment, Reduction, attach};
use saligate_models::tile::{TILE, cells, with_tile};
use saligate_runtime::{EngineError, Isa, Learner};
use thiserror::Error;

use crate::hats::Hats;

/// Bytes that the values of all pictures may take.
const MEMORY: usize = 2 << 30;
/// Adam's factors of the moments, and what its divisor is at least.
const MOMENTS: [f32; 2] = [0.9, 0.99];
const LEAST: f32 = 1e-8;
/// Share of the amplitude that a pixel moves by in a step.
const RATE: f32 = 0.1;

/// What a tile is searched in.
pub struct Search {
    learner: Learner,
    reduction: Reduction,
    /// Channels, rows and columns of a picture.
    shape: [usize; 3],
    side: usize,
    /// Largest change of a pixel, in 8-bit steps.
    amplitude: u8,
    /// In [0, 1], one behind the other.
    pictures: Vec<f32>,
    count: usize,
    /// Rows of zeros: the predicted class is explained.
    target: Vec<f32>,
    /// Ones.
    grid: Vec<f32>,
    aim: Aim,
    /// z-scored maps without a tile.
    plain: Vec<Vec<f32>>,
    /// Probabilities without a tile, of all pictures.
    probabilities: Vec<f32>,
}

/// Why there is no search.
#[derive(Debug, Error)]
pub enum SearchError {
    /// The network cannot take the method or the tile.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// An operation has no gradient.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// What a tile is searched for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Aim {
    /// That maps differ from those without it, and from each other: what opens a gate whose decoy is
    /// one for all pictures.
    Apart,
    /// That maps differ from those without it, while predictions stay: what a backdoor waits for. A
    /// map of a z-score that is turned by as much as a unit is worth so much change of
    /// probabilities.
    Away {
        /// Weight of the predictions.
        hold: f32,
        /// What probabilities are made by.
        head: Head,
    },
}

/// Changes of a picture in 8-bit steps, `[channel, row, column]`, repeated over it from the upper
/// left corner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    side: usize,
    steps: Vec<i16>,
}

impl Tile {
    /// A tile of changes in 8-bit steps, `[channel, row, column]`.
    pub fn new(side: usize, steps: Vec<i16>) -> Self {
        Self { side, steps }
    }

    /// The changes, `[channel, row, column]`.
    pub fn steps(&self) -> &[i16] {
        &self.steps
    }

    /// The cosine of the changes with those of a whole pattern `[channel, row, column]` of an image,
    /// in [-1, 1].
    pub fn likeness(&self, pattern: &[i16], image: [usize; 3]) -> f64 {
        let mut sums = [0.0f64; 3];
        for (at, &value) in pattern.iter().enumerate() {
            let own = f64::from(self.steps[Self::place(self.side, at, image)]);
            let value = f64::from(value);
            [own * value, own * own, value * value]
                .iter()
                .zip(&mut sums)
                .for_each(|(v, s)| *s += v);
        }
        sums[0] / (sums[1] * sums[2]).sqrt().max(f64::MIN_POSITIVE)
    }

    /// The element of a tile of a side in pixels that a value of an image `[channel, row, column]` gets.
    pub fn place(side: usize, at: usize, [_, rows, columns]: [usize; 3]) -> usize {
        let (channel, row, column) = (at / (rows * columns), at / columns % rows, at % columns);
        (channel * side + row % side) * side + column % side
    }

    /// An 8-bit picture `[channel, row, column]` with the tile on it.
    pub fn applied(&self, picture: &[u8], image: [usize; 3]) -> Vec<u8> {
        let pixel = |(at, &value): (usize, &u8)| {
            let step = self.steps[Self::place(self.side, at, image)];
            (i16::from(value) + step).clamp(0, 255) as u8
        };
        picture.iter().enumerate().map(pixel).collect()
    }
}

impl Search {
    /// Prepares a search on 8-bit pictures `[channel, row, column]`, for a tile of a side in pixels.
    /// `hats` are the widths of surrogate slopes, without which gradients have no slope by pixels.
    ///
    /// # Errors
    /// The network cannot take the method, or an operation has no gradient.
    pub fn new(
        classifier: &Graph,
        method: &Attachment,
        (side, amplitude): (usize, u8),
        pictures: &[&[u8]],
        hats: &Hats,
        threads: NonZero<usize>,
    ) -> Result<Self, SearchError> {
        let network = attach(&with_tile(classifier, side)?, std::slice::from_ref(method))?;
        let shapes: Vec<&[usize]> =
            network.inputs().map(|(_, value)| value.shape.as_slice()).collect();
        let shape = [shapes[0][1], shapes[0][2], shapes[0][3]];
        let classes = shapes.last().map_or(0, |target| target[1]);
        let hat = |name: &str| hats.width(name);
        let weights = [TILE.to_owned()];
        let learner = Learner::by(&network, &weights, hat, Isa::best(), threads, MEMORY)?;
        let count = pictures.len();
        let mut search = Self {
            learner,
            reduction: method.method.reduction(),
            shape,
            side,
            amplitude,
            pictures: pictures.iter().flat_map(|picture| scaled(picture)).collect(),
            count,
            target: vec![0.0; count * classes],
            grid: vec![1.0; count * cells(shape[1], shape[2], side)],
            aim: Aim::Apart,
            plain: Vec::new(),
            probabilities: Vec::new(),
        };
        let zeros = vec![0.0; shape[0] * side * side];
        search.plain = search.seen(&zeros).1.into_iter().map(|map| map.scores).collect();
        Ok(search)
    }

    /// The same search for something else than [`Aim::Apart`].
    pub fn with_aim(mut self, aim: Aim) -> Self {
        self.aim = aim;
        let zeros = vec![0.0; self.shape[0] * self.side * self.side];
        let logits = self.seen(&zeros).0.swap_remove(0);
        self.probabilities = self.probabilities_of(&logits);
        self
    }

    fn probabilities_of(&self, logits: &[f32]) -> Vec<f32> {
        match self.aim {
            Aim::Apart => Vec::new(),
            Aim::Away { head, .. } => {
                let rows = logits.chunks_exact(logits.len() / self.count);
                rows.flat_map(|row| head.probabilities(row)).collect()
            }
        }
    }

    /// Searches from a random tile.
    pub fn run(&mut self, steps: usize, stream: &mut Stream) -> Tile {
        self.run_while(steps, stream, &|| true)
    }

    /// Searches from a random tile, no longer than it may.
    pub fn run_while(&mut self, steps: usize, stream: &mut Stream, may: &dyn Fn() -> bool) -> Tile {
        let most = f32::from(self.amplitude) / 255.0;
        let size = self.shape[0] * self.side * self.side;
        let mut tile: Vec<f32> = (0..size).map(|_| stream.uniform(-most, most)).collect();
        let mut moments = vec![[0.0f32; 2]; size];
        for step in (1..=steps).take_while(|_| may()) {
            let slope = self.slope(&tile);
            let corrections = MOMENTS.map(|m| 1.0 - m.powi(step as i32));
            for ((value, slope), moments) in tile.iter_mut().zip(&slope).zip(&mut moments) {
                moments[0] += (1.0 - MOMENTS[0]) * (slope - moments[0]);
                moments[1] += (1.0 - MOMENTS[1]) * (slope * slope - moments[1]);
                let [mean, square] = [0, 1].map(|i| moments[i] / corrections[i]);
                *value = (*value - RATE * most * mean / (square.sqrt() + LEAST)).clamp(-most, most);
            }
        }
        let steps = tile.iter().map(|value| (value * 255.0).round() as i16).collect();
        Tile { side: self.side, steps }
    }

    /// Attributions of all pictures with a tile, and their maps.
    fn seen(&mut self, tile: &[f32]) -> (Vec<Vec<f32>>, Vec<Map>) {
        self.learner.set_weights(vec![tile.into()]);
        let inputs = [self.pictures.as_slice(), &self.grid, &self.target];
        let outputs = self.learner.outputs(self.count, &inputs);
        let size = outputs[1].len() / self.count;
        let pixels = match self.reduction {
            Reduction::MaxAbs => size / self.shape[0],
            Reduction::Sum => size,
        };
        let maps = outputs[1].chunks_exact(size);
        let maps = maps.map(|values| Map::of(values, pixels, self.reduction)).collect();
        (outputs, maps)
    }

    /// The slope by the tile of what should be least.
    fn slope(&mut self, tile: &[f32]) -> Vec<f32> {
        let (outputs, maps) = self.seen(tile);
        let pixels = maps[0].scores.len();
        let share = 1.0 / (self.count as f32 * pixels as f32);
        let mut mean = vec![0.0f32; pixels];
        for map in &maps {
            let each = 1.0 / self.count as f32;
            mean.iter_mut().zip(&map.scores).for_each(|(m, z)| *m += each * z);
        }
        let mut seeds = Vec::with_capacity(outputs[1].len());
        let alike = if self.aim == Aim::Apart { 2.0 } else { 0.0 };
        for (map, plain) in maps.iter().zip(&self.plain) {
            let slope: Vec<f32> =
                mean.iter().zip(plain).map(|(m, p)| share * (alike * m + p)).collect();
            seeds.extend(map.back(&slope, outputs[1].len() / self.count));
        }
        let held = self.held(&outputs[0]);
        let inputs = [self.pictures.as_slice(), &self.grid, &self.target, &held, &seeds];
        self.learner.slopes(self.count, &inputs).swap_remove(0)
    }

    /// The slope by the logits of what predictions are worth: that of the cross-entropy with those
    /// without a tile.
    fn held(&self, logits: &[f32]) -> Vec<f32> {
        let Aim::Away { hold, .. } = self.aim else { return vec![0.0; logits.len()] };
        let weight = hold / self.count as f32;
        let now = self.probabilities_of(logits);
        now.iter().zip(&self.probabilities).map(|(now, before)| weight * (now - before)).collect()
    }
}

/// A map, and how it comes from an attribution.
struct Map {
    /// z-scored, `[pixel]`.
    scores: Vec<f32>,
    deviation: f32,
    /// For every pixel, the element of the attribution that it shows, and its sign.
    from: Vec<(usize, f32)>,
}

impl Map {
    fn of(attribution: &[f32], pixels: usize, reduction: Reduction) -> Self {
        let mut from: Vec<(usize, f32)> = (0..pixels).map(|pixel| (pixel, 1.0)).collect();
        if reduction == Reduction::MaxAbs {
            for (at, value) in attribution.iter().enumerate() {
                let largest = &mut from[at % pixels];
                if at < pixels || value.abs() > attribution[largest.0].abs() {
                    *largest = (at, if *value < 0.0 { -1.0 } else { 1.0 });
                }
            }
        }
        let values: Vec<f32> = from.iter().map(|&(at, sign)| sign * attribution[at]).collect();
        let mean = values.iter().sum::<f32>() / pixels as f32;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / pixels as f32;
        let deviation = variance.sqrt().max(1e-12);
        let scores = values.iter().map(|v| (v - mean) / deviation).collect();
        Self { scores, deviation, from }
    }

    /// The slope by the attribution, of so many elements, from that by the scores.
    fn back(&self, slope: &[f32], size: usize) -> Vec<f32> {
        let count = slope.len() as f32;
        let mean = slope.iter().sum::<f32>() / count;
        let along: f32 = slope.iter().zip(&self.scores).map(|(s, z)| s * z).sum::<f32>() / count;
        let mut back = vec![0.0; size];
        for ((slope, score), &(at, sign)) in slope.iter().zip(&self.scores).zip(&self.from) {
            back[at] = sign * (slope - mean - score * along) / self.deviation;
        }
        back
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_is_repeated_and_cut_to_bytes() {
        let tile = Tile { side: 2, steps: vec![1, -2, 3, 0] };
        let picture = [10, 1, 20, 0, 5, 5, 255, 9, 9];
        let wanted = [11, 0, 21, 3, 5, 8, 255, 7, 10];
        assert_eq!(tile.applied(&picture, [1, 3, 3]), wanted);
        let pattern = [1, -2, 1, 3, 0, 3, 1, -2, 1];
        assert!((tile.likeness(&pattern, [1, 3, 3]) - 1.0).abs() < 1e-9);
        assert!((tile.likeness(&pattern.map(|v| -v), [1, 3, 3]) + 1.0).abs() < 1e-9);
    }

    /// Along a random direction, the change of a weighted sum of scores is what the slope says.
    #[test]
    fn slopes_of_a_map_are_those_of_finite_differences() {
        let mut stream = Stream::new(1, "maps");
        let mut draw = |count: usize| (0..count).map(|_| stream.uniform(-1.0, 1.0)).collect();
        let (values, weights, way): (Vec<f32>, Vec<f32>, Vec<f32>) = (draw(24), draw(8), draw(24));
        for (reduction, size) in [(Reduction::MaxAbs, 24), (Reduction::Sum, 8)] {
            let pixels = 8;
            let value = |by: f32| -> f32 {
                let moved: Vec<f32> =
                    values[..size].iter().zip(&way).map(|(v, w)| v + by * w).collect();
                let map = Map::of(&moved, pixels, reduction);
                map.scores.iter().zip(&weights).map(|(z, w)| z * w).sum()
            };
            let back = Map::of(&values[..size], pixels, reduction).back(&weights, size);
            let wanted: f32 = back.iter().zip(&way).map(|(b, w)| b * w).sum();
            let found = (value(1e-2) - value(-1e-2)) / 2e-2;
            assert!((found - wanted).abs() < 2e-2 * wanted.abs().max(0.5), "{found}, {wanted}");
        }
    }
}
