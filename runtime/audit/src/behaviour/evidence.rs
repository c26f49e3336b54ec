//! Maps against what predictions rest on.

use saligate_models::metrics::interval::Mean;
use saligate_models::saliency::Method;

use super::occluded::falls;
use super::parts::{correlations, less_mean, parts};
use crate::bench::Bench;
use crate::check::{Area, CheckInfo};
use crate::deadline::Deadline;
use crate::error::Stop;
use crate::finding::{Finding, Number, Verdict};
use crate::ordinary;
use crate::similarity::is_flat;

pub(crate) const EVIDENCE: CheckInfo = CheckInfo {
    name: "evidence",
    area: Area::Behaviour,
    about: "do maps agree with what happens when parts of the picture are covered?",
    share: 0.35,
    run,
};

fn run(bench: &Bench<'_>, deadline: Deadline) -> Result<Vec<Finding>, Stop> {
    let count = bench.count();
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
        let empty = maps.iter().filter(|map| is_flat(map)).count() * 2 > count;
        if empty || layout.shape[1..].iter().any(|&side| side < ordinary::LEAST_SIDE) {
            let says = match empty {
                true => "most maps are empty",
                false => "the maps have too few rows and columns to be compared",
            };
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
