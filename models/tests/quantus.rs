//! Metrics of maps against Quantus; `quantus.json` is made by `tests/reference/metrics.py`.

use saligate_models::metrics::concentration::{complexity, sparseness};
use saligate_models::metrics::faithfulness::{PixelSteps, auc};
use saligate_models::metrics::infidelity::{infidelity, promised};
use saligate_models::metrics::localisation::{pointing_game, relevance_inside};
use saligate_models::metrics::robustness::{max_sensitivity, randomisation};
use serde::Deserialize;

const CLOSE: f64 = 1e-5;

#[derive(Deserialize)]
struct Golden {
    count: usize,
    side: usize,
    hidden: usize,
    classes: usize,
    blocks: usize,
    first: Vec<f64>,
    second: Vec<f64>,
    pictures: Vec<f32>,
    explained: Vec<usize>,
    gradients: Vec<f32>,
    maps: Vec<f32>,
    masks: Vec<u8>,
    noise: Vec<f32>,
    randomised: Vec<f32>,
    scores: Scores,
}

#[derive(Deserialize)]
struct Scores {
    sparseness: Vec<f64>,
    complexity: Vec<f64>,
    pointing_game: Vec<f64>,
    inside_mass: Vec<f64>,
    infidelity: Vec<f64>,
    pixel_flipping: Vec<f64>,
    pixel_flipping_curve: Vec<Vec<f64>>,
    max_sensitivity: Vec<f64>,
    randomisation: Vec<f64>,
}

impl Golden {
    fn read() -> Self {
        serde_json::from_str(include_str!("quantus.json")).unwrap()
    }

    fn pixels(&self) -> usize {
        self.side * self.side
    }

    fn of<'a, T>(&self, all: &'a [T], picture: usize) -> &'a [T] {
        let each = all.len() / self.count;
        &all[picture * each..][..each]
    }

    fn hidden(&self, pixels: &[f32]) -> Vec<f64> {
        let rows = self.first.chunks_exact(self.pixels());
        let product = |row: &[f64]| row.iter().zip(pixels).map(|(w, x)| w * f64::from(*x)).sum();
        rows.map(product).map(f64::tanh).collect()
    }

    fn logits(&self, pixels: &[f32]) -> Vec<f64> {
        let hidden = self.hidden(pixels);
        let rows = self.second.chunks_exact(self.hidden);
        rows.map(|row| row.iter().zip(&hidden).map(|(w, h)| w * h).sum()).collect()
    }

    fn probability(&self, pixels: &[f32], class: usize) -> f64 {
        let logits = self.logits(pixels);
        assert_eq!(logits.len(), self.classes);
        logits[class].exp() / logits.iter().map(|l| l.exp()).sum::<f64>()
    }

    fn gradient(&self, pixels: &[f32], class: usize) -> Vec<f32> {
        let hidden = self.hidden(pixels);
        let row = &self.second[class * self.hidden..][..self.hidden];
        let slopes: Vec<f64> = row.iter().zip(&hidden).map(|(w, h)| w * (1.0 - h * h)).collect();
        let column = |at: usize| -> f64 {
            (0..self.hidden).map(|h| slopes[h] * self.first[h * self.pixels() + at]).sum()
        };
        (0..self.pixels()).map(|at| column(at) as f32).collect()
    }
}

fn agree(name: &str, found: f64, wanted: f64) {
    assert!((found - wanted).abs() < CLOSE, "{name}: {found}, Quantus has {wanted}");
}

#[test]
fn concentration_and_localisation_agree() {
    let golden = Golden::read();
    for at in 0..golden.count {
        let map = golden.of(&golden.maps, at);
        let mask: Vec<bool> = golden.of(&golden.masks, at).iter().map(|&m| m == 1).collect();
        let scores = &golden.scores;
        agree("sparseness", sparseness(map).unwrap(), scores.sparseness[at]);
        agree("complexity", complexity(map).unwrap(), scores.complexity[at]);
        let hit = f64::from(u8::from(pointing_game(map, &mask).unwrap()));
        agree("pointing game", hit, scores.pointing_game[at]);
        let positive: Vec<f32> = map.iter().map(|v| v.abs()).collect();
        agree("inside mass", relevance_inside(&positive, &mask).unwrap(), scores.inside_mass[at]);
    }
}

#[test]
fn pixel_flipping_agrees() {
    let golden = Golden::read();
    for at in 0..golden.count {
        let wanted = &golden.scores.pixel_flipping_curve[at];
        let steps = PixelSteps::new(golden.of(&golden.maps, at), wanted.len()).unwrap();
        let flipped = steps.iter().skip(1).map(|pixels| {
            let mut picture = golden.of(&golden.pictures, at).to_vec();
            pixels.iter().for_each(|&pixel| picture[pixel] = 0.0);
            golden.probability(&picture, golden.explained[at])
        });
        let curve: Vec<f64> = flipped.collect();
        for (found, wanted) in curve.iter().zip(wanted) {
            agree("curve of pixel flipping", *found, *wanted);
        }
        agree("pixel flipping", auc(&curve).unwrap(), golden.scores.pixel_flipping[at]);
    }
}

#[test]
fn infidelity_agrees() {
    let golden = Golden::read();
    for at in 0..golden.count {
        let (whole, class) = (golden.of(&golden.pictures, at), golden.explained[at]);
        let attribution = golden.of(&golden.gradients, at);
        let score = golden.logits(whole)[class];
        let mut covered = whole.to_vec();
        let (mut promises, mut found) = (Vec::new(), Vec::new());
        let per_side = golden.side / golden.blocks;
        for block in 0..per_side * per_side {
            for (pixel, value) in covered.iter_mut().enumerate() {
                let (row, column) = (pixel / golden.side, pixel % golden.side);
                if row / golden.blocks * per_side + column / golden.blocks == block {
                    *value = 0.0;
                }
            }
            promises.push(promised(attribution, whole, &covered).unwrap());
            found.push(score - golden.logits(&covered)[class]);
        }
        agree("infidelity", infidelity(&promises, &found).unwrap(), golden.scores.infidelity[at]);
    }
}

#[test]
fn robustness_agrees() {
    let golden = Golden::read();
    for at in 0..golden.count {
        let (whole, class) = (golden.of(&golden.pictures, at), golden.explained[at]);
        let own = golden.of(&golden.gradients, at);
        let recomputed = golden.gradient(whole, class);
        assert!(own.iter().zip(&recomputed).all(|(a, b)| (a - b).abs() < 1e-5));
        let noisy = golden.of(&golden.noise, at).chunks_exact(golden.pixels());
        let moved: Vec<Vec<f32>> = noisy
            .map(|noise| {
                let picture: Vec<f32> = whole.iter().zip(noise).map(|(x, n)| x + n).collect();
                golden.gradient(&picture, class)
            })
            .collect();
        let scores = &golden.scores;
        agree("max-sensitivity", max_sensitivity(own, &moved).unwrap(), scores.max_sensitivity[at]);
        let others = golden.of(&golden.randomised, at).chunks_exact(golden.pixels());
        let others: Vec<Vec<f32>> = others.map(<[f32]>::to_vec).collect();
        agree("randomisation", randomisation(own, &others).unwrap(), scores.randomisation[at]);
    }
}
