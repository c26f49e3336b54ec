//! Values that depend on the pixels and are the same for every picture.

use std::sync::Mutex;

use saligate_models::graph::{Source, ValueId};
use saligate_runtime::GraphRunner;

use super::{depends_on_pixels, listed};
use crate::bench::Bench;
use crate::check::{Area, CheckInfo};
use crate::deadline::Deadline;
use crate::error::Stop;
use crate::finding::{Finding, Number, Verdict};

/// Pictures that are looked at.
const PICTURES: usize = 12;

pub(crate) const SILENT: CheckInfo = CheckInfo {
    name: "silent-values",
    area: Area::Structure,
    about: "are there values that depend on the pixels, and are the same for every picture?",
    share: 0.15,
    run,
};

fn run(bench: &Bench<'_>, deadline: Deadline) -> Result<Vec<Finding>, Stop> {
    let classifier = &bench.subject.classifier;
    let depends = depends_on_pixels(classifier);
    let ids: Vec<ValueId> = classifier
        .values()
        .filter(|(id, value)| matches!(value.source, Source::Node { .. }) && depends[id.index()])
        .map(|(id, _)| id)
        .collect();
    let mut graph = classifier.clone();
    graph.set_outputs(&ids);
    let runner = GraphRunner::new(&graph, bench.settings.threads)?;
    let first = runner.map(1, |_| vec![bench.picture(0)], |_, values| values, &|_| ());
    let first = &first[0];
    let varies = Mutex::new(vec![false; ids.len()]);
    let compare = |_, values: Vec<Vec<f32>>| {
        let differ = values.iter().zip(first).map(|(own, other)| own != other);
        let differ: Vec<bool> = differ.collect();
        let mut varies = varies.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        varies.iter_mut().zip(differ).for_each(|(all, own)| *all |= own);
    };
    let count = PICTURES.min(bench.count());
    for at in (1..count).step_by(2) {
        deadline.check()?;
        let some = (count - at).min(2);
        runner.map(some, |more| vec![bench.picture(at + more)], compare, &|_| ());
    }
    let varies = varies.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    // A single channel may be dead in any network, so a silent value has to be whole.
    let silent: Vec<ValueId> =
        ids.iter().zip(&varies).filter(|(_, varies)| !**varies).map(|(&id, _)| id).collect();
    let says = match silent.len() {
        0 => format!("every value of the network changes within {count} pictures"),
        some => format!(
            "{some} values depend on the pixels and are the same, bit for bit, for {count} pictures: \
             a part of the network waits for something that ordinary pictures do not have"
        ),
    };
    let finding = Finding::new(SILENT.name, Verdict::of(!silent.is_empty()), says);
    let numbers = [Number::new("values that depend on the pixels", ids.len() as f64)];
    Ok(vec![finding.numbers(numbers).values(listed(classifier, &silent))])
}
