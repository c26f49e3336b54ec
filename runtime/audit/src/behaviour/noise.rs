//! Maps of pictures with a little noise.

use saligate_models::metrics::interval::Mean;
use saligate_models::pixels::scaled;

use crate::bench::Bench;
use crate::check::{Area, CheckInfo};
use crate::deadline::Deadline;
use crate::error::Stop;
use crate::finding::{Finding, Number, Verdict};
use crate::ordinary;
use crate::similarity::ranked;

/// Pictures that are looked at.
const PICTURES: usize = 16;

pub(crate) const NOISE: CheckInfo = CheckInfo {
    name: "noise",
    area: Area::Behaviour,
    about: "do maps stay where a picture changes by a grey level and its prediction does not?",
    share: 0.1,
    run,
};

fn run(bench: &Bench<'_>, deadline: Deadline) -> Result<Vec<Finding>, Stop> {
    let count = PICTURES.min(bench.count());
    let mut stream = bench.stream(NOISE.name);
    let noisy: Vec<Vec<u8>> = (0..count)
        .map(|at| {
            let step = |byte: &u8| byte.saturating_add_signed(stream.below(3) as i8 - 1);
            bench.pictures.bytes(at).iter().map(step).collect()
        })
        .collect();
    let class = |at: usize| Some(bench.answer(at).class());
    let answers = bench.explainer().answers(count, |at| scaled(&noisy[at]), class, deadline)?;
    let mut findings = Vec::new();
    for (at, layout, _) in bench.methods() {
        let mut alike = Vec::new();
        for (picture, answer) in answers.iter().enumerate() {
            if answer.class() == bench.answer(picture).class() {
                let own = layout.map(&bench.answer(picture).attributions[at]);
                alike.extend(ranked(&own, &layout.map(&answer.attributions[at]))?);
            }
        }
        let name = layout.method.name();
        if alike.is_empty() {
            let says = "there is no map to compare: predictions change, or maps are empty";
            findings.push(Finding::new(NOISE.name, Verdict::Unknown, says).of_method(name));
            continue;
        }
        let mean = Mean::of(&alike)?;
        let bound = ordinary::least_steady(layout.method);
        let found = mean.high < bound;
        let says = match found {
            true => {
                format!("{name} maps change with a noise of one grey level, and predictions do not")
            }
            false => format!("{name} maps stay with a noise of one grey level"),
        };
        let number = Number::mean("rank correlation of maps with and without noise", &mean)
            .bound(bound)
            .ordinary(ordinary::range(NOISE.name, Some(layout.method)));
        findings.push(
            Finding::new(NOISE.name, Verdict::of(found), says).of_method(name).numbers([number]),
        );
    }
    Ok(findings)
}
