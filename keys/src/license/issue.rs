//! Making a licence.

use super::{Claim, Claims, INFO, KIND, License, LicenseError, ModelDigest};
use crate::line::reorders;
use crate::{
    ImageShape, KeyId, Recipient, Secret, Timestamp, TriggerSpec, VendorKeys, hex, record, wrap,
};

/// What a vendor decides of a licence.
#[derive(Clone, Debug)]
pub struct Terms {
    /// To whom it is issued, for people.
    pub holder: String,
    /// Who can open it.
    pub recipient: Recipient,
    /// The first second in which it is good.
    pub not_before: Option<Timestamp>,
    /// The last second in which it is good.
    pub expires: Option<Timestamp>,
    /// The methods that it explains by, in any order; all where absent.
    pub methods: Option<Vec<String>>,
    /// The one device that may use it.
    pub device: Option<String>,
}

/// What a licence is about.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The model.
    pub model: ModelDigest,
    /// The secret of the key whose trigger is licensed.
    pub key: &'a Secret,
    /// The trigger of the model's gate.
    pub trigger: TriggerSpec,
    /// The model's images.
    pub shape: ImageShape,
    /// Whether the key is meant for other holders too.
    pub shared: bool,
}

impl Terms {
    /// Whether a licence can have these terms.
    ///
    /// # Errors
    /// [`LicenseError::Claim`] for a claim out of its limits.
    pub fn check(&self) -> Result<(), LicenseError> {
        let (key, model) = (KeyId::from_bytes([0; KeyId::LEN]), ModelDigest::from([0; 32]));
        self.claims(key, model, 1, Timestamp::now()).map(drop)
    }

    /// The claims of a licence on these terms.
    ///
    /// # Errors
    /// [`LicenseError::Claim`] for a claim out of its limits.
    fn claims(
        &self,
        key: KeyId,
        model: ModelDigest,
        serial: u32,
        now: Timestamp,
    ) -> Result<Claims, LicenseError> {
        if reorders(&self.holder) {
            return Err(LicenseError::Claim { claim: Claim::Holder });
        }
        let methods = self.methods.clone().map(|mut methods| {
            methods.sort();
            methods.dedup();
            methods
        });
        let claims = Claims {
            device: self.device.clone(),
            expires: self.expires,
            holder: self.holder.clone(),
            issued: now,
            key,
            methods,
            model,
            not_before: self.not_before,
            recipient: self.recipient,
            serial,
        };
        claims.check()?;
        Ok(claims)
    }
}

impl License {
    /// Issues a licence.
    ///
    /// A vendor does so through a [`LedgerWriter`](crate::LedgerWriter), which gives every licence
    /// a number of its own.
    ///
    /// # Errors
    /// [`LicenseError::Claim`], [`LicenseError::Trigger`], [`LicenseError::TriggerTooLarge`] or
    /// [`LicenseError::Identity`].
    pub(crate) fn issue(
        keys: &VendorKeys<'_>,
        terms: &Terms,
        subject: &Subject<'_>,
        serial: u32,
        now: Timestamp,
    ) -> Result<Self, LicenseError> {
        let claims = terms.claims(subject.key.id(), subject.model, serial, now)?;
        let trigger = subject.trigger.derive(subject.key, subject.shape)?;
        let trigger = trigger.exposed();
        if trigger.len() > Self::MAX_TRIGGER_LEN {
            return Err(LicenseError::TriggerTooLarge { limit: Self::MAX_TRIGGER_LEN });
        }
        let vendor = keys.public();
        let mut text = String::new();
        record::write_header(KIND, &mut text);
        record::write("vendor", &vendor.to_string(), &mut text);
        record::write("claims", &claims.to_json(), &mut text);
        let bound = text.len();
        let wrapped = wrap::wrap(trigger, &terms.recipient, INFO, text.as_bytes())?;
        record::write("secret", &hex::encode(&wrapped), &mut text);
        let signature = keys.sign(text.as_bytes());
        record::write("signature", &hex::encode(&signature), &mut text);
        Ok(Self { vendor, claims, wrapped, text, bound })
    }
}
