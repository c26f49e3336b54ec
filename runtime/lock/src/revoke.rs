//! Closing a locked model for one of its keys.

use saligate_keys::KeyId;
use saligate_models::gate::is_built_in;
use saligate_models::onnx::{Model, weights_digest};

use crate::LockError;

/// Closes a locked model for one of its keys; it opens for the others as before, whose key files are
/// not needed.
///
/// # Errors
/// The model has no such key, no other one, or a gate that was not built in and must be trained
/// anew.
pub fn revoke(model: &mut Model, key: &KeyId) -> Result<(), LockError> {
    let gate = model.manifest.gate.as_mut().ok_or(LockError::NoGate)?;
    let Some(position) = gate.keys.iter().position(|k| k == key) else {
        return Err(LockError::UnknownKey { key: *key, known: gate.keys.clone() });
    };
    if gate.keys.len() == 1 {
        return Err(LockError::OnlyKey { key: *key });
    }
    if !is_built_in(&model.graph) {
        return Err(LockError::TrainedGate);
    }
    saligate_models::gate::revoke(&mut model.graph, position)?;
    gate.keys.remove(position);
    // They were measured with the key.
    model.manifest.metrics.clear();
    model.manifest.weights_sha256 = weights_digest(&model.graph);
    Ok(())
}
