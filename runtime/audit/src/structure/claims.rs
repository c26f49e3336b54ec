//! Whether the maps in the file are those of its scores.

use saligate_models::graph::Graph;
use saligate_models::names::{IMAGE, LOGITS};
use saligate_runtime::GraphRunner;

use crate::bench::Bench;
use crate::check::{Area, CheckInfo};
use crate::deadline::Deadline;
use crate::error::Stop;
use crate::explainer::Explainer;
use crate::finding::{Finding, Number, Verdict};

/// Pictures that are looked at.
const PICTURES: usize = 4;
/// Largest difference, as a share of the largest value, that rounding explains.
const CLOSE: f64 = 1e-2;

pub(crate) const CLAIMS: CheckInfo = CheckInfo {
    name: "claimed-maps",
    area: Area::Structure,
    about: "are the maps that the file computes those of its scores?",
    share: 0.1,
    run,
};

fn run(bench: &Bench<'_>, deadline: Deadline) -> Result<Vec<Finding>, Stop> {
    let subject = bench.subject;
    if subject.claims.is_empty() {
        let says = "the file computes no maps; those of this audit are made from its scores";
        return Err(Stop::Inapplicable(says.to_owned()));
    }
    let mut findings = Vec::new();
    for claim in &subject.claims {
        deadline.check()?;
        let name = claim.method.method.name();
        let methods = std::slice::from_ref(&claim.method);
        let explainer = Explainer::new(&subject.classifier, methods, bench.settings.threads)?;
        let count = PICTURES.min(bench.count());
        let own = explainer.answers(count, |at| bench.picture(at), |_| None, deadline)?;
        let classes = subject.classes();
        let claimed = outputs(&subject.whole, &claim.output, count, bench, classes)?;
        let differences = own.iter().zip(&claimed).map(|(own, claimed)| {
            let own = &own.attributions[0];
            if own.len() != claimed.len() {
                return 1.0;
            }
            let most = own.iter().chain(claimed).fold(0.0f32, |m, v| m.max(v.abs()));
            let apart = own.iter().zip(claimed).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
            f64::from(apart) / f64::from(most.max(f32::MIN_POSITIVE))
        });
        let difference = differences.fold(0.0, f64::max);
        let differs = difference > CLOSE;
        let says = match differs {
            true => format!(
                "the output '{}' is said to be the {name} map, and is not what {name} makes of the scores",
                claim.output
            ),
            false => format!("the output '{}' is the {name} map of the scores", claim.output),
        };
        let number = Number::new("largest difference, as a share", difference).bound(CLOSE);
        findings.push(
            Finding::new(CLAIMS.name, Verdict::of(differs), says).of_method(name).numbers([number]),
        );
    }
    Ok(findings)
}

/// An output of the whole file for the first pictures.
fn outputs(
    whole: &Graph,
    name: &str,
    count: usize,
    bench: &Bench<'_>,
    classes: usize,
) -> Result<Vec<Vec<f32>>, Stop> {
    let graph = whole.extract(&[LOGITS, name])?;
    let names: Vec<String> = graph.inputs().map(|(_, value)| value.name.clone()).collect();
    let runner = GraphRunner::new(&graph, bench.settings.threads)?;
    let input = |name: &String, at: usize| match name.as_str() {
        IMAGE => bench.picture(at),
        _ => vec![0.0; classes],
    };
    let read = |_, mut outputs: Vec<Vec<f32>>| outputs.swap_remove(1);
    Ok(runner.map(count, |at| names.iter().map(|name| input(name, at)).collect(), read, &|_| ()))
}
