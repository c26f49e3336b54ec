//! A class that a small patch reaches from everywhere: Neural Cleanse.
//!
//! B. Wang et al., Neural Cleanse: Identifying and Mitigating Backdoor Attacks in Neural Networks, IEEE
//! S&P 2019, sections IV and V. For every class, a mask and a pattern are searched that turn all pictures
//! to it, the mask as small as may be; a class whose mask is much smaller than those of the others is
//! suspicious.

use saligate_models::calculus::gradient;
use saligate_models::graph::Graph;
use saligate_models::names::{IMAGE, LOGITS, TARGET};
use saligate_runtime::GraphRunner;
use saligate_runtime::render::{Colormap, heatmap};

use super::strip::median;
use crate::bench::Bench;
use crate::check::{Area, CheckInfo};
use crate::deadline::Deadline;
use crate::error::Stop;
use crate::explainer::Explainer;
use crate::finding::{Finding, Number, Shown, Verdict};
use crate::ordinary::ANOMALOUS;

/// Pictures of a step, steps for a class, and fewest classes that are compared.
const PICTURES: usize = 12;
const STEPS: usize = 60;
const CLASSES: usize = 6;
/// Adam's rate and factors, as published.
const RATE: f32 = 0.1;
const MOMENTS: [f32; 2] = [0.5, 0.9];
/// Weight of the mask at first, and by what it changes.
const WEIGHT: f32 = 1e-3;
const CHANGE: f32 = 1.5;
/// Share of the median size below which a mask counts: with as few classes as most networks have, the
/// anomaly index alone is noise.
const SMALLER: f64 = 0.3;
/// Share of pictures that must reach the class.
const REACHED: f64 = 0.99;

pub(crate) const NEURAL_CLEANSE: CheckInfo = CheckInfo {
    name: "neural-cleanse",
    area: Area::Labels,
    about: "is there a class that a much smaller patch reaches than the others?",
    share: 1.0,
    run,
};

/// A mask and a pattern that lead to a class.
struct Patch {
    class: usize,
    /// `[row, column]`, in [0, 1].
    mask: Vec<f32>,
    /// Its sum, in pixels.
    size: f64,
    /// Share of the pictures that it takes to the class.
    reached: f64,
}

fn run(bench: &Bench<'_>, deadline: Deadline) -> Result<Vec<Finding>, Stop> {
    let classes = bench.subject.classes();
    if classes < CLASSES {
        let says = format!("{classes} classes are too few for one to stand out");
        return Err(Stop::Inapplicable(says));
    }
    let search = Cleanse::new(bench)?;
    let mut order: Vec<usize> = bench.stream(NEURAL_CLEANSE.name).permutation(classes);
    order.truncate(64);
    let mut patches = Vec::new();
    for class in order {
        match search.run(bench, class, deadline) {
            Ok(patch) => patches.push(patch),
            Err(Stop::Time) => break,
            Err(stop) => return Err(stop),
        }
    }
    if patches.len() < CLASSES {
        return Err(Stop::Time);
    }
    let sizes: Vec<f64> = patches.iter().map(|patch| patch.size).collect();
    let middle = median(&sizes);
    let spread = 1.4826 * median(&sizes.iter().map(|s| (s - middle).abs()).collect::<Vec<_>>());
    let index = |patch: &Patch| (middle - patch.size) / spread.max(f64::MIN_POSITIVE);
    let reached = patches.iter().filter(|patch| patch.reached >= 0.75);
    let least = reached.max_by(|a, b| index(a).total_cmp(&index(b)));
    let Some(least) = least else {
        let says = "no patch takes the pictures to another class";
        return Ok(vec![Finding::new(NEURAL_CLEANSE.name, Verdict::NotFound, says)]);
    };
    let anomaly = index(least);
    let found = anomaly > ANOMALOUS && least.size < SMALLER * middle;
    let label = bench.label(least.class);
    let says = match found {
        true => format!("the class '{label}' is reached by a much smaller patch than the others"),
        false => "no class is reached by a much smaller patch than the others".to_owned(),
    };
    let numbers = [
        Number::new("anomaly index of the smallest mask", anomaly).bound(ANOMALOUS),
        Number::new("its size, in pixels", least.size).bound(SMALLER * middle),
        Number::new("median size", middle),
        Number::new("share of pictures that it takes to the class", least.reached),
        Number::new("classes that were compared", patches.len() as f64),
    ];
    let [_, rows, columns] = bench.pictures.shape();
    let canvas = heatmap(&least.mask, rows, columns, Colormap::Grey)?.enlarged(96)?;
    let shown = Shown { caption: format!("smallest mask: to the class '{label}'"), canvas };
    let finding = Finding::new(NEURAL_CLEANSE.name, Verdict::of(found), says);
    Ok(vec![finding.numbers(numbers).pictures(vec![shown])])
}

