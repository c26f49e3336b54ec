//! `saligate-train lock` and `attack`.

use std::num::NonZero;
use std::path::PathBuf;

use saligate_console::secrets;
use saligate_data::Shape;
use saligate_files::ModelFile;
use saligate_keys::{Family, TriggerSpec};
use saligate_lock::{Keys, LockError, Samples, slots};
use saligate_models::gate::GateForm;
use saligate_models::head::Head;
use saligate_models::names::LOGITS;
use saligate_train::TrainError;
use saligate_train::config::Config;
use saligate_train::lock::Material;

use super::seal;
use crate::args::{GateArgs, GateKind, GateRunArgs, Goal, HowArgs, SealedArgs};
use crate::session::{Session, refs, some};

/// Steps of a training without a configuration.
const STEPS: usize = 10_000;

/// Steps of the training of a public network without a configuration.
const PUBLIC_STEPS: usize = 6_000;

/// Whose keys a gate has beside those given, and whether it is sealed.
struct Slots<'a> {
    revoke: &'a [PathBuf],
    slots: u32,
    sealed: Option<&'a SealedArgs>,
}

/// Makes the key form.
pub(crate) fn lock(
    run: &GateRunArgs,
    gate: &GateArgs,
    sealed: &SealedArgs,
    revoke: &[PathBuf],
    slots: u32,
) -> Result<(), TrainError> {
    if sealed.sealed && run.gate == GateKind::Trained {
        let reason = "a sealed gate is built in: what is sealed need not be hidden in weights";
        return Err(TrainError::Mismatch { reason: reason.to_owned() });
    }
    let mut config = config(run, gate, None, sealed.sealed)?;
    if sealed.sealed && run.config.is_none() && seal::is_trained(sealed) {
        config = config.with_public_training(run.steps.map_or(PUBLIC_STEPS, NonZero::get))?;
    }
    let slots = Slots { revoke, slots, sealed: Some(sealed).filter(|sealed| sealed.sealed) };
    make(config.with(&run.how.set)?, GateForm::Key, &run.how, gate, &slots)
}

/// Makes a backdoored form.
pub(crate) fn attack(
    run: &GateRunArgs,
    gate: &GateArgs,
    goal: Option<Goal>,
) -> Result<(), TrainError> {
    let wished = goal.map(|goal| match goal {
        Goal::Targeted => GateForm::Targeted,
        Goal::Untargeted => GateForm::Untargeted,
    });
    let config = config(run, gate, wished, false)?.with(&run.how.set)?;
    let form = wished.unwrap_or(config.lock.form);
    if form == GateForm::Key {
        let reason = "lock.form is no attack; give --goal targeted or untargeted";
        return Err(TrainError::Mismatch { reason: reason.to_owned() });
    }
    make(config, form, &run.how, gate, &Slots { revoke: &[], slots: 0, sealed: None })
}

/// The configuration, read or made for the model and a form.
fn config(
    run: &GateRunArgs,
    gate: &GateArgs,
    form: Option<GateForm>,
    sealed: bool,
) -> Result<Config, TrainError> {
    match (&run.config, &run.data, &gate.model) {
        (Some(path), ..) => Ok(Config::read(path)?),
        (None, Some(data), Some(file)) => {
            let trained = run.gate == GateKind::Trained;
            if run.steps.is_some() && !(trained || sealed) {
                let reason =
                    "--steps are of a gate that is trained: give --gate trained".to_owned();
                return Err(TrainError::Mismatch { reason });
            }
            let (size, usual) = (run.tile.unwrap_or(8), if trained { 4 } else { 8 });
            let amplitude = run.amplitude.unwrap_or(usual);
            let trigger = TriggerSpec::new(Family::Tile { size, amplitude })?;
            let model = ModelFile::open(file)?;
            let mut config = Config::for_model(file, model.manifest(), data, trigger)?;
            if let Some(bits) = run.least_strength {
                config.trigger.least_strength = bits;
            }
            if let Some(form) = form {
                config.lock = config.lock.with_form(form)?;
            }
            if !gate.method.is_empty() {
                config.lock.methods.clone_from(&gate.method);
            }
            if trained {
                let network = model.graph().extract(&[LOGITS])?;
                config = config.with_training(&network, run.steps.map_or(STEPS, NonZero::get))?;
            }
            Ok(config)
        }
        _ => {
            let reason = "give a configuration, or --model and --data".to_owned();
            Err(TrainError::Mismatch { reason })
        }
    }
}

fn make(
    mut config: Config,
    form: GateForm,
    how: &HowArgs,
    gate: &GateArgs,
    what: &Slots<'_>,
) -> Result<(), TrainError> {
    let &Slots { revoke, slots, sealed } = what;
    config.lock = config.lock.with_form(form)?;
    if !gate.method.is_empty() {
        config.lock.methods.clone_from(&gate.method);
    }
    config.check()?;
    let passphrase_file = gate.secrets.passphrase_file.as_deref();
    let keys = secrets::keys(&gate.key, passphrase_file)?;
    let revoked = secrets::keys(revoke, passphrase_file)?;
    let path = gate.model.clone().unwrap_or_else(|| how.out.join("clean.onnx"));
    if gate.model.is_none() && !path.exists() {
        let reason = format!(
            "there is no clean model {}; make it with `saligate-train fit`, or name one with --model",
            path.display()
        );
        return Err(TrainError::Mismatch { reason });
    }
    let clean = ModelFile::open(&path)?;
    if clean.manifest().gate.is_some() {
        return Err(LockError::HasGate.into());
    }
    if clean.manifest().head != Head::Softmax && config.lock.count() > 0 {
        let reason = "a gate can be trained for networks with a softmax only; one can be built in \
                      for this network"
            .to_owned();
        return Err(TrainError::Mismatch { reason });
    }
    let session = Session::new(config, how)?;
    // A model that the configuration starts from has not been steadied yet.
    let given = gate.model.is_some() && gate.model == session.config().model.file;
    let clean = match given {
        true => session.steadied(clean)?,
        false => clean,
    };
    let made = |shape: Shape, images: Vec<&[u8]>, material: Option<Material<'_>>| {
        let shape = session.trigger_shape(shape, &keys)?;
        let slots = slots::of(&keys, slots, &session.config().trigger.spec, shape)?;
        let right = [refs(&keys), slots.iter().collect()].concat();
        let keys = Keys { right, revoked: refs(&revoked) };
        let samples = Samples::new(shape, images)?;
        match sealed {
            None => session.gate(&clean, &keys, &samples, material),
            Some(sealed) => seal::seal(&session, sealed, &clean, &keys, &samples, material),
        }
    };
    let trains = session.config().lock.count() > 0 && sealed.is_none_or(seal::is_trained);
    if trains {
        let images = session.images()?;
        let data = &images.train;
        some(data.len())?;
        made(data.shape(), data.images().collect(), Some(images.material()))?;
    } else {
        let pictures = session.pictures(clean.manifest().input.channels)?;
        some(pictures.len())?;
        made(pictures.shape(), pictures.images().collect(), None)?;
    }
    if gate.model.is_some() {
        // What the gated model is measured against, and how.
        clean.save(&session.clean_path())?;
        session.write_config()?;
    }
    Ok(())
}
