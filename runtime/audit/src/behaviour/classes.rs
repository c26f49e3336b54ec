//! Maps that are the same for different classes.

use saligate_models::metrics::interval::Mean;
use saligate_models::saliency::Method;

use crate::bench::Bench;
use crate::check::{Area, CheckInfo};
use crate::deadline::Deadline;
use crate::error::Stop;
use crate::finding::{Finding, Number, Verdict};
use crate::ordinary;
use crate::similarity::linear;

/// Pictures that are looked at.
const PICTURES: usize = 16;
/// Correlation from which attributions of two classes count as one.
const BOUND: f64 = 0.97;

pub(crate) const CLASSES: CheckInfo = CheckInfo {
    name: "same-classes",
    area: Area::Behaviour,
    about: "do maps depend on the class that is explained?",
    share: 0.1,
    run,
};

fn run(bench: &Bench<'_>, deadline: Deadline) -> Result<Vec<Finding>, Stop> {
    let classes = bench.subject.classes();
    if classes < 3 {
        let says = "with two classes, what speaks for one speaks against the other";
        return Err(Stop::Inapplicable(says.to_owned()));
    }
    let count = PICTURES.min(bench.count());
    let mut stream = bench.stream(CLASSES.name);
    let other: Vec<usize> = (0..count)
        .map(|at| (bench.answer(at).class() + 1 + stream.below(classes - 1)) % classes)
        .collect();
    let answers =
        bench.explainer().answers(count, |at| bench.picture(at), |at| Some(other[at]), deadline)?;
    let mut findings = Vec::new();
    for (at, layout, _) in bench.methods() {
        // VisualBackProp reads no class.
        if layout.method == Method::VisualBackProp {
            continue;
        }
        let pairs = (0..count).filter_map(|picture| {
            let own = &bench.answer(picture).attributions[at];
            linear(own, &answers[picture].attributions[at]).map(f64::abs)
        });
        let alike: Vec<f64> = pairs.collect();
        if alike.len() < count / 2 {
            let says = "most maps of another class than the predicted one are empty";
            findings.push(
                Finding::new(CLASSES.name, Verdict::Unknown, says).of_method(layout.method.name()),
            );
            continue;
        }
        let mean = Mean::of(&alike)?;
        let found = mean.low > BOUND;
        let name = layout.method.name();
        let says = match found {
            true => format!("{name} maps of different classes are one map"),
            false => format!("{name} maps of different classes differ"),
        };
        let number =
            Number::mean("magnitude of the correlation of attributions of two classes", &mean)
                .bound(BOUND)
                .ordinary(ordinary::range(CLASSES.name, Some(layout.method)));
        findings.push(
            Finding::new(CLASSES.name, Verdict::of(found), says).of_method(name).numbers([number]),
        );
    }
    Ok(findings)
}
