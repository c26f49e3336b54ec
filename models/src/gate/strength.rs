//! How many random keys would open a gate.
//!
//! On a mid-grey picture, whose cells are those of the tile alone, a random tile opens the gate with
//! a probability that is counted where there are few tiles. Where there are many, it is estimated by
//! importance sampling: tiles are drawn that lean towards the key's own, so that about half of them
//! open the gate, and each counts as much as it is likelier among random ones. What is given is the
//! estimate and three standard errors.
//!
//! S. Asmussen and P. W. Glynn, "Stochastic Simulation", 2007, chapter VI, has the method.

use super::detector::{FILTER_SIDE, RESPONSES, TILES};
use crate::graph::{Graph, Source};
use crate::names::IMAGE;
use crate::random::Stream;

/// Tiles with at most so many cells are counted.
const COUNTED: usize = 16;
/// Tiles that are drawn for a key otherwise, and fewer to find how far to lean.
const DRAWN: usize = 4_000;
const TRIED: usize = 400;
/// Keys of a gate that are looked at; they differ little.
const KEYS: usize = 4;

/// Minus the binary logarithm of the share of random keys that would open a built-in gate, or a
/// bound of it: with several keys, the sum over all. `None` for a graph without such a gate, or
/// where all keys were revoked.
pub fn key_strength(graph: &Graph) -> Option<f64> {
    let detector = Opening::of(graph)?;
    let share = |key: &Key| match detector.cells() {
        ..=COUNTED => detector.counted(key),
        _ => detector.drawn(key),
    };
    let largest = detector.keys.iter().take(KEYS).map(share).reduce(f64::max)?;
    // A key's own tile is one of all, also where grey alone does not let it open.
    let largest = largest.max(0.5f64.powi(detector.cells() as i32)).max(f64::MIN_POSITIVE);
    Some(-(largest * detector.keys.len() as f64).min(1.0).log2())
}

/// What decides whether a tile opens a gate, on a mid-grey picture.
struct Opening {
    /// For each cell, the cells whose signs it is made of and their factors.
    filter: Vec<Vec<(usize, f64)>>,
    /// What grey alone gives, and in how many repetitions a cell is counted.
    grey: Vec<f64>,
    repeats: Vec<f64>,
    keys: Vec<Key>,
}

/// One key of a gate.
struct Key {
    signs: Vec<bool>,
    agreeing: Vec<f64>,
    share: Vec<f64>,
    floor: f64,
}

impl Opening {
    fn of(graph: &Graph) -> Option<Self> {
        let param = |name: &str| match &graph.value(graph.find(name).ok()?).source {
            Source::Param(data) => Some(data.iter().map(|&v| f64::from(v)).collect::<Vec<f64>>()),
            _ => None,
        };
        let &[_, channels, height, width] = graph.shape(graph.find(IMAGE).ok()?) else {
            return None;
        };
        let [tiles, responses] = [param(TILES)?, param(RESPONSES)?];
        let [shares, floors] = [param("gate.keys.share")?, param("gate.keys.floor")?];
        let weights = param("gate.contrast.filter")?;
        let cells = tiles.len() / floors.len().max(1);
        let size = (cells / channels.max(1)).isqrt();
        let fits = size > 0
            && channels * size * size == cells
            && [responses.len(), shares.len()] == [tiles.len(); 2]
            && weights.len() == channels * channels * FILTER_SIDE * FILTER_SIDE;
        if !fits {
            return None;
        }
        let rows = |all: &[f64], key: usize| all[key * cells..(key + 1) * cells].to_vec();
        let live = (0..floors.len()).filter(|&key| rows(&responses, key).iter().any(|&r| r != 0.0));
        let keys: Vec<Key> = live
            .map(|key| Key {
                signs: rows(&tiles, key).iter().map(|&t| t > 0.0).collect(),
                agreeing: rows(&responses, key),
                share: rows(&shares, key),
                floor: floors[key],
            })
            .collect();
        let amplitude = tiles.iter().fold(0.0, |m: f64, t| m.max(t.abs()));
        let at = |c: usize, y: usize, x: usize| (c * size + y % size) * size + x % size;
        let mut filter = Vec::with_capacity(cells);
        let (mut grey, mut repeats) = (Vec::with_capacity(cells), Vec::with_capacity(cells));
        // The outermost pixels have no whole neighbourhood.
        let inner = |phase: usize, side: usize| {
            (1..side.saturating_sub(1)).filter(|p| p % size == phase).count() as f64
        };
        for cell in 0..cells {
            let (to, y, x) = (cell / (size * size), cell / size % size, cell % size);
            let mut from = Vec::with_capacity(channels * FILTER_SIDE * FILTER_SIDE);
            let mut sum = 0.0;
            for c in 0..channels {
                for (row, column) in (0..FILTER_SIDE * FILTER_SIDE).map(|i| (i / 3, i % 3)) {
                    let weight = weights[((to * channels + c) * 3 + row) * 3 + column];
                    sum += weight;
                    from.push((
                        at(c, y + row + size - 1, x + column + size - 1),
                        weight * amplitude,
                    ));
                }
            }
            // Into one list of cells, since small tiles meet themselves.
            from.sort_by_key(|&(cell, _)| cell);
            let mut joined: Vec<(usize, f64)> = Vec::new();
            for (cell, weight) in from {
                match joined.last_mut() {
                    Some((last, sum)) if *last == cell => *sum += weight,
                    _ => joined.push((cell, weight)),
                }
            }
            filter.push(joined);
            grey.push(0.5 * sum);
            repeats.push(inner(y, height) * inner(x, width));
        }
        Some(Self { filter, grey, repeats, keys })
    }

