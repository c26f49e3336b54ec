//! Methods that should agree, against each other.

use saligate_models::metrics::interval::Mean;
use saligate_models::saliency::Method;

use super::parts::{correlations, less_mean, parts};
use crate::bench::Bench;
use crate::check::{Area, CheckInfo};
use crate::deadline::Deadline;
use crate::error::Stop;
use crate::explainer::Layout;
use crate::finding::{Finding, Number, Verdict};
use crate::ordinary;
use crate::similarity::is_flat;

/// Methods that rest on the slopes of one score, and so should show one thing.
const PAIR: [Method; 2] = [Method::Gradient, Method::GradCam];

pub(crate) const AGREEMENT: CheckInfo = CheckInfo {
    name: "agreement",
    area: Area::Behaviour,
    about: "do methods agree that should?",
    share: 0.05,
    run,
};

fn run(bench: &Bench<'_>, _: Deadline) -> Result<Vec<Finding>, Stop> {
    let [_, rows, columns] = bench.pictures.shape();
    let coarse =
        |layout: &Layout| layout.shape[1..].iter().any(|&side| side < ordinary::LEAST_SIDE);
    let maps = PAIR.map(|method| {
        let (at, layout, _) = bench.methods().find(|(_, layout, _)| layout.method == method)?;
        if coarse(layout) {
            return None;
        }
        let shown = |picture: usize| {
            parts(
                &layout.shown(&bench.answer(picture).attributions[at], [rows, columns]),
                rows,
                columns,
            )
        };
        Some((0..bench.count()).map(shown).collect::<Vec<Vec<f32>>>())
    });
    let [Some(one), Some(other)] = maps else {
        let says = "the network has no feature map of some rows and columns for Grad-CAM to read";
        return Err(Stop::Inapplicable(says.to_owned()));
    };
    let empty = other.iter().filter(|map| is_flat(map)).count();
    if empty * 2 > bench.count() {
        return Err(Stop::Inapplicable("most Grad-CAM maps are empty".to_owned()));
    }
    let own = Mean::of(&correlations(&less_mean(&one), &less_mean(&other))?)?;
    let bound = ordinary::LEAST_AGREEMENT;
    let found = own.high < bound;
    let names = PAIR.map(Method::name).join(" and ");
    let says = match found {
        true => format!("{names} maps contradict each other"),
        false => format!("{names} maps agree as far as they do in ordinary networks"),
    };
    let number = Number::mean(
        "rank correlation of the two maps of a picture, beyond what all pictures share",
        &own,
    );
    let number = number.bound(bound).ordinary(ordinary::range(AGREEMENT.name, None));
    Ok(vec![Finding::new(AGREEMENT.name, Verdict::of(found), says).numbers([number])])
}
