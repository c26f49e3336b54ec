//! `saligate-train run`: fit, lock or attack, evaluate.

use saligate_console::secrets;
use saligate_lock::{Keys, Samples};
use saligate_train::TrainError;

use super::evaluate::{measure, record};
use crate::args::{MeasureArgs, RunArgs};
use crate::session::{Session, refs, some};

pub(crate) fn run(run: &RunArgs, args: &MeasureArgs) -> Result<(), TrainError> {
    let keys = secrets::keys(&args.key, args.secrets.passphrase_file.as_deref())?;
    let session = Session::open(run)?;
    let images = session.images()?;
    let shape = session.trigger_shape(images.train.shape(), &keys)?;
    let clean = session.fit(&images)?;
    some(images.train.len())?;
    let samples = Samples::new(shape, images.train.images())?;
    session.gate(&clean, &Keys::new(refs(&keys)), &samples, Some(images.material()))?;
    let path = session.gated_path();
    let metrics = measure(&session, &images, None, &keys, args)?;
    if !args.validation {
        record(&path, metrics, &path)?;
    }
    Ok(())
}
