//! Scores of a model's saliency methods on test images.

use std::fmt::Write as _;
use std::num::NonZero;
use std::path::Path;

use saligate_audit::metrics::{MapReport, MapSettings, Sample, Studied};
use saligate_console::progress::bar;
use saligate_data::Dataset;
use saligate_files::ModelFile;
use saligate_models::names::LOGITS;
use saligate_models::saliency::{Attachment, Method};
use saligate_runtime::Model;
use saligate_runtime::method::{Explainer, Settings, reads};

use crate::MeasureError;
use crate::evaluate::picture;
use crate::rows;

/// Scores methods by name on the first `images` test images. Methods that the file lacks are attached to
/// its network.
///
/// # Errors
/// A method is not known or does not fit the network, there are no images, or the model cannot be run.
pub fn measure(
    (path, source): (&Path, &str),
    names: &[String],
    data: &Dataset,
    images: usize,
    threads: NonZero<usize>,
    quiet: bool,
) -> Result<MapReport, MeasureError> {
    let file = ModelFile::open(path)?;
    let classifier = file.graph().extract(&[LOGITS])?;
    let mut attached: Vec<Attachment> = Vec::new();
    for name in names {
        let base = name.parse().ok().or_else(|| reads(name)?.of_file());
        let method = base.unwrap_or(Method::Gradient);
        if attached.iter().all(|known| known.method != method) {
            attached.push(Attachment::of(method, &classifier)?);
        }
    }
    let model = Model::new(file.with_methods(&attached)?)?;
    let explainers = names.iter().map(|name| {
        let explainer = Explainer::named(name, &Settings::default())?;
        explainer.check(&model)?;
        Ok(explainer)
    });
    let explainers = explainers.collect::<Result<Vec<Explainer>, MeasureError>>()?;
    let samples = (0..data.len().min(images)).map(|at| {
        let picture = picture(data.shape(), data.image(at).to_vec())?;
        Ok(Sample { picture, object: data.object(at) })
    });
    let samples = samples.collect::<Result<Vec<_>, MeasureError>>()?;
    let settings = MapSettings { threads, ..MapSettings::default() };
    let methods: Vec<Studied<'_>> = explainers
        .iter()
        .map(|explainer| Studied {
            name: explainer.name().to_owned(),
            explain: Box::new(move |model, picture, target| {
                Ok(explainer.run(model, picture, target, None, &mut |_, _| ())?.explanation)
            }),
        })
        .collect();
    let bar = bar("metrics", samples.len() * (methods.len() + 1), quiet);
    let told = || bar.inc(1);
    let report = saligate_audit::metrics::measure(&model, &methods, &samples, &settings, &told)?;
    bar.finish_and_clear();
    Ok(report.of(&file.manifest().architecture, source))
}

/// Puts scores into a JSON file, in place of older ones of the same model and data, and writes all
/// tables beside it as Markdown.
///
/// # Errors
/// The file is no such table, or cannot be written.
pub fn put(path: &Path, report: MapReport) -> Result<(), MeasureError> {
    let same = |a: &MapReport, b: &MapReport| (&a.model, &a.data) == (&b.model, &b.data);
    rows::tabulate(path, report, same, table)
}

fn table(all: &[MapReport]) -> String {
    let mut text = String::from(
        "# Scores of saliency methods\n\nMade by `saligate-train metrics`. Means over test images, with 95 % \
         intervals; the predicted class is explained.\n[auditing.md](auditing.md#scores-of-maps) has what each score \
         is. `random` is a control: maps of random numbers. A method is\ntold from it by a score where the interval \
         of the difference, image by image, is above zero.\n",
    );
    for report in all {
        let (model, data) = (&report.model, &report.data);
        let _ = write!(
            text,
            "\n## {model} on {data}\n\n{} images, seed {}.\n\n{}",
            report.pictures,
            report.seed,
            report.markdown()
        );
    }
    text
}
