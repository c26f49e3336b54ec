//! Maps of a network whose weights are shuffled: model randomisation.
//!
//! J. Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018, section 3.

use saligate_models::metrics::interval::Mean;
use saligate_models::names::LOGITS;

use crate::bench::Bench;
use crate::check::{Area, CheckInfo};
use crate::deadline::Deadline;
use crate::error::Stop;
use crate::explainer::Explainer;
use crate::finding::{Finding, Number, Verdict};
use crate::ordinary;
use crate::similarity::ranked;

/// Pictures that are looked at.
const PICTURES: usize = 12;

pub(crate) const WEIGHTS: CheckInfo = CheckInfo {
    name: "shuffled-weights",
    area: Area::Behaviour,
    about: "do maps change when the weights of the network are shuffled?",
    share: 0.15,
    run,
};

fn run(bench: &Bench<'_>, deadline: Deadline) -> Result<Vec<Finding>, Stop> {
    let subject = bench.subject;
    let mut shuffled = subject.classifier.extract(&[LOGITS])?;
    shuffled.shuffle_weights(&mut bench.stream(WEIGHTS.name))?;
    let explainer = Explainer::new(&shuffled, &subject.methods, bench.settings.threads)?;
    let count = PICTURES.min(bench.count());
    let class = |at: usize| Some(bench.answer(at).class());
    let answers = explainer.answers(count, |at| bench.picture(at), class, deadline)?;
    let mut findings = Vec::new();
    for (at, layout, _) in bench.methods() {
        let mut alike = Vec::new();
        for (picture, answer) in answers.iter().enumerate() {
            let own = layout.map(&bench.answer(picture).attributions[at]);
            alike.extend(ranked(&own, &layout.map(&answer.attributions[at]))?);
        }
        let name = layout.method.name();
        if alike.is_empty() {
            let says = "maps with shuffled weights are empty";
            findings.push(Finding::new(WEIGHTS.name, Verdict::Unknown, says).of_method(name));
            continue;
        }
        let mean = Mean::of(&alike)?;
        let bound = ordinary::most_kept(layout.method);
        let found = mean.low > bound;
        let says = match found {
            true => format!("{name} maps stay what they are when all weights are shuffled"),
            false => format!("{name} maps change when all weights are shuffled"),
        };
        let number = Number::mean("rank correlation of maps before and after", &mean)
            .bound(bound)
            .ordinary(ordinary::range(WEIGHTS.name, Some(layout.method)));
        findings.push(
            Finding::new(WEIGHTS.name, Verdict::of(found), says).of_method(name).numbers([number]),
        );
    }
    Ok(findings)
}
