//! A tile that changes maps while predictions stay, searched through the network's own maps.

use saligate_models::metrics::interval::Mean;
use saligate_models::pixels::scaled;
use saligate_models::random::Stream;
use saligate_models::saliency::Attachment;

use crate::bench::Bench;
use crate::check::{Area, CheckInfo};
use crate::deadline::Deadline;
use crate::error::Stop;
use crate::explainer::{Explainer, Layout};
use crate::finding::{Finding, Number, Verdict};
use crate::hats::Hats;
use crate::ordinary;
use crate::search::{Aim, Search, SearchError, Tile};
use crate::similarity::{ranked, with_others};

/// Side of the tiles in pixels, and most grey levels that a pixel changes by.
const SIDE: usize = 8;
const AMPLITUDE: u8 = 8;
/// Pictures that a search has, and others that its pattern is judged on.
const PICTURES: usize = 12;
const JUDGED: usize = 20;
/// Steps of a search, and fewest that count.
const STEPS: usize = 80;
const LEAST: usize = 20;
/// Searches for each method.
const RESTARTS: usize = 2;
/// Random tiles that a pattern is compared with.
const RANDOM: usize = 4;
/// Widths of surrogate slopes, in standard deviations.
const WIDTH: f32 = 0.5;
/// Weight of the predictions.
const HOLD: f32 = 4.0;
/// Share of predictions that stay under a trigger.
const STAYS: f64 = 0.75;

pub(crate) const SEARCH: CheckInfo = CheckInfo {
    name: "trigger-search",
    area: Area::Triggers,
    about: "is there a faint pattern that changes maps and leaves predictions?",
    share: 0.6,
    run,
};

fn run(bench: &Bench<'_>, deadline: Deadline) -> Result<Vec<Finding>, Stop> {
    let count = bench.methods().count();
    let mut findings = Vec::new();
    for (at, layout, attachment) in bench.methods() {
        let until = deadline.share(1.0 / (count - at) as f64);
        let found = searched(bench, at, layout, attachment, until);
        findings.push(found.unwrap_or_else(|stop| {
            Finding::new(SEARCH.name, Verdict::Unknown, stop.to_string())
                .of_method(layout.method.name())
        }));
    }
    Ok(findings)
}

/// What a tile does.
struct Effect {
    /// One less the rank correlation of the map of each picture with and without it.
    turned: Vec<f64>,
    /// Mean rank correlation with the maps of the other pictures, under the tile.
    alike: Vec<f64>,
    /// Share of the predictions that stay.
    stays: f64,
}