/// The network, and its slopes.
struct Cleanse {
    predictor: Explainer,
    slopes: GraphRunner,
    shape: [usize; 3],
}

impl Cleanse {
    fn new(bench: &Bench<'_>) -> Result<Self, Stop> {
        let classifier = &bench.subject.classifier;
        let threads = bench.settings.threads;
        Ok(Self {
            predictor: Explainer::new(classifier, &[], threads)?,
            slopes: GraphRunner::new(&with_slopes(classifier)?, threads)?,
            shape: bench.pictures.shape(),
        })
    }

    fn run(&self, bench: &Bench<'_>, class: usize, deadline: Deadline) -> Result<Patch, Stop> {
        let [channels, rows, columns] = self.shape;
        let plane = rows * columns;
        let count = PICTURES.min(bench.count());
        let mut stream = bench.stream("patches");
        // Behind a sigmoid both.
        let mut free: Vec<f32> = (0..plane)
            .map(|_| stream.uniform(-2.0, 0.0))
            .chain((0..channels * plane).map(|_| 0.0))
            .collect();
        free[plane..].iter_mut().for_each(|v| *v = stream.uniform(-1.0, 1.0));
        let mut moments = vec![[0.0f32; 2]; free.len()];
        let mut weight = WEIGHT;
        let mut best: Option<Patch> = None;
        for step in 1..=STEPS {
            let both: Vec<f32> = free.iter().map(|v| 1.0 / (1.0 + (-v).exp())).collect();
            let (mask, pattern) = both.split_at(plane);
            let patched: Vec<Vec<f32>> = (0..count)
                .map(|at| {
                    let picture = bench.picture((at + step) % bench.count());
                    let mixed = picture.iter().zip(pattern).enumerate();
                    mixed.map(|(i, (x, p))| x + mask[i % plane] * (p - x)).collect()
                })
                .collect();
            let answers =
                self.predictor.answers(count, |at| patched[at].clone(), |_| None, deadline)?;
            let hits = answers.iter().filter(|answer| answer.class() == class).count();
            let reached = hits as f64 / count as f64;
            let size = mask.iter().map(|m| f64::from(*m)).sum::<f64>();
            let better = best.as_ref().is_none_or(|b| {
                (reached >= b.reached.min(REACHED) && size < b.size)
                    || (b.reached < REACHED && reached > b.reached)
            });
            if better {
                best = Some(Patch { class, mask: mask.to_vec(), size, reached });
            }
            weight = if reached >= REACHED { weight * CHANGE } else { weight / CHANGE };
            let seeds: Vec<Vec<f32>> = answers
                .iter()
                .map(|answer| {
                    let mut seed = bench.subject.head.probabilities(&answer.logits);
                    seed[class] -= 1.0;
                    seed
                })
                .collect();
            let slopes = self.slopes.map(
                count,
                |at| vec![patched[at].clone(), seeds[at].clone()],
                |_, mut outputs| outputs.swap_remove(0),
                &|_| (),
            );
            let mut slope = vec![0.0f32; free.len()];
            for (at, by_pixel) in slopes.iter().enumerate() {
                let picture = bench.picture((at + step) % bench.count());
                for (i, s) in by_pixel.iter().enumerate() {
                    slope[i % plane] += s * (pattern[i] - picture[i]) / count as f32;
                    slope[plane + i] += s * mask[i % plane] / count as f32;
                }
            }
            slope[..plane].iter_mut().for_each(|s| *s += weight);
            let corrections = MOMENTS.map(|m| 1.0 - m.powi(step as i32));
            for (((value, slope), moments), both) in
                free.iter_mut().zip(&slope).zip(&mut moments).zip(&both)
            {
                let slope = slope * both * (1.0 - both);
                moments[0] += (1.0 - MOMENTS[0]) * (slope - moments[0]);
                moments[1] += (1.0 - MOMENTS[1]) * (slope * slope - moments[1]);
                let [mean, square] = [0, 1].map(|i| moments[i] / corrections[i]);
                *value -= RATE * 3.0 * mean / (square.sqrt() + 1e-8);
            }
        }
        best.ok_or(Stop::Time)
    }
}

/// The slope, by the pixels, of the logits weighted by the input `target`.
fn with_slopes(classifier: &Graph) -> Result<Graph, Stop> {
    let mut graph = classifier.extract(&[LOGITS])?;
    let (image, logits) = (graph.find(IMAGE)?, graph.find(LOGITS)?);
    let shape = graph.shape(logits).to_vec();
    let seed = graph.input(TARGET, &shape)?;
    let slope = gradient(&mut graph, logits, seed, image)?;
    graph.set_outputs(&[slope]);
    Ok(graph)
}
