//! Whether a licence is good here and now.

use std::fmt;
use std::time::Duration;

use super::{Granted, Grants, License, ModelDigest};
use crate::{Identity, ImageShape, KeyId, Recipient, Timestamp, TriggerSpec, Vendor};

/// How far a clock may be behind that of the vendor. A licence without a first day is good from its
/// issue on, and clocks are rarely right to the second; one that is further behind than this was
/// never set, or was set back.
const CLOCK_SKEW: Duration = Duration::from_secs(24 * 60 * 60);

/// Where and for what a licence is to be used. What is absent is not checked, except for the
/// device.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// The present time.
    pub now: Timestamp,
    /// The vendor that the user trusts.
    pub vendor: Option<Vendor>,
    /// The model to be explained.
    pub model: Option<LicensedModel<'a>>,
    /// Who is to open it.
    pub recipient: Option<Recipient>,
    /// This device. A licence that names a device is good on no unknown one.
    pub device: Option<&'a str>,
    /// The method to explain by; absent where only predictions are wanted.
    pub method: Option<&'a str>,
}

/// A model, as far as licences are concerned.
#[derive(Clone, Copy, Debug)]
pub struct LicensedModel<'a> {
    /// Which model it is.
    pub digest: ModelDigest,
    /// What older licences call it: a digest that covers less of the file.
    pub earlier: ModelDigest,
    /// The keys that open it.
    pub keys: &'a [KeyId],
    /// Who signs its licences; anybody where the model does not say.
    pub vendor: Option<Vendor>,
}

impl LicensedModel<'_> {
    /// Whether a digest that a licence names is this model's.
    pub fn is(&self, digest: &ModelDigest) -> bool {
        [self.digest, self.earlier].contains(digest)
    }
}

/// Why a licence is not good.
///
/// The message has two parts: what is wrong, and after the semicolon what to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Another vendor signed it.
    Vendor {
        /// Who signed it.
        found: Vendor,
        /// Who should have.
        expected: Vendor,
    },
    /// It is not good yet.
    NotYetValid {
        /// Its first second.
        from: Timestamp,
        /// The present one.
        now: Timestamp,
    },
    /// The clock is before the time of issue.
    Clock {
        /// When it was issued.
        issued: Timestamp,
        /// The present second.
        now: Timestamp,
    },
    /// It is no longer good.
    Expired {
        /// Its last second.
        at: Timestamp,
        /// The present one.
        now: Timestamp,
    },
    /// It is for another model.
    Model {
        /// The model of the licence.
        licensed: ModelDigest,
        /// The model to be explained.
        found: ModelDigest,
    },
    /// The model is the right one, but its key was revoked.
    Revoked {
        /// The key of the licence.
        key: KeyId,
    },
    /// It is for somebody else.
    Recipient {
        /// Whom it is for.
        licensed: Recipient,
        /// Who wants to open it.
        found: Recipient,
    },
    /// It is for another device.
    Device {
        /// The device of the licence.
        licensed: String,
        /// This one.
        found: Option<String>,
    },
    /// It is not for this method.
    Method {
        /// The methods of the licence.
        licensed: Vec<String>,
        /// The method asked for.
        found: String,
    },
    /// It allows predictions, and no explanations.
    PredictionsOnly,
    /// What is wrapped in it does not open. Coarse on purpose: the library below does not say more.
    Unwrap,
}

/// A licence that is good in some [`Circumstances`]. No other can be opened.
#[derive(Clone, Copy, Debug)]
pub struct ValidLicense<'a>(&'a License);

impl ValidLicense<'_> {
    /// Takes out the trigger, and the key of what is sealed in the model.
    ///
    /// # Errors
    /// [`Refusal::Recipient`] for another identity than the recipient's, [`Refusal::Unwrap`] when
    /// the wrapped trigger does not open or does not fit the images.
    pub fn open(
        self,
        identity: &Identity,
        spec: &TriggerSpec,
        shape: ImageShape,
    ) -> Result<Granted, Refusal> {
        self.0.open(identity, spec, shape)
    }
}

