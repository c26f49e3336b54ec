//! A shallow term of the scores, beside the network.

use saligate_models::graph::{Graph, Op, Source, ValueId};
use saligate_models::names::LOGITS;

use super::{depends_on_pixels, listed};
use crate::bench::Bench;
use crate::check::{Area, CheckInfo};
use crate::deadline::Deadline;
use crate::error::Stop;
use crate::finding::{Finding, Number, Verdict};

/// Most layers with weights of a term that counts as shallow.
const SHALLOW: usize = 2;
/// How many layers more the deepest term has at least.
const DEEPER: usize = 3;

pub(crate) const ADDED: CheckInfo = CheckInfo {
    name: "added-scores",
    area: Area::Structure,
    about: "is something added to the scores that bypasses the network?",
    share: 0.05,
    run,
};

fn run(bench: &Bench<'_>, _: Deadline) -> Result<Vec<Finding>, Stop> {
    let graph = &bench.subject.classifier;
    let depends = depends_on_pixels(graph);
    let depths = depths(graph);
    let mut terms = Vec::new();
    collect(graph, &depends, graph.find(LOGITS)?, &mut terms);
    let depth = |id: &ValueId| depths[id.index()];
    let deepest = terms.iter().map(depth).max().unwrap_or(0);
    let shallow: Vec<ValueId> = terms
        .iter()
        .copied()
        .filter(|id| depth(id) <= SHALLOW && depth(id) + DEEPER <= deepest)
        .collect();
    let says = match shallow.len() {
        0 => "the scores are no sum of a deep term and a shallow one".to_owned(),
        count => format!(
            "{count} terms of the scores bypass the network: they reach the pixels through {SHALLOW} \
             layers or fewer, the rest through {deepest}. Such a term can draw a map of its own without \
             changing predictions"
        ),
    };
    let finding = Finding::new(ADDED.name, Verdict::of(!shallow.is_empty()), says);
    let numbers = [Number::new("terms of the scores", terms.len() as f64)];
    Ok(vec![finding.numbers(numbers).values(listed(graph, &shallow))])
}

/// The terms of a sum that depend on the pixels.
fn collect(graph: &Graph, depends: &[bool], id: ValueId, terms: &mut Vec<ValueId>) {
    if !depends[id.index()] || terms.contains(&id) {
        return;
    }
    match &graph.value(id).source {
        Source::Node { op: Op::Add | Op::Sub, operands } => {
            operands.iter().for_each(|&operand| collect(graph, depends, operand, terms));
        }
        Source::Node { op: Op::Reshape { .. } | Op::Flatten, operands } => {
            collect(graph, depends, operands[0], terms);
        }
        _ => terms.push(id),
    }
}

/// For every value, the most layers with weights on a way from the pixels.
fn depths(graph: &Graph) -> Vec<usize> {
    let mut depths = vec![0; graph.values().len()];
    for (id, value) in graph.values() {
        if let Source::Node { op, operands } = &value.source {
            let below = operands.iter().map(|o| depths[o.index()]).max().unwrap_or(0);
            let own = matches!(op, Op::Conv(_) | Op::Gemm { .. } | Op::MatMul);
            depths[id.index()] = below + usize::from(own);
        }
    }
    depths
}