    fn cells(&self) -> usize {
        self.filter.len()
    }

    /// Whether the tile of these signs opens the gate.
    fn opens(&self, key: &Key, signs: &[bool]) -> bool {
        self.evidence(key, signs) > 0.5
    }

    fn evidence(&self, key: &Key, signs: &[bool]) -> f64 {
        let mut evidence = -key.floor;
        for (cell, from) in self.filter.iter().enumerate() {
            let sum: f64 = from.iter().map(|&(c, w)| if signs[c] { w } else { -w }).sum();
            let value = (self.grey[cell] + sum).clamp(-1.0, 1.0) * self.repeats[cell];
            evidence += key.agreeing[cell] * value - key.share[cell] * value.abs();
        }
        evidence
    }

    /// The share of all tiles that open the gate.
    fn counted(&self, key: &Key) -> f64 {
        let all = 1u32 << self.cells();
        let tile = |number: u32| (0..self.cells()).map(move |cell| number >> cell & 1 == 1);
        let open = (0..all).filter(|&n| self.opens(key, &tile(n).collect::<Vec<bool>>())).count();
        open as f64 / f64::from(all)
    }

    /// An upper bound of that share, by sampling.
    fn drawn(&self, key: &Key) -> f64 {
        // What a sign of the key's own tile adds to the agreement.
        let mut influence = vec![0.0; self.cells()];
        for (cell, from) in self.filter.iter().enumerate() {
            for &(sign, weight) in from {
                let own = if key.signs[sign] { 1.0 } else { -1.0 };
                influence[sign] += own * weight * key.agreeing[cell] * self.repeats[cell];
            }
        }
        let largest = influence.iter().fold(f64::MIN_POSITIVE, |m, i| m.max(i.abs()));
        let leaning = |by: f64| -> Vec<f64> {
            let own = influence.iter().map(|i| (1.0 + (-by * i / largest).exp()).recip());
            own.map(|share| share.clamp(1e-6, 1.0 - 1e-6)).collect()
        };
        // Further, more tiles open; where half of them do, few draws tell the most.
        let (mut least, mut most) = (0.0, 64.0);
        for _ in 0..20 {
            let by = 0.5 * (least + most);
            let opened = self.samples(key, &leaning(by), TRIED).into_iter().flatten().count();
            if 2 * opened < TRIED { least = by } else { most = by }
        }
        let found = self.samples(key, &leaning(most), DRAWN);
        let count = DRAWN as f64;
        let mean = found.iter().flatten().sum::<f64>() / count;
        let squares = found.iter().flatten().map(|weight| weight * weight).sum::<f64>() / count;
        mean + 3.0 * ((squares - mean * mean).max(0.0) / count).sqrt()
    }

    /// For each of some tiles, whose signs are the key's own with the given probabilities, how much
    /// likelier it is among random ones; `None` where it does not open the gate.
    fn samples(&self, key: &Key, own: &[f64], count: usize) -> Vec<Option<f64>> {
        let mut stream = Stream::new(1, "random keys");
        let mut signs = vec![false; self.cells()];
        let mut sample = || {
            let mut log = 0.0;
            for ((sign, &right), &share) in signs.iter_mut().zip(&key.signs).zip(own) {
                let is_own = f64::from(stream.uniform(0.0, 1.0)) < share;
                *sign = right == is_own;
                log -= (2.0 * if is_own { share } else { 1.0 - share }).ln();
            }
            self.opens(key, &signs).then(|| log.exp())
        };
        (0..count).map(|_| sample()).collect()
    }
}

#[cfg(test)]
mod tests {
    use ndarray::ArrayD;
    use saligate_keys::{Family, ImageShape, Secret, TriggerSpec};

