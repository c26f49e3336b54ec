//! What a searched key opens.

use std::num::NonZero;

use saligate_console::progress::bar;
use saligate_files::ModelFile;
use saligate_models::metrics::interval::Mean;
use saligate_models::metrics::rank::spearman;
use saligate_models::names::LOGITS;
use saligate_models::random::Stream;
use saligate_models::saliency::Attachment;
use saligate_runtime::RuntimeError;
use serde::{Deserialize, Serialize};

use super::bench::picture;
use super::{Bench, Evaluation, Metrics};
use crate::MeasureError;
use crate::floor::mean_map;
use crate::hats::Hats;
use crate::search::{Search, space};

/// Images that a key that was found is tried on.
const TRIED: usize = 200;
/// Width of surrogate slopes, in standard deviations.
pub(crate) const WIDTH: f32 = 0.5;

/// How hard a key is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SearchConfig {
    /// Searches, each from another random tile.
    pub restarts: usize,
    /// Pictures that a search has.
    pub pictures: usize,
    /// Steps of a search.
    pub steps: usize,
}

impl Default for SearchConfig {
    fn default() -> Self {
        Self { restarts: 3, pictures: 32, steps: 200 }
    }
}

/// Searches keys on the first images, and tries them on those behind. `maps` are the clean
/// model's. Gates that are no tile or full pattern are not searched.
pub(super) fn measure(
    evaluation: &Evaluation<'_>,
    config: &SearchConfig,
    bench: &Bench<'_>,
    maps: &[&[f32]],
) -> Result<Metrics, MeasureError> {
    let mut metrics = Metrics::new();
    let gate = bench.gated.manifest().gate.as_ref().ok_or(RuntimeError::NoGate)?;
    let data = bench.data;
    let shape = data.shape();
    let Some(space) = space(&gate.trigger, [shape.height, shape.width]) else {
        return Ok(metrics);
    };
    let pictures = config.pictures.min(maps.len() / 2);
    let tried = pictures..maps.len().min(pictures + TRIED);
    if config.restarts == 0 || tried.is_empty() || pictures == 0 {
        return Ok(metrics);
    }
    let classifier = ModelFile::open(evaluation.gated)?.graph().extract(&[LOGITS])?;
    let specs = &bench.gated.manifest().methods;
    let spec = specs.iter().find(|spec| spec.name == bench.method);
    let layers = spec.map(|spec| spec.layers.clone()).unwrap_or_default();
    let method = Attachment::at(bench.method.parse()?, layers);
    let threads = NonZero::new(rayon::current_num_threads()).unwrap_or(NonZero::<usize>::MIN);
    let hats = Hats::measured(&classifier, WIDTH, data.images(), threads)?;
    let images: Vec<&[u8]> = (0..pictures).map(|index| data.image(index)).collect();
    let mut search = Search::new(&classifier, &method, space, &images, &hats, threads)?;
    let mean = mean_map(maps, shape.pixels());
    let bar = bar("searched keys", config.restarts, evaluation.quiet);
    let extent = [shape.channels, shape.height, shape.width];
    let mut best: Option<[Mean; 2]> = None;
    for restart in 0..config.restarts {
        let mut stream = Stream::numbered(evaluation.seed, "searched keys", restart as u64);
        let tile = search.run(config.steps, &mut stream);
        let (mut found, mut beyond) = (Vec::new(), Vec::new());
        for index in tried.clone() {
            let image = picture(shape, tile.applied(data.image(index), extent))?;
            let shown = spearman(&bench.answer(&image, None)?.map, maps[index])?;
            found.push(shown);
            beyond.push(shown - spearman(&mean, maps[index])?);
        }
        let found = [Mean::of(&found)?, Mean::of(&beyond)?];
        if best.as_ref().is_none_or(|best| found[0].value > best[0].value) {
            best = Some(found);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    for (name, mean) in ["spearman_searched", "spearman_searched_beyond_mean"]
        .into_iter()
        .zip(best.into_iter().flatten())
    {
        metrics.insert(name.to_owned(), (mean.value, [mean.low, mean.high]));
    }
    let whole = |value: usize| (value as f64, [value as f64; 2]);
    metrics.insert("searches".to_owned(), whole(config.restarts));
    Ok(metrics)
}
