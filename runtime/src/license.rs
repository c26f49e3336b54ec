//! Explaining with a licence.

use saligate_keys::{Circumstances, Identity, License, Recipient, Timestamp, Trigger, Vendor};

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

    /// The trigger of a licence, for explanations of one kind. It is wiped when dropped, so it
    /// should not outlive the explanations.
    ///
    /// Everything that can be checked is checked before the trigger is unwrapped.
    ///
    /// # Errors
    /// The model has no gate, or the licence is not good for this
    /// ([`RuntimeError::License`]).
    pub fn licensed_trigger(
        &self,
        license: &License,
        identity: &Identity,
        usage: &Use<'_>,
    ) -> Result<Trigger, RuntimeError> {
        self.check_license(license, identity.recipient(), usage)?;
        let gate = self.manifest().gate.as_ref().ok_or(RuntimeError::NoGate)?;
        Ok(license.open(identity, &gate.trigger, self.shape()?)?)
    }
}
