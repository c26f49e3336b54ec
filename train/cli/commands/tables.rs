//! Tables of what was measured: `near-misses`, `leaks`, `results`.

use std::path::Path;

use saligate_console::{emit, secrets};
use saligate_measure::{Evaluation, MeasureError, leaks, near_misses};
use saligate_train::TrainError;

use crate::args::{RunArgs, TableArgs};
use crate::session::{Session, refs};

pub(crate) fn near_misses(
    run: &RunArgs,
    table: &TableArgs,
    images: usize,
) -> Result<(), TrainError> {
    let measure = |id: &str, what: &Evaluation<'_>| near_misses::measure(id, what, images);
    tabulate(run, table, measure, near_misses::write)
}

pub(crate) fn leaks(run: &RunArgs, table: &TableArgs, images: usize) -> Result<(), TrainError> {
    let measure = |id: &str, what: &Evaluation<'_>| leaks::measure(id, what, images);
    tabulate(run, table, measure, leaks::put)
}

pub(crate) fn results(file: &Path) -> Result<(), TrainError> {
    let table = saligate_measure::results::write_table(file)?;
    Ok(emit(&table.display().to_string())?)
}

/// Measures on the test images and writes what was measured into a table.
fn tabulate<T>(
    run: &RunArgs,
    args: &TableArgs,
    measure: impl FnOnce(&str, &Evaluation<'_>) -> Result<T, MeasureError>,
    write: impl FnOnce(&T, &Path) -> Result<(), MeasureError>,
) -> Result<(), TrainError> {
    let keys = [secrets::key(&args.key, args.secrets.passphrase_file.as_deref())?];
    let session = Session::open(run)?;
    let images = session.images()?;
    let (paths, secrets) = (session.paths(args.model.clone()), refs(&keys));
    let evaluation = session.evaluation(&paths, &secrets, &images.test);
    write(&measure(&session.config().id, &evaluation)?, &args.table)?;
    Ok(emit(&args.table.display().to_string())?)
}
