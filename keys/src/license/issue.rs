//! Making a licence.

use zeroize::Zeroizing;

use super::{Claim, Claims, Grants, License, LicenseError, ModelDigest, Version};
use crate::line::reorders;
use crate::{
    ImageShape, KeyId, ModelKey, Recipient, SealedId, Secret, Timestamp, TriggerSpec, VendorKeys,
    hex, record, wrap,
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
    /// What it allows. Predictions alone are for sealed models.
    pub grants: Grants,
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
    /// What is sealed in the model, if anything is.
    pub sealed: Option<SealedId>,
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
            grants: self.grants,
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
        let message = message(terms.grants, subject)?;
        let version = subject.sealed.map_or(Version::Open, |_| Version::Sealed);
        let vendor = keys.public();
        let mut text = String::new();
        record::write_header(version.kind(), &mut text);
        record::write("vendor", &vendor.to_string(), &mut text);
        record::write("claims", &claims.to_json(), &mut text);
        let bound = text.len();
        let wrapped = wrap::wrap(&message, &terms.recipient, version.info(), text.as_bytes())?;
        record::write("secret", &hex::encode(&wrapped), &mut text);
        let signature = keys.sign(text.as_bytes());
        record::write("signature", &hex::encode(&signature), &mut text);
        Ok(Self { version, vendor, claims, wrapped, text, bound })
    }
}

/// What is wrapped: the key of the sealed part, if there is one, and the trigger, if it is allowed.
fn message(grants: Grants, subject: &Subject<'_>) -> Result<Zeroizing<Vec<u8>>, LicenseError> {
    let Subject { key, trigger, shape, sealed, .. } = subject;
    let trigger = match (grants, sealed) {
        (Grants::All, _) => Some(trigger.derive(key, *shape)?),
        (Grants::Predictions, Some(_)) => None,
        (Grants::Predictions, None) => return Err(LicenseError::OpenPredictions),
    };
    let trigger = trigger.as_ref().map_or(&[][..], |trigger| trigger.exposed());
    if trigger.len() > License::MAX_TRIGGER_LEN {
        return Err(LicenseError::TriggerTooLarge { limit: License::MAX_TRIGGER_LEN });
    }
    let key = sealed.map(|model| ModelKey::of(key, &model));
    let key = key.as_ref().map_or(&[][..], |key| key.expose());
    // All room at once leaves no copies.
    let mut message = Zeroizing::new(Vec::with_capacity(key.len() + trigger.len()));
    message.extend_from_slice(key);
    message.extend_from_slice(trigger);
    Ok(message)
}
