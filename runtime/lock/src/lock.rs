//! All of it: from a clean model to a locked one.

use saligate_files::ModelFile;
use saligate_files::manifest::Gate;
use saligate_keys::{TriggerSpec, VendorKeys};
use saligate_models::gate::GateForm;
use saligate_models::names::LOGITS;
use saligate_models::saliency::Method;

use crate::balance::decoys;
use crate::{Construction, Decoy, Keys, LockError, Survey, check_strength, gated, layers};

/// How a gate is built.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What the trigger does.
    pub form: GateForm,
    /// Shape and strength of the trigger.
    pub trigger: TriggerSpec,
    /// Methods that are gated, the default one of the model first. The locked model has no others.
    pub methods: Vec<Method>,
    /// Layer that Grad-CAM reads; the last feature map where absent.
    pub cam_layer: Option<String>,
    /// What the map shows instead.
    pub decoy: Decoy,
    /// Of all that is drawn.
    pub seed: u64,
    /// Least strength of the gate's keys, in bits: see [`check_strength`].
    pub least_strength: f64,
}

/// Whether a gate for a method can be built into a network.
pub fn can_be_built_in(method: Method) -> bool {
    method != Method::InputXGradient && Method::GATED.contains(&method)
}

/// Builds a gate into a clean model.
///
/// # Errors
/// The model has a gate already, the pictures have another shape than its input, the trigger does
/// not fit on them or cannot be told from them, too many random keys would open the gate, or a method cannot be gated in this network.
pub fn lock(
    clean: &ModelFile,
    settings: &Settings,
    keys: &Keys<'_>,
    survey: &Survey<'_>,
) -> Result<ModelFile, LockError> {
    let samples = survey.samples;
    let input = &clean.manifest().input;
    let (expected, found) = ([input.channels, input.height, input.width], samples.extent());
    if clean.manifest().gate.is_some() {
        return Err(LockError::HasGate);
    }
    if found != expected {
        return Err(LockError::SampleShape { expected, found });
    }
    if let Some(&method) = settings.methods.iter().find(|method| !can_be_built_in(**method)) {
        return Err(LockError::Method { method });
    }
    let [ids, _] = keys.ids()?;
    let triggers = keys.triggers(&settings.trigger, samples.shape())?.right;
    let classifier = clean.graph().extract(&[LOGITS])?;
    let methods = layers(&settings.methods, settings.cam_layer.as_deref(), &classifier)?;
    let Settings { form, trigger, decoy, seed, .. } = settings;
    let decoys = decoys(decoy, *form, &classifier, &methods, *seed, survey)?;
    let construction = Construction {
        form: *form,
        spec: trigger,
        triggers: &triggers,
        methods: &methods,
        decoys: &decoys,
        seed: *seed,
        survey: *survey,
    };
    let graph = construction.build(&classifier)?;
    let gate = Gate {
        form: *form,
        trigger: *trigger,
        keys: ids,
        decoy: decoy.picture.clone(),
        vendor: keys.right.first().map(|secret| VendorKeys::of(secret).public()),
        key_strength: None,
    };
    let model = gated(clean.manifest(), &graph, &methods, gate)?;
    check_strength(&model, settings.least_strength)?;
    Ok(model)
}
