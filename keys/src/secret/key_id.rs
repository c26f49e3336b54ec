//! The public name of a secret.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{SecretError, hex};

/// An 8-byte public tag of a [`Secret`](crate::Secret), shown as 16 lowercase hex digits.
///
/// It stands in key files and model manifests, so that a program can say "this is another key"
/// before it tries anything. It is derived by HKDF under its own label, see the [crate
/// documentation](crate#derivation), and so tells nothing about the secret or the trigger. It
/// identifies, it does not authenticate.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId([u8; Self::LEN]);

impl KeyId {
    /// Several ids in a message: `a or b`, and how many more there are.
    pub fn list(ids: &[Self]) -> String {
        const SHOWN: usize = 4;
        let shown: Vec<String> = ids.iter().take(SHOWN).map(Self::to_string).collect();
        match ids.len().saturating_sub(SHOWN) {
            0 => shown.join(" or "),
            more => format!("{} or {more} others", shown.join(", ")),
        }
    }

    /// Length in bytes.
    pub const LEN: usize = 8;

    /// The id of these bytes.
    pub fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The tag as bytes.
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex::encode(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl FromStr for KeyId {
    type Err = SecretError;

    /// Reads exactly 16 lowercase hex digits: a key id has one spelling, so that ids may also be
    /// compared as text.
    fn from_str(text: &str) -> Result<Self, SecretError> {
        let mut id = [0; Self::LEN];
        hex::decode(text, &mut id).ok_or(SecretError::KeyIdSyntax)?;
        Ok(Self(id))
    }
}

impl TryFrom<String> for KeyId {
    type Error = SecretError;

    fn try_from(text: String) -> Result<Self, SecretError> {
        text.parse()
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: KeyId = KeyId([0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]);

    #[test]
    fn shows_as_hex_and_reads_back() {
        assert_eq!(ID.to_string(), "0123456789abcdef");
        assert_eq!(format!("{ID:?}"), "KeyId(0123456789abcdef)");
        assert_eq!("0123456789abcdef".parse::<KeyId>().unwrap(), ID);
    }

    #[test]
    fn serializes_as_a_string() {
        let json = serde_json::to_string(&ID).unwrap();
        assert_eq!(json, "\"0123456789abcdef\"");
        assert_eq!(serde_json::from_str::<KeyId>(&json).unwrap(), ID);
        assert!(serde_json::from_str::<KeyId>("\"0123\"").is_err());
    }

    #[test]
    fn other_spellings_are_refused_without_repeating_them() {
        for text in [
            "",
            "0123456789abcde",
            "0123456789abcdef0",
            "0123456789ABCDEF",
            "0123456789abcdeg",
            " 0123456789abcdef",
            "0123456789abcdé",
        ] {
            let error = text.parse::<KeyId>().unwrap_err();
            assert!(matches!(error, SecretError::KeyIdSyntax), "{text:?}");
            assert!(text.is_empty() || !error.to_string().contains(text));
        }
    }
}
