//! `saligate-train evaluate`.

use std::path::{Path, PathBuf};

use saligate_console::{emit, outputs, secrets};
use saligate_files::ModelFile;
use saligate_keys::KeyFile;
use saligate_measure::results::{self, Row};
use saligate_measure::{Metrics, evaluate};
use saligate_train::TrainError;

use crate::args::{MeasureArgs, RunArgs};
use crate::session::{Images, Session, refs};

pub(crate) fn run(
    run: &RunArgs,
    model: Option<PathBuf>,
    copy: Option<&Path>,
    args: &MeasureArgs,
) -> Result<(), TrainError> {
    let keys = secrets::keys(&args.key, args.secrets.passphrase_file.as_deref())?;
    let session = Session::open(run)?;
    let paths = session.paths(model.clone());
    if let Some(copy) = copy {
        outputs::check([copy], paths.iter().map(PathBuf::as_path))?;
    }
    let metrics = measure(&session, &session.images()?, model, &keys, args)?;
    copy.map_or(Ok(()), |copy| record(&paths[1], metrics, copy))
}

/// Measures a gated model, prints the figures and puts them into the results; returns those of the
/// default method.
pub(super) fn measure(
    session: &Session,
    images: &Images,
    model: Option<PathBuf>,
    keys: &[KeyFile],
    args: &MeasureArgs,
) -> Result<Metrics, TrainError> {
    let data = if args.validation { &images.validation } else { &images.test };
    let (paths, secrets) = (session.paths(model), refs(keys));
    let evaluation = session.evaluation(&paths, &secrets, data);
    let gated = ModelFile::open(&paths[1])?;
    let form = gated.manifest().gate.as_ref().map(|gate| gate.form);
    let decoy = form.map(|form| session.known_decoy(form, data.shape())).transpose()?.flatten();
    let measured = evaluate(&evaluation, &session.config().evaluate, decoy.as_deref())?;
    let several = measured.len() > 1;
    let first = measured.first().map(|(_, metrics)| metrics.clone()).unwrap_or_default();
    let mut rows = Vec::new();
    for (method, metrics) in measured {
        let row = Row::new(&session.described(&args.commit), &method, several, metrics);
        match args.json {
            true => emit(&row.to_json())?,
            false => emit(row.table().trim_end())?,
        }
        if let Some(path) = &args.results {
            results::put(path, row.clone())?;
        }
        rows.push(row);
    }
    if let Some(path) = &args.html {
        results::write_page(path, &rows)?;
        emit(&format!("wrote {}", path.display()))?;
    }
    Ok(first)
}

/// Writes a model with figures in its manifest.
pub(super) fn record(model: &Path, metrics: Metrics, copy: &Path) -> Result<(), TrainError> {
    let model = ModelFile::open(model)?;
    let values = metrics.into_iter().map(|(name, (value, _))| (name, value));
    let model = model.with_metrics(values.collect())?;
    model.save(copy)?;
    Ok(())
}
