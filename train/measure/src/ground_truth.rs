//! Saliency methods against a map that is known to be right.

use std::fmt::Write as _;
use std::path::Path;

use rayon::prelude::*;
use saligate_console::progress::bar;
use saligate_data::Dataset;
use saligate_files::ModelFile;
use saligate_models::metrics::localisation::{pointing_game, relevance_inside};
use saligate_models::names::LOGITS;
use saligate_models::random::Stream;
use saligate_models::saliency::{Attachment, Method, attach};
use saligate_runtime::method::{Explainer, Settings, all};
use saligate_runtime::{Model, Target};
use serde::{Deserialize, Serialize};

use crate::MeasureError;
use crate::evaluate::picture;
use crate::patch::{Patch, Poison};
use crate::rows;

/// Share of the images that the patch has to take for the network to decide by it.
const DECIDES: f64 = 0.9;
/// What stands above the rows of methods.
const TABLE_HEAD: &str = "| method | hit | inside |\n|---|---|---|\n";

/// How well methods find a patch that a network decides by.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GroundTruth {
    /// Id of the run.
    pub id: String,
    /// The network.
    pub model: String,
    /// Seed of the run.
    pub seed: u64,
    /// Rows and columns of the patch.
    pub side: usize,
    /// Accuracy on test images without the patch, with its 95 % interval.
    pub accuracy: [f64; 3],
    /// Share of the test images of other classes that the patch takes to its class.
    pub success: [f64; 3],
    /// Test images with the patch, of other classes, that are taken to be of its class.
    pub images: usize,
    /// Share of an image's pixels that the patch covers: what a uniform map has inside.
    pub chance: f64,
    /// One per method.
    pub methods: Vec<Found>,
}

/// How well one method finds the patch. The class of the patch is explained.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Found {
    /// Its name.
    pub method: String,
    /// Share of images whose highest pixel lies on the patch, with its 95 % interval.
    pub hit: [f64; 3],
    /// Mean share of the relevance that lies there.
    pub inside: [f64; 3],
}

/// Puts the patch on test images and reads every method that the network allows.
///
/// # Errors
/// No image is taken to the class of the patch, or the model cannot be run.
pub fn measure(
    id: &str,
    (clean, poison): (&Path, &Poison),
    data: &Dataset,
    images: usize,
    seed: u64,
    quiet: bool,
) -> Result<GroundTruth, MeasureError> {
    let file = ModelFile::open(clean)?;
    let classifier = file.graph().extract(&[LOGITS])?;
    let attached = |&method: &Method| {
        let attachment = Attachment::of(method, &classifier).ok()?;
        attach(&classifier, std::slice::from_ref(&attachment)).ok().map(|_| attachment)
    };
    let methods: Vec<Attachment> = Method::ALL.iter().filter_map(attached).collect();
    let model = Model::new(file.with_methods(&methods)?)?;
    let names: Vec<&str> = all().filter(|name| *name != Method::Activation.name()).collect();
    let explainers: Vec<Explainer> = names
        .iter()
        .filter_map(|name| Explainer::named(name, &Settings::default()).ok())
        .filter(|explainer| explainer.check(&model).is_ok())
        .collect();

    let right = (0..data.len()).into_par_iter().map(|at| {
        Ok(model.predict(&picture(data.shape(), data.image(at).to_vec())?)?.class == data.label(at))
    });
    let right = right.collect::<Result<Vec<bool>, MeasureError>>()?;
    let patch = Patch::new(poison, data.shape().channels, seed);
    let others: Vec<usize> = (0..data.len()).filter(|&at| data.label(at) != poison.class).collect();
    let patched = others.par_iter().map(|&at| {
        let mut image = data.image(at).to_vec();
        let mut stream = Stream::numbered(seed, "places of patches", at as u64);
        let object = patch.put(&mut image, data.shape(), &mut stream);
        let picture = picture(data.shape(), image)?;
        let taken = model.predict(&picture)?.class == poison.class;
        Ok((taken, picture, object))
    });
    let patched = patched.collect::<Result<Vec<_>, MeasureError>>()?;
    let taken: Vec<bool> = patched.iter().map(|(taken, ..)| *taken).collect();
    let shown: Vec<_> = patched.iter().filter(|(taken, ..)| *taken).take(images).collect();
    if shown.is_empty() {
        return Err(MeasureError::NoImages);
    }
    let bar = bar("ground truth", explainers.len() * shown.len(), quiet);
    let mut found = Vec::new();
    for explainer in &explainers {
        let scored = shown.par_iter().map(|(_, picture, object)| {
            let target = Target::Class(poison.class);
            let map = explainer.run(&model, picture, target, None, &mut |_, _| ())?.explanation.map;
            bar.inc(1);
            Ok((pointing_game(&map, object)?, relevance_inside(&map, object)?))
        });
        let scored = scored.collect::<Result<Vec<_>, MeasureError>>()?;
        let hits: Vec<bool> = scored.iter().map(|(hit, _)| *hit).collect();
        let inside: Vec<f64> = scored.iter().map(|(_, inside)| *inside).collect();
        found.push(Found {
            method: explainer.name().to_owned(),
            hit: rows::rate(&hits)?,
            inside: rows::mean(&inside)?,
        });
    }
    bar.finish_and_clear();
    Ok(GroundTruth {
        id: id.to_owned(),
        model: model.manifest().architecture.clone(),
        seed,
        side: poison.side,
        accuracy: rows::rate(&right)?,
        success: rows::rate(&taken)?,
        images: shown.len(),
        chance: (poison.side * poison.side) as f64 / data.shape().pixels() as f64,
        methods: found,
    })
}

/// Puts what was measured into a JSON file, in place of an older row of the same run, and writes the
/// table beside it as Markdown.
///
/// # Errors
/// The file is no such table, or cannot be written.
pub fn put(path: &Path, found: GroundTruth) -> Result<(), MeasureError> {
    rows::tabulate(path, found, |a, b| a.id == b.id, table)
}

fn table(all: &[GroundTruth]) -> String {
    let mut text = String::from(
        "# Saliency methods against a ground truth\n\n\
         Made by `saligate-train ground-truth`. Small networks are trained with a patch that changes the label \
         (`[fit.poison]`),\nanywhere on the image, so that what they decide by is known: the patch. Test images of \
         other classes with the patch that\nthe network takes to be of the patch's class are explained for that \
         class. *Hit*: share of images whose highest pixel lies\non the patch. *Inside*: mean share of the positive \
         relevance there; a uniform map has the share of the pixels. In brackets:\n95 % intervals.\n",
    );
    for row in all {
        let _ = write!(
            text,
            "\n## {}\n\nNetwork {}, seed {}, patch of {side} x {side} pixels. Accuracy {}; the patch takes {} of the \
             other classes' images.\n{} images are explained; a uniform map has {:.3} inside.\n\n\
             | method | hit | inside |\n|---|---|---|\n",
            row.id,
            row.model,
            row.seed,
            rows::cell(row.accuracy),
            rows::cell(row.success),
            row.images,
            row.chance,
            side = row.side,
        );
        if row.success[0] < DECIDES {
            text.insert_str(
                text.len() - TABLE_HEAD.len(),
                "The patch takes too few images: what this network decides by is not known, and this is no ground \
                 truth. Train longer.\n\n",
            );
        }
        for found in &row.methods {
            let (hit, inside) = (rows::cell(found.hit), rows::cell(found.inside));
            let _ = writeln!(text, "| {} | {hit} | {inside} |", found.method);
        }
    }
    text
}
