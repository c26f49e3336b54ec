//! Closing a locked model for one of its keys.

use std::collections::BTreeMap;

use saligate_files::{FileError, ModelFile};
use saligate_keys::KeyId;
use saligate_models::gate::{GateForm, is_built_in, key_strength};

use crate::LockError;

/// The model closed for one of its keys; it opens for the others as before, whose key files are not
/// needed.
///
/// # Errors
/// The model has no such key, no other one, or a gate that was not built in and must be trained
/// anew.
pub fn revoke(model: ModelFile, key: &KeyId) -> Result<ModelFile, LockError> {
    let mut gate = model.manifest().gate.clone().ok_or(LockError::NoGate)?;
    let Some(position) = gate.keys.iter().position(|k| k == key) else {
        return Err(LockError::UnknownKey { key: *key, known: gate.keys });
    };
    if gate.keys.len() == 1 {
        return Err(LockError::OnlyKey { key: *key });
    }
    if !is_built_in(model.graph()) {
        return Err(LockError::TrainedGate);
    }
    let closed = model
        .map_graph(|graph| Ok::<_, FileError>(saligate_models::gate::revoke(graph, position)?))?;
    gate.keys.remove(position);
    if gate.form == GateForm::Key {
        gate.key_strength = key_strength(closed.graph());
    }
    // The figures were measured with the key.
    Ok(closed.with_gate(Some(gate))?.with_metrics(BTreeMap::new())?)
}
