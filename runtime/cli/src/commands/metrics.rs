//! `saligate metrics`.

use std::path::PathBuf;

use saligate_audit::metrics::{MapReport, MapSettings, RANDOM, Studied, measure};
use saligate_console::outputs::write_text;
use saligate_console::{Failure, emit, outputs, progress, shown};
use saligate_files::{onnx, read_file};
use saligate_keys::Timestamp;
use saligate_models::saliency::Method;

use crate::args::{MetricsArgs, RunArgs};
use crate::shared::access;
use crate::shared::explainers::explainers;
use crate::shared::opening::{Opening, Purpose};
use crate::shared::running::threads;
use crate::shared::sources::Wanted;

/// Where JSON goes that is no file.
const STDOUT: &str = "-";
/// Methods that a network from elsewhere is read by where none is asked for.
const USUAL: [Method; 5] = [
    Method::Gradient,
    Method::InputXGradient,
    Method::GuidedBackprop,
    Method::GradCam,
    Method::VisualBackProp,
];

pub(crate) fn run(args: &MetricsArgs) -> Result<(), Failure> {
    let written = [&args.html, &args.json, &args.plot];
    let files = written.into_iter().flatten().filter(|path| path.as_os_str() != STDOUT);
    let read = [&args.model].into_iter().chain(&args.foreign.labels);
    outputs::check(files.map(PathBuf::as_path), read.map(PathBuf::as_path))?;
    let asked: Vec<String> = match &args.method[..] {
        [] if !onnx::has_manifest(&read_file(&args.model)?) => {
            USUAL.iter().map(|method| method.name().to_owned()).collect()
        }
        methods => methods.to_vec(),
    };
    let purpose = Purpose::Explanation { methods: &asked, layer: None };
    let opening = Opening { path: &args.model, vendor: None, access: &args.access };
    let (model, unsealed) = opening.open(&args.foreign, &purpose, &RunArgs::default())?;
    let names: Vec<&str> = match &asked[..] {
        [] => model.manifest().methods.iter().map(|spec| spec.name.as_str()).collect(),
        asked => asked.iter().map(String::as_str).collect(),
    };
    let explainers = explainers(&args.passes.0, &model, &names)?;
    let access = match unsealed {
        Some(access) => Some(access),
        None => {
            access::open(&args.access, &model, access::Wanted { methods: &names, vendor: None })?
        }
    };
    if access.is_none() {
        explainers.iter().try_for_each(|explainer| explainer.check_without_key(&model))?;
    }
    let now = Timestamp::now();
    let triggers = explainers.iter().map(|explainer| {
        access.as_ref().map(|access| access.trigger(&model, explainer.name(), now)).transpose()
    });
    let triggers = triggers.collect::<Result<Vec<_>, _>>()?;

    let wanted = Wanted { source: args.data.as_ref(), count: args.pictures.get(), seed: args.seed };
    let (samples, origin) = wanted.samples(&model.manifest().input)?;
    let methods: Vec<Studied<'_>> = explainers
        .iter()
        .zip(triggers)
        .map(|(explainer, trigger)| Studied {
            name: explainer.name().to_owned(),
            explain: Box::new(move |model, picture, target| {
                let found = explainer.run(model, picture, target, trigger, &mut |_, _| ())?;
                Ok(found.explanation)
            }),
        })
        .collect();
    let settings =
        MapSettings { seed: args.seed, threads: threads(args.threads), ..MapSettings::default() };
    let bar = progress::bar("metrics", samples.len() * (methods.len() + 1), false);
    let report = measure(&model, &methods, &samples, &settings, &|| bar.inc(1));
    bar.finish_and_clear();
    let report = report.map_err(|error| Failure::new(error.to_string()).in_file(&args.model))?;
    give(args, &report.of(&shown(&args.model), &origin))
}

fn give(args: &MetricsArgs, report: &MapReport) -> Result<(), Failure> {
    if let Some(path) = &args.html {
        write_text(path, &report.page()?)?;
    }
    if let Some(path) = &args.plot {
        write_text(path, &report.plot())?;
    }
    match &args.json {
        Some(path) if path.as_os_str() == STDOUT => return emit(&report.json()),
        Some(path) => write_text(path, &report.json())?,
        None => (),
    }
    emit(report.text().trim_end())?;
    emit(&format!(
        "Means over {} pictures ({}), 95 % intervals; '{RANDOM}' is a control.",
        report.pictures, report.data
    ))?;
    for path in [&args.html, &args.json, &args.plot].into_iter().flatten() {
        emit(&format!("wrote {}", path.display()))?;
    }
    Ok(())
}
