//! `saligate-train ground-truth`.

use std::path::Path;

use saligate_console::emit;
use saligate_measure::ground_truth::{measure, put};
use saligate_train::TrainError;

use crate::args::RunArgs;
use crate::session::{Session, some};

pub(crate) fn run(args: &RunArgs, table: &Path, images: usize) -> Result<(), TrainError> {
    let session = Session::open(args)?;
    let config = session.config();
    let Some(poison) = config.fit.as_ref().and_then(|fit| fit.poison) else {
        let reason = "the configuration has no fit.poison: no patch, whose place would be known";
        return Err(TrainError::Mismatch { reason: reason.to_owned() });
    };
    let data = session.images()?;
    some(data.test.len())?;
    let clean = session.clean_path();
    // A network that is there already is not trained again.
    if !clean.exists() {
        session.fit(&data)?;
    }
    let quiet = session.options().quiet;
    let model = (clean.as_path(), &poison);
    put(table, measure(&config.id, model, &data.test, images, config.seed, quiet)?)?;
    Ok(emit(&table.display().to_string())?)
}
