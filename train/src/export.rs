//! From a trained graph to a model file.

use saligate_files::ModelFile;
use saligate_files::manifest::{Gate, Manifest};
use saligate_keys::{Secret, VendorKeys};
use saligate_lock::{check_strength, gated, layers};
use saligate_models::gate::GateForm;
use saligate_models::graph::Graph;
use saligate_models::saliency::attach;

use crate::config::{Config, Start};
use crate::error::TrainError;

/// The model of a clean classifier, with the methods of the configuration attached.
///
/// # Errors
/// A method cannot be attached to the classifier.
pub fn clean(config: &Config, graph: &Graph, labels: &[String]) -> Result<ModelFile, TrainError> {
    let methods = layers(&config.lock.methods, config.lock.cam_layer.as_deref(), graph)?;
    let graph = attach(graph, &methods)?;
    let architecture = config.model.name();
    let mut manifest = Manifest::clean(&graph, &architecture, labels.to_vec(), &methods)?;
    manifest.input.resize = config.data.resize;
    Ok(ModelFile::new(graph, manifest)?)
}

/// The model of a gated classifier, of the form that the configuration names. Methods read it at
/// the layers that they have in the clean classifier. The vendor who signs its licences is the one
/// of the first key.
///
/// # Errors
/// As [`clean`], or a gate that was trained is more than other weights.
pub fn locked(
    config: &Config,
    clean: &Graph,
    graph: &Graph,
    described: &Manifest,
    keys: &[&Secret],
) -> Result<ModelFile, TrainError> {
    let lock = &config.lock;
    if lock.start == Start::Clean
        && let Some(name) = graph.first_other_value(clean)
    {
        let reason = format!("a trained gate changes weights alone, but '{name}' is another value");
        return Err(TrainError::Mismatch { reason });
    }
    let methods = layers(&lock.methods, lock.cam_layer.as_deref(), clean)?;
    let decoy = match (lock.form, lock.start) {
        // Its objective names no picture.
        (GateForm::Untargeted, Start::Clean) => String::new(),
        _ => lock.decoy().picture,
    };
    let gate = Gate {
        form: lock.form,
        trigger: config.trigger.spec,
        keys: keys.iter().map(|secret| secret.id()).collect(),
        decoy,
        vendor: keys.first().map(|secret| VendorKeys::of(secret).public()),
        key_strength: None,
    };
    let model = gated(described, graph, &methods, gate)?;
    if lock.start == Start::BuiltIn {
        check_strength(&model, config.trigger.least_strength)?;
    }
    Ok(model)
}
