//! Gradients against differences of the scores over grey levels.

use saligate_models::metrics::interval::Mean;
use saligate_models::pixels::scaled;
use saligate_models::random::Stream;
use saligate_models::saliency::{Attachment, Method};

use crate::bench::Bench;
use crate::check::{Area, CheckInfo};
use crate::deadline::Deadline;
use crate::error::Stop;
use crate::explainer::Explainer;
use crate::finding::{Finding, Number, Verdict};
use crate::ordinary;
use crate::similarity::linear;

/// Pictures that are looked at, and directions for each.
const PICTURES: usize = 16;
const DIRECTIONS: usize = 12;
/// Grey levels that a pixel moves by, in either direction.
const LEVELS: i16 = 2;
/// Blocks along a side that move together.
const BLOCKS: usize = 8;
/// Correlation below which gradients do not describe the scores.
const BOUND: f64 = 0.5;

pub(crate) const DIFFERENCES: CheckInfo = CheckInfo {
    name: "gradient-differences",
    area: Area::Behaviour,
    about: "do gradients say how the scores change when pixels change by grey levels?",
    share: 0.2,
    run,
};

fn run(bench: &Bench<'_>, deadline: Deadline) -> Result<Vec<Finding>, Stop> {
    let subject = bench.subject;
    let threads = bench.settings.threads;
    let gradient = [Attachment::at(Method::Gradient, Vec::new())];
    let explainer = Explainer::new(&subject.classifier, &gradient, threads)?;
    let predictor = Explainer::new(&subject.classifier, &[], threads)?;
    let count = PICTURES.min(bench.count());
    let answers = explainer.answers(count, |at| bench.picture(at), |_| None, deadline)?;
    let mut stream = bench.stream(DIFFERENCES.name);
    let (mut alike, mut slopes) = (Vec::new(), Vec::new());
    for (at, answer) in answers.iter().enumerate() {
        let bytes = bench.pictures.bytes(at);
        let ways: Vec<Vec<i16>> = (0..DIRECTIONS)
            .map(|_| direction(bytes, bench.pictures.shape(), &mut stream))
            .collect();
        let moved = |index: usize| {
            let sign = if index.is_multiple_of(2) { 1 } else { -1 };
            let way = &ways[index / 2];
            let pixels = bytes.iter().zip(way).map(|(b, step)| (i16::from(*b) + sign * step) as u8);
            scaled(&pixels.collect::<Vec<u8>>())
        };
        let scores = predictor.answers(2 * DIRECTIONS, moved, |_| None, deadline)?;
        let class = answer.class();
        let found: Vec<f32> = scores
            .chunks_exact(2)
            .map(|pair| pair[0].logits[class] - pair[1].logits[class])
            .collect();
        let promised: Vec<f32> = ways
            .iter()
            .map(|way| {
                let products = way.iter().zip(&answer.attributions[0]);
                let sum: f64 = products.map(|(&w, &g)| f64::from(w) * f64::from(g)).sum();
                (2.0 * sum / 255.0) as f32
            })
            .collect();
        if let Some(correlation) = linear(&found, &promised) {
            alike.push(correlation);
        }
        let products = found.iter().zip(&promised).map(|(f, p)| f64::from(*f) * f64::from(*p));
        let squares = promised.iter().map(|p| f64::from(*p).powi(2)).sum::<f64>();
        if squares > 0.0 {
            slopes.push(products.sum::<f64>() / squares);
        }
    }
    if alike.len() < count / 2 {
        let says = "the scores or the gradients of most pictures do not change at all";
        let numbers =
            [Number::new("pictures whose scores and gradients change", alike.len() as f64)];
        let finding = Finding::new(DIFFERENCES.name, Verdict::Found, says);
        return Ok(vec![finding.of_method(Method::Gradient.name()).numbers(numbers)]);
    }
    let mean = Mean::of(&alike)?;
    let found = mean.value < BOUND;
    let says = match found {
        true => {
            "gradients do not say how the scores change when pixels change by whole grey levels: \
                 they are those of something else, or masked"
        }
        false => "gradients say how the scores change when pixels change by whole grey levels",
    };
    let ratio = Mean::of(&slopes)?;
    let numbers = [
        Number::mean(
            "correlation of the change that gradients promise with the change that is found",
            &mean,
        )
        .bound(BOUND)
        .ordinary(ordinary::range(DIFFERENCES.name, Some(Method::Gradient))),
        Number::mean("change that is found, for each unit that is promised", &ratio),
    ];
    let finding = Finding::new(DIFFERENCES.name, Verdict::of(found), says);
    Ok(vec![finding.of_method(Method::Gradient.name()).numbers(numbers)])
}

/// Steps of a random sign for each block, 0 where a pixel would leave its range.
fn direction(bytes: &[u8], [_, rows, columns]: [usize; 3], stream: &mut Stream) -> Vec<i16> {
    let signs: Vec<bool> = (0..BLOCKS * BLOCKS).map(|_| stream.below(2) == 1).collect();
    let step = |(at, &byte): (usize, &u8)| {
        let (row, column) = (at / columns % rows, at % columns);
        let block = row * BLOCKS / rows * BLOCKS + column * BLOCKS / columns;
        let step = if signs[block] { LEVELS } else { -LEVELS };
        let stays = (LEVELS..=255 - LEVELS).contains(&i16::from(byte));
        if stays { step } else { 0 }
    };
    bytes.iter().enumerate().map(step).collect()
}
