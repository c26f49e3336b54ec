//! The right to see the correct map: a key, or a licence.

use saligate_files::manifest::Manifest;
use saligate_keys::{
    Circumstances, Granted, Identity, KeyId, License, LicensedModel, ModelKey, Recipient, Refusal,
    Secret, Timestamp, Trigger, ValidLicense, Vendor,
};

use crate::error::RuntimeError;
use crate::model::{Model, shape};

/// What a licence is used for.
#[derive(Clone, Copy, Debug)]
pub struct Use<'a> {
    /// The present time.
    pub now: Timestamp,
    /// The name of this device, if it has one.
    pub device: Option<&'a str>,
    /// The vendor that the user trusts. That of the model is checked without being named.
    pub vendor: Option<Vendor>,
    /// The method to explain by; absent where only predictions are wanted.
    pub method: Option<&'a str>,
}

/// What opens the gate of a model, for as long as it is good. The trigger in it is wiped when it is
/// dropped, so it should not outlive the explanations.
pub struct Access {
    /// Absent where a licence allows predictions alone.
    trigger: Option<Trigger>,
    terms: Terms,
}

/// What is checked whenever it is used.
enum Terms {
    Key(KeyId),
    License(Box<LicenseUse>),
}

/// A licence, and what it is used for.
struct LicenseUse {
    license: License,
    recipient: Recipient,
    device: Option<String>,
    vendor: Option<Vendor>,
}

impl Access {
    /// The access of whoever has the key of a model, which has no end.
    ///
    /// # Errors
    /// As [`Model::trigger`].
    pub fn of_key(model: &Model, secret: &Secret) -> Result<Self, RuntimeError> {
        Ok(Self::with_key(model.trigger(secret)?, secret.id()))
    }

    /// The access that a licence gives. Everything that can be checked is checked before the trigger
    /// is unwrapped.
    ///
    /// # Errors
    /// The model has no gate, or the licence is not good for this
    /// ([`RuntimeError::License`]).
    pub fn of_license(
        model: &Model,
        license: License,
        identity: &Identity,
        usage: &Use<'_>,
    ) -> Result<Self, RuntimeError> {
        model.check_open()?;
        let licensed = model.licensed()?;
        Ok(Self::licensed(model.manifest(), licensed, license, identity, usage)?.0)
    }

    pub(crate) fn with_key(trigger: Trigger, key: KeyId) -> Self {
        Self { trigger: Some(trigger), terms: Terms::Key(key) }
    }

    /// The access that a licence gives, and the key of what is sealed in the model.
    pub(crate) fn licensed(
        manifest: &Manifest,
        model: LicensedModel<'_>,
        license: License,
        identity: &Identity,
        usage: &Use<'_>,
    ) -> Result<(Self, Option<ModelKey>), RuntimeError> {
        let recipient = identity.recipient();
        let checked = checked(model, &license, recipient, usage)?;
        let gate = manifest.gate.as_ref().ok_or(RuntimeError::NoGate)?;
        let shape = shape(manifest)?;
        let Granted { trigger, model_key } = checked.open(identity, &gate.trigger, shape)?;
        let device = usage.device.map(ToOwned::to_owned);
        let usage = LicenseUse { license, recipient, device, vendor: usage.vendor };
        Ok((Self { trigger, terms: Terms::License(Box::new(usage)) }, model_key))
    }

    /// Whether it is good for predictions of this model now.
    ///
    /// # Errors
    /// As [`Access::of_license`] or [`Access::of_key`].
    pub fn check(&self, model: &Model, now: Timestamp) -> Result<(), RuntimeError> {
        self.check_for(model, None, now)
    }

    fn check_for(
        &self,
        model: &Model,
        method: Option<&str>,
        now: Timestamp,
    ) -> Result<(), RuntimeError> {
        match &self.terms {
            Terms::Key(id) => model.check_key(*id),
            Terms::License(license_use) => {
                let LicenseUse { license, recipient, device, vendor } = &**license_use;
                let usage = Use { now, device: device.as_deref(), vendor: *vendor, method };
                model.check_license(license, *recipient, &usage)
            }
        }
    }

    /// The trigger, for one explanation of this model by this method now. A licence is checked every
    /// time: it may end while a program runs, and allow some methods only.
    ///
    /// # Errors
    /// As [`Access::of_license`] or [`Access::of_key`].
    pub fn trigger(
        &self,
        model: &Model,
        method: &str,
        now: Timestamp,
    ) -> Result<&Trigger, RuntimeError> {
        self.check_for(model, Some(method), now)?;
        self.trigger.as_ref().ok_or(Refusal::PredictionsOnly.into())
    }
}

impl Model {
    /// Whether a licence is good for this, and for this recipient. Takes nothing secret, so it can be
    /// asked before an identity is opened.
    ///
    /// # Errors
    /// The model has no gate, or the licence is not good for this
    /// ([`RuntimeError::License`]).
    pub fn check_license(
        &self,
        license: &License,
        recipient: Recipient,
        usage: &Use<'_>,
    ) -> Result<(), RuntimeError> {
        checked(self.licensed()?, license, recipient, usage).map(drop)
    }
}

/// A licence that is good for this.
pub(crate) fn checked<'a>(
    model: LicensedModel<'_>,
    license: &'a License,
    recipient: Recipient,
    usage: &Use<'_>,
) -> Result<ValidLicense<'a>, RuntimeError> {
    let &Use { now, device, vendor, method } = usage;
    Ok(license.check(&Circumstances {
        now,
        vendor,
        model: Some(model),
        recipient: Some(recipient),
        device,
        method,
    })?)
}
