//! What happens when one of several keys is revoked.

use rayon::prelude::*;
use saligate_files::ModelFile;
use saligate_keys::Trigger;
use saligate_models::gate::is_built_in;
use saligate_models::metrics::interval::Mean;
use saligate_models::metrics::rank::spearman;
use saligate_runtime::Model;

use super::{Bench, Counts, Evaluation, Metrics};
use crate::MeasureError;
use saligate_lock::revoke;

/// Revokes the first key in a copy of a model whose gate was built in: `spearman_revoked` is its
/// similarity then, and `spearman_kept_change` the largest change of another key's mean similarity.
pub(super) fn measure(
    evaluation: &Evaluation<'_>,
    counts: &Counts,
    bench: &Bench<'_>,
    triggers: &[Trigger],
    maps: &[&[f32]],
) -> Result<Metrics, MeasureError> {
    let model = ModelFile::open(evaluation.gated)?;
    let Some(first) = evaluation.secrets.first().filter(|_| is_built_in(model.graph())) else {
        return Ok(Metrics::new());
    };
    let after = Model::new(revoke(model, &first.id())?)?;
    let after = Bench { gated: &after, ..*bench };
    let images = counts.images_per_key.min(maps.len());
    let similarity = |bench: &Bench<'_>, trigger: &Trigger| {
        let all = (0..images).into_par_iter().map(|index| {
            let found = bench.answer(&bench.picture(index)?, Some(trigger))?;
            Ok(spearman(&found.map, maps[index])?)
        });
        Ok::<_, MeasureError>(Mean::of(&all.collect::<Result<Vec<_>, MeasureError>>()?)?)
    };
    let gone = similarity(&after, &triggers[0])?;
    let mut change = 0.0f64;
    for trigger in &triggers[1..] {
        let moved = similarity(&after, trigger)?.value - similarity(bench, trigger)?.value;
        change = change.max(moved.abs());
    }
    Ok(Metrics::from([
        ("spearman_revoked".to_owned(), (gone.value, [gone.low, gone.high])),
        ("spearman_kept_change".to_owned(), (change, [change; 2])),
    ]))
}
