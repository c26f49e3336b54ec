//! Operations without a slope, between the pixels and the scores.

use saligate_models::graph::{Graph, Op, Source, ValueId};

use super::{depends_on_pixels, listed};
use crate::bench::Bench;
use crate::check::{Area, CheckInfo};
use crate::deadline::Deadline;
use crate::error::Stop;
use crate::finding::{Finding, Verdict};

/// Slope from which a saturating operation counts as a step.
const STEEP: f32 = 1e3;

pub(crate) const FLAT: CheckInfo = CheckInfo {
    name: "flat-operations",
    area: Area::Structure,
    about: "are there operations without a slope (rounding, steps, comparisons) between the pixels and the scores?",
    share: 0.05,
    run,
};

fn run(bench: &Bench<'_>, _: Deadline) -> Result<Vec<Finding>, Stop> {
    let graph = &bench.subject.classifier;
    let found = flat_operations(graph);
    let says = match found.len() {
        0 => "no operation between the pixels and the scores is a step".to_owned(),
        count => format!(
            "{count} operations between the pixels and the scores are steps: no gradient passes \
             through them, so that maps can be made to say something else than predictions rest on. \
             Trained classifiers have none"
        ),
    };
    let finding = Finding::new(FLAT.name, Verdict::of(!found.is_empty()), says);
    Ok(vec![finding.values(listed(graph, &found))])
}

/// Operations of a classifier without a slope (rounding, steps, comparisons) that depend on the pixels.
pub fn flat_operations(classifier: &Graph) -> Vec<ValueId> {
    let depends = depends_on_pixels(classifier);
    let is_flat = |op: &Op| match op {
        Op::Round | Op::Sign | Op::OneHotArgMax => true,
        Op::HardSigmoid { alpha, .. } => alpha.abs() >= STEEP,
        Op::Sigmoid { beta } => beta.abs() >= STEEP,
        _ => false,
    };
    let found = classifier.values().filter(|(id, value)| match &value.source {
        Source::Node { op, .. } => depends[id.index()] && is_flat(op),
        _ => false,
    });
    found.map(|(id, _)| id).collect()
}
