//! The right to see the correct map: a key, or a licence.

use saligate_keys::{
    Circumstances, Identity, KeyId, License, Recipient, Secret, Timestamp, Trigger, ValidLicense,
    Vendor,
};

use crate::error::RuntimeError;
use crate::model::Model;

/// What a licence is used for.
#[derive(Clone, Copy, Debug)]
pub struct Use<'a> {
    /// The present time.
    pub now: Timestamp,
    /// The name of this device, if it has one.
    pub device: Option<&'a str>,
    /// The vendor that the user trusts. That of the model is checked without being named.
    pub vendor: Option<Vendor>,
    /// The method to explain by.
    pub method: &'a str,
}

/// What opens the gate of a model, for as long as it is good. The trigger in it is wiped when it is
/// dropped, so it should not outlive the explanations.
pub struct Access {
    trigger: Trigger,
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
        Ok(Self { trigger: model.trigger(secret)?, terms: Terms::Key(secret.id()) })
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
        let recipient = identity.recipient();
        let checked = model.checked(&license, recipient, usage)?;
        let gate = model.manifest().gate.as_ref().ok_or(RuntimeError::NoGate)?;
        let trigger = checked.open(identity, &gate.trigger, model.shape()?)?;
        let device = usage.device.map(ToOwned::to_owned);
        let usage = LicenseUse { license, recipient, device, vendor: usage.vendor };
        Ok(Self { trigger, terms: Terms::License(Box::new(usage)) })
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
        match &self.terms {
            Terms::Key(id) => model.check_key(*id)?,
            Terms::License(license_use) => {
                let LicenseUse { license, recipient, device, vendor } = &**license_use;
                let usage = Use { now, device: device.as_deref(), vendor: *vendor, method };
                model.check_license(license, *recipient, &usage)?;
            }
        }
        Ok(&self.trigger)
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
        self.checked(license, recipient, usage).map(drop)
    }

    fn checked<'a>(
        &self,
        license: &'a License,
        recipient: Recipient,
        usage: &Use<'_>,
    ) -> Result<ValidLicense<'a>, RuntimeError> {
        let &Use { now, device, vendor, method } = usage;
        Ok(license.check(&Circumstances {
            now,
            vendor,
            model: Some(self.licensed()?),
            recipient: Some(recipient),
            device,
            method: Some(method),
        })?)
    }
}
