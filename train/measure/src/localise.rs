//! Where the maps of a model point, on images whose objects are boxed or masked.

use std::fmt::Write as _;
use std::path::Path;

use rayon::prelude::*;
use saligate_models::metrics::interval::Mean;
use saligate_models::metrics::localisation::{pointing_game, relevance_inside};
use saligate_runtime::{Model, Target};
use serde::{Deserialize, Serialize};

use crate::MeasureError;
use crate::evaluate::picture;
use crate::floor;
use crate::rows;
use saligate_console::progress::bar;
use saligate_data::Dataset;

/// How well one model's maps find the objects.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Localisation {
    /// Name of the model.
    pub model: String,
    /// Rows and columns of its input.
    pub size: [usize; 2],
    /// Whether it has a gate: its maps are those that everyone sees.
    pub gated: bool,
    /// The images, as `--data` names them.
    pub data: String,
    /// Number of images.
    pub images: usize,
    /// Number of images whose object is known.
    pub boxed: usize,
    /// Share of right predictions, with its 95 % interval.
    pub accuracy: [f64; 3],
    /// One per method of the model.
    pub methods: Vec<Located>,
}

/// How well one method finds the objects. The class that is explained is that of the label.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Located {
    /// Name of the method.
    pub method: String,
    /// Share of the images whose highest pixel lies on the object, with its 95 % interval.
    pub pointing: [f64; 3],
    /// Mean share of the relevance that lies on the object, with its 95 % interval.
    pub inside: [f64; 3],
    /// The pointing game of the best map made without the model.
    pub pointing_floor: f64,
}

/// Reads a model with all its methods on all images.
///
/// # Errors
/// There are no images or none with a known object, or the model cannot be run on them.
pub fn measure(
    model: &Model,
    source: &str,
    data: &Dataset,
    quiet: bool,
) -> Result<Localisation, MeasureError> {
    let manifest = model.manifest();
    let boxed: Vec<usize> = (0..data.len()).filter(|&i| data.object(i).is_some()).collect();
    let bar = bar("localise", data.len() + boxed.len() * manifest.methods.len(), quiet);
    let pictured = |index: usize| picture(data.shape(), data.image(index).to_vec());
    let right = |index: usize| -> Result<bool, MeasureError> {
        bar.inc(1);
        Ok(model.predict(&pictured(index)?)?.class == data.label(index))
    };
    let right = (0..data.len()).into_par_iter().map(right).collect::<Result<Vec<_>, _>>()?;
    let mut methods = Vec::new();
    for spec in &manifest.methods {
        let located = |&index: &usize| -> Result<_, MeasureError> {
            let target = Target::Class(data.label(index));
            let found = model.explain_by(&spec.name, &pictured(index)?, target, None)?;
            let object = data.object(index).unwrap_or_default();
            bar.inc(1);
            let hit = pointing_game(&found.map, &object)?;
            Ok((hit, relevance_inside(&found.map, &object)?, found.map))
        };
        let found = boxed.par_iter().map(located).collect::<Result<Vec<_>, _>>()?;
        let hits: Vec<bool> = found.iter().map(|(hit, ..)| *hit).collect();
        let inside: Vec<f64> = found.iter().map(|(_, inside, _)| *inside).collect();
        let maps: Vec<&[f32]> = found.iter().map(|(.., map)| map.as_slice()).collect();
        let inside = Mean::of(&inside)?;
        let floor = floor::measure(&data.only(&boxed), &maps)?;
        methods.push(Located {
            method: spec.name.clone(),
            pointing: rows::rate(&hits)?,
            inside: [inside.value, inside.low, inside.high],
            pointing_floor: floor.get("pointing_floor").map_or(0.0, |floor| floor.0),
        });
    }
    bar.finish_and_clear();
    Ok(Localisation {
        model: manifest.architecture.clone(),
        size: [manifest.input.height, manifest.input.width],
        gated: manifest.gate.is_some(),
        data: source.to_owned(),
        images: data.len(),
        boxed: boxed.len(),
        accuracy: rows::rate(&right)?,
        methods,
    })
}

/// Puts what was measured into a JSON file, in place of an older row of the same model, gated or not,
/// size and data, and writes the table of all rows beside it as Markdown.
///
/// # Errors
/// The file is no such table, or cannot be written.
pub fn put(path: &Path, found: Localisation) -> Result<(), MeasureError> {
    let same = |a: &Localisation, b: &Localisation| {
        (&a.model, a.size, a.gated, &a.data) == (&b.model, b.size, b.gated, &b.data)
    };
    rows::tabulate(path, found, same, table)
}

/// The rows as Markdown.
pub fn table(rows: &[Localisation]) -> String {
    let mut text = String::from(
        "# Where the maps point\n\nMade by `saligate-train localise`. The class of the label is \
         explained; models with a gate are shown without a\nkey. *Pointing*: share of images whose \
         highest pixel lies in the object's box. *Inside*: mean share of the\npositive relevance \
         there. *Floor*: pointing game of the best map that is made without the model: the mean \
         of\nthe model's own maps, the centre, or edges. In brackets: 95 % intervals.\n\n\
         | model | size | gate | data | images | accuracy | method | pointing | floor | inside |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    let shown = |[value, low, high]: [f64; 3]| format!("{value:.3} [{low:.3}, {high:.3}]");
    for row in rows {
        for found in &row.methods {
            let _ = writeln!(
                text,
                "| {} | {} x {} | {} | {} | {} | {} | {} | {} | {:.3} | {} |",
                row.model,
                row.size[0],
                row.size[1],
                if row.gated { "no key" } else { "none" },
                row.data,
                row.images,
                shown(row.accuracy),
                found.method,
                shown(found.pointing),
                found.pointing_floor,
                shown(found.inside),
            );
        }
    }
    text
}
