//! Decoys that say nothing about the map they stand for.

use saligate_models::gate::GateForm;
use saligate_models::graph::Graph;
use saligate_models::metrics::interval::Mean;
use saligate_models::metrics::rank::spearman;
use saligate_models::saliency::{Attachment, Reduction, attach, saliency_map};

use crate::{Decoy, LockError, Survey, decoy};

/// Pictures that a decoy is balanced on.
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
/// the decoy names no ramp, the one is taken whose decoy has the rank correlation nearest to zero
/// with the clean model's maps of the samples, on average.
///
/// # Errors
/// The picture cannot be read, or a method cannot be attached.
pub fn decoys(
    decoy: &Decoy,
    form: GateForm,
    clean: &Graph,
    methods: &[Attachment],
    seed: u64,
    survey: &Survey<'_>,
) -> Result<Vec<Vec<f32>>, LockError> {
    let [_, height, width] = survey.samples.extent();
    let size = [height, width];
    let drawn = |ramp| decoy.draw(size, seed, ramp);
    if let Some(ramp) = fixed_ramp(decoy, form) {
        return Ok(vec![drawn(ramp)?; methods.len()]);
    }
    let gentle = GENTLE.map(|step| step as f32 / 20.0);
    let ramps = gentle.chain(STEEP.map(|step| step as f32 / 2.0));
    let candidates = ramps.map(drawn).collect::<Result<Vec<_>, _>>()?;
    let balanced = |method: &Attachment| {
        let clean = maps(clean, method, survey)?;
        let mut best: Option<(f64, &Vec<f32>)> = None;
        for (number, candidate) in candidates.iter().enumerate() {
            if number > *GENTLE.end() && best.is_some_and(|(least, _)| least < BALANCED) {
                break;
            }
            // As the method will show it.
            let [_, rows, columns] = clean.shape;
            let small = decoy::resized(candidate, size, [rows, columns]);
            let shown = saliency_map(&small, [1, rows, columns], size, Reduction::Sum);
            let likeness = clean.maps.iter().map(|map| spearman(&shown, map));
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
pub fn fixed_ramp(decoy: &Decoy, form: GateForm) -> Option<f32> {
    decoy.ramp.or_else(|| (form != GateForm::Key).then_some(0.0))
}

/// What a clean model shows.
struct CleanMaps {
    /// Channels, rows and columns of the attribution.
    shape: [usize; 3],
    maps: Vec<Vec<f32>>,
}

fn maps(clean: &Graph, method: &Attachment, survey: &Survey<'_>) -> Result<CleanMaps, LockError> {
    let graph = attach(clean, std::slice::from_ref(method))?;
    let (classes, attribution) = (survey.classes(clean), graph.outputs()[1]);
    let &[_, channels, rows, columns] = graph.shape(attribution) else {
        return Err(LockError::Layer { layer: method.layers.join(", ") });
    };
    let shape = [channels, rows, columns];
    let samples = survey.samples;
    let [_, height, width] = samples.extent();
    let reduction = method.method.reduction();
    let maps = survey.run(
        "clean maps",
        &graph,
        SAMPLE.min(samples.count()),
        |index| vec![samples.pixels(index), vec![0.0; classes]],
        |_, outputs| saliency_map(&outputs[1], shape, [height, width], reduction),
    )?;
    Ok(CleanMaps { shape, maps })
}
