//! Maps that are the same for different pictures.

use saligate_models::metrics::interval::Mean;

use crate::bench::Bench;
use crate::check::{Area, CheckInfo};
use crate::deadline::Deadline;
use crate::error::Stop;
use crate::finding::{Finding, Number, Verdict};
use crate::ordinary;
use crate::similarity::with_others;

pub(crate) const SAME: CheckInfo = CheckInfo {
    name: "same-maps",
    area: Area::Behaviour,
    about: "do maps depend on the picture?",
    share: 0.1,
    run,
};

fn run(bench: &Bench<'_>, deadline: Deadline) -> Result<Vec<Finding>, Stop> {
    let mut findings = Vec::new();
    for (at, layout, _) in bench.methods() {
        deadline.check()?;
        let method = layout.method;
        let mean = Mean::of(&with_others(&bench.maps(at))?)?;
        let bound = ordinary::most_alike(method);
        let found = mean.low > bound;
        let name = method.name();
        let says = match found {
            true => format!("{name} maps of different pictures are the same"),
            false => format!("{name} maps of different pictures differ"),
        };
        let number = Number::mean("rank correlation of the maps of different pictures", &mean)
            .bound(bound)
            .ordinary(ordinary::range(SAME.name, Some(method)));
        let draw = |picture: usize| bench.drawn(bench.pictures.bytes(picture));
        let map = |picture: usize| bench.map_drawn(layout, &bench.answer(picture).attributions[at]);
        let figure = bench.figure(&format!("{name} maps"), &[("picture", &draw), (name, &map)])?;
        findings.push(
            Finding::new(SAME.name, Verdict::of(found), says)
                .of_method(name)
                .numbers([number])
                .pictures(vec![figure]),
        );
    }
    Ok(findings)
}