impl License {
    /// Checks the licence against the circumstances, before anything secret is touched.
    ///
    /// # Errors
    /// The first of the refusals that holds, in their order, except for [`Refusal::Unwrap`].
    pub fn check(&self, circumstances: &Circumstances<'_>) -> Result<ValidLicense<'_>, Refusal> {
        let &Circumstances { now, vendor, model, recipient, device, method } = circumstances;
        let claims = self.claims();
        let found = self.vendor();
        let expected = vendor.into_iter().chain(model.and_then(|model| model.vendor));
        if let Some(expected) = expected.into_iter().find(|&expected| expected != found) {
            return Err(Refusal::Vendor { found, expected });
        }
        if let Some(from) = claims.not_before.filter(|&from| now < from) {
            return Err(Refusal::NotYetValid { from, now });
        }
        if now < claims.issued.before(CLOCK_SKEW) {
            return Err(Refusal::Clock { issued: claims.issued, now });
        }
        if let Some(at) = claims.expires.filter(|&at| now > at) {
            return Err(Refusal::Expired { at, now });
        }
        if let Some(model) = model {
            if !model.is(&claims.model) {
                return Err(Refusal::Model { licensed: claims.model, found: model.digest });
            }
            if !model.keys.contains(&claims.key) {
                return Err(Refusal::Revoked { key: claims.key });
            }
        }
        recipient.map_or(Ok(()), |recipient| self.check_recipient(&recipient))?;
        if let Some(licensed) = claims.device.as_ref().filter(|&d| Some(d.as_str()) != device) {
            let found = device.map(ToOwned::to_owned);
            return Err(Refusal::Device { licensed: licensed.clone(), found });
        }
        if let (Grants::Predictions, Some(_)) = (claims.grants, method) {
            return Err(Refusal::PredictionsOnly);
        }
        match (&claims.methods, method) {
            (Some(licensed), Some(found)) if !licensed.iter().any(|m| m == found) => {
                Err(Refusal::Method { licensed: licensed.clone(), found: found.to_owned() })
            }
            _ => Ok(ValidLicense(self)),
        }
    }

    pub(super) fn check_recipient(&self, found: &Recipient) -> Result<(), Refusal> {
        let licensed = self.claims().recipient;
        if licensed == *found {
            return Ok(());
        }
        Err(Refusal::Recipient { licensed, found: *found })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vendor { found, expected } => write!(
                f,
                "the licence is signed by {found}, not by {expected}; \
                 ask the vendor of the model for a licence"
            ),
            Self::NotYetValid { from, now } => write!(
                f,
                "the licence is not valid before {from}, and it is {now}; \
                 wait, or set the clock if it is wrong"
            ),
            Self::Clock { issued, now } => write!(
                f,
                "the licence is not valid yet: it was issued at {issued}, and the clock says \
                 {now}; set the clock"
            ),
            Self::Expired { at, now } => write!(
                f,
                "the licence expired at {at}, and it is {now}; ask the vendor for a new one"
            ),
            Self::Model { licensed, found } => write!(
                f,
                "the licence is for another model ({licensed:.8}, not {found:.8}); \
                 check which model it was issued for with `saligate license show`"
            ),
            Self::Revoked { key } => write!(
                f,
                "key {key} of the licence does not open this model: it was revoked; \
                 ask the vendor for a new licence"
            ),
            Self::Recipient { licensed, found } => write!(
                f,
                "the licence is for another recipient ({licensed}, not {found}); \
                 use the identity that it was issued to"
            ),
            Self::Device { licensed, found } => write!(
                f,
                "the licence is for another device ({licensed}, not {}); \
                 use it there, or ask the vendor for one for this device",
                found.as_deref().unwrap_or("this one, which has no name")
            ),
            Self::Method { licensed, found } => write!(
                f,
                "the licence does not allow the method {found}, only {}; \
                 choose one of these",
                licensed.join(", ")
            ),
            Self::PredictionsOnly => f.write_str(
                "the licence allows predictions, and no explanations; ask the vendor for one that \
                 does",
            ),
            Self::Unwrap => f.write_str(
                "what is wrapped in the licence does not open with this identity, or does not fit \
                 the model; ask the vendor for the licence again",
            ),
        }
    }
}

impl std::error::Error for Refusal {}
