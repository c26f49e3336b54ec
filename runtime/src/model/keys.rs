//! Who may open a model's gate: its keys, their triggers, and what licences call the model.

use saligate_files::manifest::Manifest;
use saligate_keys::{ImageShape, KeyId, LicensedModel, Secret, Trigger};

use super::Model;
use crate::error::RuntimeError;

impl Model {
    /// What licences say of this model.
    ///
    /// # Errors
    /// The model has no gate.
    pub fn licensed(&self) -> Result<LicensedModel<'_>, RuntimeError> {
        let gate = self.manifest().gate.as_ref().ok_or(RuntimeError::NoGate)?;
        let (digest, earlier) =
            (self.file.licensing_digest(), self.file.earlier_licensing_digest());
        Ok(LicensedModel { digest, earlier, keys: &gate.keys, vendor: gate.vendor })
    }

    /// The trigger of a secret for this model.
    ///
    /// # Errors
    /// The model has no gate, its gate belongs to other keys, or the network that has it is sealed.
    pub fn trigger(&self, secret: &Secret) -> Result<Trigger, RuntimeError> {
        self.check_key(secret.id())?;
        self.check_open()?;
        self.any_trigger(secret)
    }

    /// Whether a key opens the model, by its public id.
    ///
    /// # Errors
    /// The model has no gate, or its gate belongs to other keys.
    pub fn check_key(&self, found: KeyId) -> Result<(), RuntimeError> {
        check_key(self.manifest(), found)
    }

    /// Whether the gate is that of this network, and not of one that is sealed behind it.
    pub(crate) fn check_open(&self) -> Result<(), RuntimeError> {
        match self.manifest().sealed {
            Some(_) => Err(RuntimeError::Sealed),
            None => Ok(()),
        }
    }

    /// The trigger that any secret would have here, right or wrong: for measuring what wrong keys
    /// do.
    ///
    /// # Errors
    /// The model has no gate.
    pub fn any_trigger(&self, secret: &Secret) -> Result<Trigger, RuntimeError> {
        let gate = self.manifest().gate.as_ref().ok_or(RuntimeError::NoGate)?;
        Ok(gate.trigger.derive(secret, self.shape()?)?)
    }

    /// Shape of the images that triggers are put on.
    ///
    /// # Errors
    /// The model's input is none that has triggers.
    pub fn shape(&self) -> Result<ImageShape, RuntimeError> {
        shape(self.manifest())
    }

    /// Ids of the keys that open the gate; none for a model without one.
    pub fn key_ids(&self) -> &[KeyId] {
        self.manifest().gate.as_ref().map_or(&[], |gate| &gate.keys)
    }
}

/// Whether a key opens a model, by its public id.
pub(crate) fn check_key(manifest: &Manifest, found: KeyId) -> Result<(), RuntimeError> {
    let gate = manifest.gate.as_ref().ok_or(RuntimeError::NoGate)?;
    if gate.keys.contains(&found) {
        return Ok(());
    }
    Err(RuntimeError::WrongKey { found, expected: gate.keys.clone() })
}

/// Shape of the images of a model.
pub(crate) fn shape(manifest: &Manifest) -> Result<ImageShape, RuntimeError> {
    let input = &manifest.input;
    Ok(ImageShape::new(input.channels, input.height, input.width)?)
}
