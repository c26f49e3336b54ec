//! The public name of what is sealed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::SealError;
use crate::hex;

/// Which model is sealed in a file, as 64 lowercase hex digits. It is drawn from the vendor's secret
/// and the digest of that model, so it says nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SealedId([u8; 32]);

impl SealedId {
    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for SealedId {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for SealedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex::encode(&self.0))
    }
}

impl FromStr for SealedId {
    type Err = SealError;

    fn from_str(text: &str) -> Result<Self, SealError> {
        let mut id = [0; 32];
        hex::decode(text, &mut id).ok_or(SealError::IdSyntax)?;
        Ok(Self(id))
    }
}

impl TryFrom<String> for SealedId {
    type Error = SealError;

    fn try_from(text: String) -> Result<Self, SealError> {
        text.parse()
    }
}

impl From<SealedId> for String {
    fn from(id: SealedId) -> Self {
        id.to_string()
    }
}
