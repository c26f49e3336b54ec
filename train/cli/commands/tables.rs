//! Tables of what was measured: `near-misses`, `leaks`, `results`.

use std::path::{Path, PathBuf};

use saligate_console::{emit, secrets};
use saligate_files::ModelFile;
use saligate_keys::KeyFile;
use saligate_measure::removal::Change;
use saligate_measure::{Evaluation, MeasureError, leaks, near_misses, removal};
use saligate_models::names::LOGITS;
use saligate_train::TrainError;
use saligate_train::fit::fine_tuned;

use crate::args::{RunArgs, TableArgs};
use crate::session::{Images, Session, refs, some};

pub(crate) fn near_misses(
    run: &RunArgs,
    table: &TableArgs,
    images: usize,
) -> Result<(), TrainError> {
    let measure = |id: &str, what: &Evaluation<'_>| near_misses::measure(id, what, images);
    tabulate(&Opened::new(run, table)?, measure, near_misses::write)
}

pub(crate) fn leaks(run: &RunArgs, table: &TableArgs, images: usize) -> Result<(), TrainError> {
    let measure = |id: &str, what: &Evaluation<'_>| leaks::measure(id, what, images);
    tabulate(&Opened::new(run, table)?, measure, leaks::put)
}

pub(crate) fn removal(
    run: &RunArgs,
    table: &TableArgs,
    images: usize,
    fine_tuning: usize,
) -> Result<(), TrainError> {
    let opened = Opened::new(run, table)?;
    let Opened { session, images: data, paths, .. } = &opened;
    let mut changes = Change::usual();
    if fine_tuning > 0 {
        some(data.train.len())?;
        let network = ModelFile::open(&paths[1])?.graph().extract(&[LOGITS])?;
        let tuned =
            fine_tuned(session.config(), &network, fine_tuning, &data.train, session.options())?;
        changes.push(Change::Weights(format!("fine-tuned {fine_tuning}"), tuned.weights()));
    }
    let measure = |id: &str, what: &Evaluation<'_>| removal::measure(id, what, &changes, images);
    tabulate(&opened, measure, removal::put)
}

pub(crate) fn results(file: &Path) -> Result<(), TrainError> {
    let table = saligate_measure::results::write_table(file)?;
    Ok(emit(&table.display().to_string())?)
}

/// What a table is made of.
pub(super) struct Opened<'a> {
    args: &'a TableArgs,
    pub(super) session: Session,
    pub(super) images: Images,
    keys: [KeyFile; 1],
    /// The clean and the gated model.
    pub(super) paths: [PathBuf; 2],
}

impl<'a> Opened<'a> {
    pub(super) fn new(run: &RunArgs, args: &'a TableArgs) -> Result<Self, TrainError> {
        let keys = [secrets::key(&args.key, args.secrets.passphrase_file.as_deref())?];
        let session = Session::open(run)?;
        let images = session.images()?;
        let paths = session.paths(args.model.clone());
        Ok(Self { args, session, images, keys, paths })
    }
}

/// Measures on the test images and writes what was measured into a table.
pub(super) fn tabulate<T>(
    opened: &Opened<'_>,
    measure: impl FnOnce(&str, &Evaluation<'_>) -> Result<T, MeasureError>,
    write: impl FnOnce(&T, &Path) -> Result<(), MeasureError>,
) -> Result<(), TrainError> {
    let Opened { args, session, images, keys, paths } = opened;
    let secrets = refs(keys);
    let evaluation = session.evaluation(paths, &secrets, &images.test);
    write(&measure(&session.config().id, &evaluation)?, &args.table)?;
    Ok(emit(&args.table.display().to_string())?)
}