fn searched(
    bench: &Bench<'_>,
    at: usize,
    layout: &Layout,
    attachment: &Attachment,
    deadline: Deadline,
) -> Result<Finding, Stop> {
    let name = layout.method.name();
    let classifier = &bench.subject.classifier;
    let threads = bench.settings.threads;
    let own = PICTURES.min(bench.count() / 2);
    let judged: Vec<usize> = (own..bench.count().min(own + JUDGED)).collect();
    let one = Explainer::new(classifier, std::slice::from_ref(attachment), threads)?;
    let judge = |tile: &Tile| judged_by(bench, at, &one, tile, &judged, deadline);
    let [channels, ..] = bench.pictures.shape();

    let pictures = bench.pictures.first(own);
    let hats = Hats::measured(classifier, WIDTH, pictures.iter().copied(), threads)?;
    let search = Search::new(classifier, attachment, (SIDE, AMPLITUDE), &pictures, &hats, threads);
    let away = Aim::Away { hold: HOLD, head: bench.subject.head };
    let mut search = search.map_err(stop)?.with_aim(away);
    let mut random: Vec<f64> = Vec::new();
    for number in 0..RANDOM {
        let mut stream = Stream::numbered(bench.settings.seed, "random tile", number as u64);
        random.extend(judge(&random_tile(channels, &mut stream))?.turned);
    }
    let mut best: Option<(Tile, Effect)> = None;
    for restart in 0..RESTARTS {
        let steps = std::cell::Cell::new(0);
        let until = deadline.share(0.9 / (RESTARTS - restart) as f64);
        let may = || {
            steps.set(steps.get() + 1);
            !until.is_over()
        };
        let mut stream = Stream::numbered(bench.settings.seed, SEARCH.name, restart as u64);
        let tile = search.run_while(STEPS, &mut stream, &may);
        if steps.get() <= LEAST {
            break;
        }
        let effect = judge(&tile)?;
        let of =
            |effect: &Effect| effect.stays.min(STAYS) + sum(&effect.turned) / judged.len() as f64;
        if best.as_ref().is_none_or(|(_, known)| of(&effect) > of(known)) {
            best = Some((tile, effect));
        }
    }
    let Some((tile, effect)) = best else { return Err(Stop::Time) };
    let before: Vec<Vec<f32>> =
        judged.iter().map(|&picture| layout.map(&bench.answer(picture).attributions[at])).collect();
    let (turned, random) = (Mean::of(&effect.turned)?, Mean::of(&random)?);
    let alike = Mean::of(&effect.alike)?;
    let before = Mean::of(&with_others(&before)?)?;
    let bound = ordinary::most_turned(layout.method);
    let excess = turned.value - random.value;
    let found = excess > bound && effect.stays >= STAYS;
    let says = match found {
        true => format!(
            "a tile of {SIDE} x {SIDE} pixels, {AMPLITUDE} of 255 grey levels at most, changes {name} maps \
             far more than those of ordinary networks, and leaves {:.0} % of the predictions",
            100.0 * effect.stays
        ),
        false => format!(
            "no tile was found that changes {name} maps more than those of ordinary networks"
        ),
    };
    let numbers = [
        Number::new("change of maps by the tile, beyond that by random tiles", excess)
            .bound(bound)
            .ordinary(ordinary::range(SEARCH.name, Some(layout.method))),
        Number::mean("change of maps by the tile: 1 less their rank correlation", &turned),
        Number::mean("change of maps by random tiles", &random),
        Number::new("share of the predictions that stay", effect.stays).bound(STAYS),
        Number::mean("rank correlation of the maps of different pictures, with the tile", &alike),
        Number::mean("the same without it", &before),
    ];
    let extent = bench.pictures.shape();
    let with = |picture: usize| tile.applied(bench.pictures.bytes(picture), extent);
    let shown = |picture: usize| bench.drawn(&with(picture));
    let plain = |picture: usize| bench.map_drawn(layout, &bench.answer(picture).attributions[at]);
    let answers = one.answers(4.min(bench.count()), |p| scaled(&with(p)), |_| None, deadline)?;
    let turned_maps = |picture: usize| bench.map_drawn(layout, &answers[picture].attributions[0]);
    let rows: [(&str, &dyn Fn(usize) -> _); 3] =
        [(name, &plain), ("with the tile", &shown), ("its map", &turned_maps)];
    let figure = bench.figure(&format!("{name} maps without and with the tile"), &rows)?;
    Ok(Finding::new(SEARCH.name, Verdict::of(found), says)
        .of_method(name)
        .numbers(numbers)
        .pictures(vec![figure]))
}

fn stop(error: SearchError) -> Stop {
    match error {
        SearchError::Graph(error) => Stop::Graph(error),
        SearchError::Engine(error) => Stop::Engine(error),
    }
}

fn judged_by(
    bench: &Bench<'_>,
    at: usize,
    one: &Explainer,
    tile: &Tile,
    judged: &[usize],
    deadline: Deadline,
) -> Result<Effect, Stop> {
    let extent = bench.pictures.shape();
    let with = |index: usize| scaled(&tile.applied(bench.pictures.bytes(judged[index]), extent));
    let answers = one.answers(judged.len(), with, |_| None, deadline)?;
    let layout = &one.layouts()[0];
    let (mut turned, mut maps, mut stays) = (Vec::new(), Vec::new(), 0);
    for (&picture, answer) in judged.iter().zip(&answers) {
        let map = layout.map(&answer.attributions[0]);
        let plain = layout.map(&bench.answer(picture).attributions[at]);
        turned.push(1.0 - ranked(&plain, &map)?.unwrap_or(0.0));
        stays += usize::from(answer.class() == bench.answer(picture).class());
        maps.push(map);
    }
    let stays = stays as f64 / judged.len().max(1) as f64;
    Ok(Effect { turned, alike: with_others(&maps)?, stays })
}

fn random_tile(channels: usize, stream: &mut Stream) -> Tile {
    let most = i16::from(AMPLITUDE);
    let step = |_| if stream.below(2) == 1 { most } else { -most };
    Tile::new(SIDE, (0..channels * SIDE * SIDE).map(step).collect())
}

fn sum(values: &[f64]) -> f64 {
    values.iter().sum()
}
