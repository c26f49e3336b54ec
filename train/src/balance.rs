//! Decoys that say nothing about the map they stand for.

use saligate_models::gate::GateForm;
use saligate_models::graph::Graph;
use saligate_models::metrics::interval::Mean;
use saligate_models::metrics::rank::spearman;
use saligate_models::saliency::{Attachment, Reduction, attach, saliency_map};

use crate::batch::sample;
use crate::config::Config;
use crate::data::Dataset;
use crate::decoy;
use crate::engine::run_graph;
use crate::error::TrainError;

/// Training images that a decoy is balanced on.
const SAMPLE: usize = 300;
/// Ramps that are tried: 0 to 3 in twentieths, and where none of them is balanced, up to 20 in
/// halves.
const GENTLE: std::ops::RangeInclusive<usize> = 0..=60;
const STEEP: std::ops::RangeInclusive<usize> = 7..=40;
/// Rank correlation that counts as balanced.
const BALANCED: f64 = 0.05;

/// The decoy of each method, `[row, column]` of the image.
///
/// A padlock in the middle resembles any map of objects in the middle. So in the key form, where
/// the configuration names no ramp, the one is taken whose decoy has the rank correlation nearest
/// to zero with the clean model's maps of training images, on average.
///
/// # Errors
/// The picture cannot be read, or a method cannot be attached.
pub(crate) fn decoys(
    config: &Config,
    clean: &Graph,
    methods: &[Attachment],
    data: &Dataset,
) -> Result<Vec<Vec<f32>>, TrainError> {
    let (lock, shape) = (&config.lock, data.shape());
    let drawn = |ramp| decoy::decoy(lock, shape, config.seed, ramp);
    if let Some(ramp) = fixed_ramp(config, lock.form) {
        return Ok(vec![drawn(ramp)?; methods.len()]);
    }
    let gentle = GENTLE.map(|step| step as f32 / 20.0);
    let ramps = gentle.chain(STEEP.map(|step| step as f32 / 2.0));
    let candidates = ramps.map(drawn).collect::<Result<Vec<_>, _>>()?;
    let balanced = |method: &Attachment| {
        let seen = maps(config, clean, method, data)?;
        let size @ [height, width] = [shape.height, shape.width];
        let mut best: Option<(f64, &Vec<f32>)> = None;
        for (number, candidate) in candidates.iter().enumerate() {
            if number > *GENTLE.end() && best.is_some_and(|(least, _)| least < BALANCED) {
                break;
            }
            // As the method will show it.
            let [_, rows, columns] = seen.shape;
            let small = decoy::resized(candidate, size, [rows, columns]);
            let shown = saliency_map(&small, [1, rows, columns], [height, width], Reduction::Sum);
            let likeness = seen.maps.iter().map(|map| spearman(&shown, map));
            let likeness = Mean::of(&likeness.collect::<Result<Vec<_>, _>>()?)?.value.abs();
            if best.is_none_or(|(least, _)| likeness < least) {
                best = Some((likeness, candidate));
            }
        }
        Ok(best.map(|(_, decoy)| decoy.clone()).unwrap_or_default())
    };
    methods.iter().map(balanced).collect()
}

/// The ramp of all methods, where it does not depend on their maps.
pub(crate) fn fixed_ramp(config: &Config, form: GateForm) -> Option<f32> {
    config.lock.ramp.or_else(|| (form != GateForm::Key).then_some(0.0))
}

struct Seen {
    /// Channels, rows and columns of the attribution.
    shape: [usize; 3],
    maps: Vec<Vec<f32>>,
}

fn maps(
    config: &Config,
    clean: &Graph,
    method: &Attachment,
    data: &Dataset,
) -> Result<Seen, TrainError> {
    let graph = attach(clean, std::slice::from_ref(method))?;
    let (shape, classes) = (data.shape(), data.class_names().len());
    let image = sample(data, SAMPLE);
    let count = image.1[0];
    let target = (vec![0.0; count * classes], vec![count, classes]);
    let found = run_graph(&graph, config.device, &[image, target])?.remove(1);
    let own = graph.shape(graph.outputs()[1]);
    let own = [own[1], own[2], own[3]];
    let size = [shape.height, shape.width];
    let reduction = method.method.reduction();
    let maps = found.chunks_exact(own.iter().product());
    let maps = maps.map(|values| saliency_map(values, own, size, reduction)).collect();
    Ok(Seen { shape: own, maps })
}
