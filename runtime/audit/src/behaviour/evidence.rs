//! Maps against what predictions rest on.

use saligate_models::metrics::interval::Mean;
use saligate_models::saliency::Method;

use super::occluded::{falls, parts};
use crate::bench::Bench;
use crate::check::{Area, CheckInfo};
use crate::deadline::Deadline;
use crate::error::Stop;
use crate::finding::{Finding, Number, Verdict};
use crate::ordinary;
use crate::similarity::{is_flat, ranked};

/// Pictures that are looked at.
const PICTURES: usize = 24;

pub(crate) const EVIDENCE: CheckInfo = CheckInfo {
    name: "evidence",
    area: Area::Behaviour,
    about: "do maps agree with what happens when parts of the picture are covered?",
    share: 0.35,
    run,
};

fn run(bench: &Bench<'_>, deadline: Deadline) -> Result<Vec<Finding>, Stop> {
    let count = PICTURES.min(bench.count());
    let falls = falls(bench, count, deadline)?;
    let [_, rows, columns] = bench.pictures.shape();
    let mut findings = Vec::new();
    for (at, layout, _) in bench.methods() {
        // VisualBackProp shows what the layers react to, whatever is predicted.
        if layout.method == Method::VisualBackProp {
            continue;
        }
        let maps: Vec<Vec<f32>> = (0..count)
            .map(|picture| {
                let attribution = &bench.answer(picture).attributions[at];
                parts(&layout.shown(attribution, [rows, columns]), rows, columns)
            })
            .collect();
        if maps.iter().filter(|map| is_flat(map)).count() * 2 > count {
            let says = "most maps are empty";
            findings.push(
                Finding::new(EVIDENCE.name, Verdict::Unknown, says).of_method(layout.method.name()),
            );
            continue;
        }
        let alike = correlations(&falls, &maps)?;
        // What is left where the part that all pictures share is taken away.
        let own = correlations(&less_mean(&falls), &less_mean(&maps))?;
        let (alike, own) = (Mean::of(&alike)?, Mean::of(&own)?);
        let bound = ordinary::least_evidence(layout.method);
        let found = own.high < bound;
        let name = layout.method.name();
        let says = match found {
            true => format!(
                "{name} maps have nothing to do with which parts of a picture the predictions rest on"
            ),
            false => {
                format!("{name} maps agree with which parts of a picture the predictions rest on")
            }
        };
        let range = ordinary::range(EVIDENCE.name, Some(layout.method));
        let numbers = [
            Number::mean("rank correlation of maps with the fall of the score, beyond what all pictures share", &own)
                .bound(bound)
                .ordinary(range),
            Number::mean("rank correlation of maps with the fall of the score", &alike),
        ];
        findings.push(
            Finding::new(EVIDENCE.name, Verdict::of(found), says).of_method(name).numbers(numbers),
        );
    }
    Ok(findings)
}

/// Correlation of each pair; 0 where a map ranks nothing.
fn correlations(falls: &[Vec<f32>], maps: &[Vec<f32>]) -> Result<Vec<f64>, Stop> {
    let pairs = falls.iter().zip(maps);
    pairs.map(|(fall, map)| Ok(ranked(fall, map)?.unwrap_or(0.0))).collect()
}

/// Standardized maps without their mean over the pictures.
fn less_mean(maps: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let scored: Vec<Vec<f32>> = maps.iter().map(|map| z_scored(map)).collect();
    let mut mean = vec![0.0f32; scored[0].len()];
    for map in &scored {
        mean.iter_mut().zip(map).for_each(|(m, v)| *m += v / scored.len() as f32);
    }
    scored.iter().map(|map| map.iter().zip(&mean).map(|(v, m)| v - m).collect()).collect()
}

fn z_scored(map: &[f32]) -> Vec<f32> {
    let count = map.len() as f32;
    let mean = map.iter().sum::<f32>() / count;
    let deviation = (map.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / count).sqrt();
    map.iter().map(|v| (v - mean) / deviation.max(f32::MIN_POSITIVE)).collect()
}
