//! What a licence says.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Claim, LicenseError};
use crate::line::is_line;
use crate::{KeyId, Recipient, Timestamp, hex};

/// What a licence says, in canonical JSON.
///
/// Canonical is: the fields in alphabetical order, those that are absent left out, no blanks, and
/// strings escaped no more than JSON demands. It is a subset of RFC 8785. Claims are only read in
/// the spelling that is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Name of the one device that may use it; any device where absent. 1 to 128 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The last second in which it is good; for ever where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// What it allows; only a licence for a sealed model says so.
    #[serde(default, skip_serializing_if = "Grants::is_all")]
    pub grants: Grants,
    /// To whom it was issued, for people. 1 to 256 bytes.
    pub holder: String,
    /// When it was issued.
    pub issued: Timestamp,
    /// Whose trigger is wrapped.
    pub key: KeyId,
    /// The methods that it explains by, in alphabetical order; all where absent. 1 to 32 names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub methods: Option<Vec<String>>,
    /// The model that it explains.
    pub model: ModelDigest,
    /// The first second in which it is good; from its issue on where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Who can open it.
    pub recipient: Recipient,
    /// Its number among the licences of the vendor, from 1.
    pub serial: u32,
}

/// What a licence allows its holder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grants {
    /// Predictions and explanations.
    #[default]
    All,
    /// Predictions of the sealed network alone: the licence holds no trigger.
    Predictions,
}

impl Grants {
    fn is_all(&self) -> bool {
        *self == Self::All
    }
}

impl Claims {
    /// The most bytes that the name of a holder may have.
    pub const MAX_HOLDER_LEN: usize = 256;
    /// The most bytes that the name of a device may have.
    pub const MAX_DEVICE_LEN: usize = 128;
    /// The most methods that can be named.
    pub const MAX_METHODS: usize = 32;
    /// The most bytes that the name of a method may have.
    pub const MAX_METHOD_LEN: usize = 64;

    /// The canonical text.
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("claims have string keys and no floats")
    }

    /// Reads the canonical text, and nothing else.
    pub(crate) fn from_json(text: &str) -> Option<Self> {
        let claims: Self = serde_json::from_str(text).ok()?;
        (claims.check().is_ok() && claims.to_json() == text).then_some(claims)
    }

    /// Whether every claim is within its limits.
    pub(crate) fn check(&self) -> Result<(), LicenseError> {
        let check = |claim, ok: bool| if ok { Ok(()) } else { Err(LicenseError::Claim { claim }) };
        check(Claim::Holder, is_line(&self.holder, Self::MAX_HOLDER_LEN))?;
        let device = self.device.as_deref();
        check(Claim::Device, device.is_none_or(|text| is_line(text, Self::MAX_DEVICE_LEN)))?;
        check(Claim::Serial, self.serial > 0)?;
        check(
            Claim::Expires,
            self.expires.is_none_or(|end| end >= self.not_before.unwrap_or(end)),
        )?;
        let Some(methods) = &self.methods else { return Ok(()) };
        let named = |m: &String| is_line(m, Self::MAX_METHOD_LEN);
        let fits = (1..=Self::MAX_METHODS).contains(&methods.len())
            && methods.iter().all(named)
            && methods.is_sorted_by(|a, b| a < b);
        check(Claim::Methods, fits)
    }
}

/// SHA-256 of what makes a model the one that was licensed, as 64 lowercase hex digits.
///
/// What goes into it is decided by the crate that knows models.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelDigest([u8; 32]);

impl ModelDigest {
    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for ModelDigest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for ModelDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex::encode(&self.0))
    }
}

impl fmt::Debug for ModelDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ModelDigest({self})")
    }
}

impl FromStr for ModelDigest {
    type Err = LicenseError;

    fn from_str(text: &str) -> Result<Self, LicenseError> {
        let mut digest = [0; 32];
        hex::decode(text, &mut digest).ok_or(LicenseError::DigestSyntax)?;
        Ok(Self(digest))
    }
}

impl TryFrom<String> for ModelDigest {
    type Error = LicenseError;

    fn try_from(text: String) -> Result<Self, LicenseError> {
        text.parse()
    }
}

impl From<ModelDigest> for String {
    fn from(digest: ModelDigest) -> Self {
        digest.to_string()
    }
}