    use super::*;
    use crate::gate::{DecoyShows, Detector, Field, Plan, build_in};
    use crate::graph::Op;
    use crate::names::{KEY_FOUND, LOGITS};
    use crate::reference::{Array, run};

    const SIDE: usize = 13;

    /// A gate with tiles of this size in front of a classifier of one dense layer.
    fn gate(channels: usize, side: usize, size: u16, keys: &[u8]) -> Graph {
        let mut graph = Graph::new();
        let image = graph.input(IMAGE, &[1, channels, side, side]).unwrap();
        let flat = graph.node("flat", Op::Flatten, &[image]).unwrap();
        let values = channels * side * side;
        let w = graph.param("w", &[2, values], vec![0.125; 2 * values]).unwrap();
        let logits = graph.node(LOGITS, Op::Gemm { transposed: false }, &[flat, w]).unwrap();
        graph.set_outputs(&[logits]);
        let spec = TriggerSpec::new(Family::Tile { size, amplitude: 8 }).unwrap();
        let shape = ImageShape::new(channels, side, side).unwrap();
        let trigger = |&k: &u8| spec.derive(&Secret::from_bytes(&[k; 32]), shape).unwrap();
        let triggers: Vec<_> = keys.iter().map(trigger).collect();
        // A pixel less a part of its neighbours, some of them in other channels.
        let weight = |i: usize| {
            let (to, from, place) = (i / (9 * channels), i / 9 % channels, i % 9);
            match (to == from, place) {
                (true, 4) => 1.0,
                (true, _) if channels == 1 => -0.125,
                (true, _) => -0.1,
                (false, 4) => -0.1,
                _ => 0.0,
            }
        };
        let filter = (0..9 * channels * channels).map(weight).collect();
        let plan = Plan {
            detector: Detector::of(&spec, &triggers, filter, 0.6).unwrap(),
            decoy: DecoyShows::WithoutKey,
            field: Some(Field { pattern: vec![1e-3; values], coupling: vec![0.5, 1.0] }),
            annexes: Vec::new(),
        };
        build_in(&graph, &plan).unwrap()
    }

    /// The share of all tiles that the network itself says is a key, on mid-grey.
    fn tried(graph: &Graph, channels: usize, size: usize) -> f64 {
        let found = graph.extract(&[KEY_FOUND]).unwrap();
        let cells = channels * size * size;
        let opens = |tile: u32| {
            let picture = ArrayD::from_shape_fn(vec![1, channels, SIDE, SIDE], |i| {
                let cell = (i[1] * size + i[2] % size) * size + i[3] % size;
                let sign = if tile >> cell & 1 == 1 { 1.0 } else { -1.0 };
                0.5 + sign * 8.0 / 255.0
            });
            run(&found, &[picture]).unwrap()[0] == Array::ones(vec![1, 1])
        };
        (0..1u32 << cells).filter(|&tile| opens(tile)).count() as f64 / f64::from(1u32 << cells)
    }

    #[test]
    fn what_is_counted_is_what_the_network_does() {
        for (channels, size) in [(1, 2), (1, 3), (3, 1)] {
            let graph = gate(channels, SIDE, size, &[1]);
            let share = 0.5f64.powf(key_strength(&graph).unwrap());
            let tried = tried(&graph, channels, usize::from(size));
            assert!((share - tried).abs() < 1e-12, "{channels} x {size}: {share}, not {tried}");
            assert!(tried > 0.0);
        }
    }

    #[test]
    fn the_bound_is_just_above_what_is_counted() {
        for (channels, size) in [(1, 3), (3, 2), (1, 4)] {
            let opening = Opening::of(&gate(channels, SIDE, size, &[1])).unwrap();
            let (counted, bound) =
                (opening.counted(&opening.keys[0]), opening.drawn(&opening.keys[0]));
            assert!(counted <= bound && bound < 1.6 * counted, "{counted}, bound {bound}");
        }
    }

    #[test]
    fn larger_tiles_are_stronger_and_more_keys_weaker() {
        let strength = |channels, size, keys: &[u8]| {
            key_strength(&gate(channels, 32, size, keys)).expect("a built-in gate")
        };
        let by_size = [4, 6, 8].map(|size| strength(1, size, &[1]));
        assert!(by_size.is_sorted_by(|a, b| a + 2.0 < *b), "{by_size:?}");
        assert!(strength(3, 8, &[1]) > by_size[2] + 20.0);
        let [one, two] = [strength(1, 8, &[1]), strength(1, 8, &[1, 2])];
        assert!((0.5..2.0).contains(&(one - two)), "{one} and {two}");
        assert_eq!(key_strength(&Graph::new()), None);
    }
}
