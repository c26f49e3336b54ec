//! Public keys as short lines that can be mailed.

use std::fmt;
use std::str::FromStr;

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32m, Hrp};
use serde::{Deserialize, Serialize};

use crate::{IdentityError, VendorError};

/// Length of a public key of X25519 and of Ed25519.
const LEN: usize = 32;

/// The public half of an [`Identity`](crate::Identity): whom a licence is for.
///
/// A line like `sgto1…`: the 32 bytes of an X25519 public key in bech32m ([BIP 350]), whose
/// checksum finds slips of copying. Lowercase only.
///
/// [BIP 350]: https://github.com/bitcoin/bips/blob/master/bip-0350.mediawiki
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Recipient([u8; LEN]);

/// The public half of a [`VendorKeys`](crate::VendorKeys): who signed a licence or a model.
///
/// A line like `sgvendor1…`: the 32 bytes of an Ed25519 public key in bech32m, as [`Recipient`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Vendor([u8; LEN]);

macro_rules! public_key {
    ($name:ident, $prefix:literal, $error:ident::$syntax:ident) => {
        impl $name {
            pub(crate) fn from_bytes(bytes: [u8; LEN]) -> Self {
                Self(bytes)
            }

            pub(crate) fn as_bytes(&self) -> &[u8; LEN] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                bech32::encode_lower_to_fmt::<Bech32m, _>(f, Hrp::parse_unchecked($prefix), &self.0)
                    .map_err(|_| fmt::Error)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, $error> {
                decode($prefix, text)
                    .map(Self)
                    .filter(|key| key.to_string() == text)
                    .ok_or($error::$syntax)
            }
        }

        impl TryFrom<String> for $name {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, $error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(key: $name) -> Self {
                key.to_string()
            }
        }
    };
}

public_key!(Recipient, "sgto", IdentityError::RecipientSyntax);
public_key!(Vendor, "sgvendor", VendorError::VendorSyntax);

fn decode(prefix: &str, text: &str) -> Option<[u8; LEN]> {
    // Longer texts are of another kind; this also bounds the work.
    if text.len() > 2 * LEN + prefix.len() {
        return None;
    }
    let checked = CheckedHrpstring::new::<Bech32m>(text).ok()?;
    if checked.hrp().as_str() != prefix {
        return None;
    }
    let bytes: Vec<u8> = checked.byte_iter().collect();
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> [u8; LEN] {
        std::array::from_fn(|i| i as u8)
    }

    /// The text was computed by `tests/vectors/check.py`.
    #[test]
    fn lines_are_short_and_read_back() {
        let text = "sgto1qqqsyqcyq5rqwzqfpg9scrgwpugpzysnzs23v9ccrydpk8qarc0s43h6gc";
        let recipient = Recipient(key());
        assert_eq!(recipient.to_string().len(), text.len());
        assert_eq!(recipient.to_string().parse::<Recipient>().unwrap(), recipient);
        let vendor = Vendor(key()).to_string();
        assert!(vendor.starts_with("sgvendor1") && vendor.len() <= 72, "{vendor}");
        assert_eq!(vendor.parse::<Vendor>().unwrap(), Vendor(key()));
    }

    #[test]
    fn no_single_change_passes() {
        let text = Recipient(key()).to_string();
        for at in 0..text.len() {
            assert!(text[..at].parse::<Recipient>().is_err());
            for byte in (0..128).filter(|&byte| byte != text.as_bytes()[at]) {
                let mut other = text.clone().into_bytes();
                other[at] = byte;
                let other = String::from_utf8(other).unwrap();
                assert!(other.parse::<Recipient>().is_err(), "{other}");
            }
        }
    }

    #[test]
    fn kinds_and_spellings_are_not_mixed() {
        let vendor = Vendor(key()).to_string();
        let recipient = Recipient(key()).to_string();
        assert!(vendor.parse::<Recipient>().is_err());
        assert!(recipient.parse::<Vendor>().is_err());
        assert!(recipient.to_uppercase().parse::<Recipient>().is_err());
        for text in ["", "sgto1", " ", &format!(" {recipient}"), &"q".repeat(1 << 20)] {
            assert!(text.parse::<Recipient>().is_err());
        }
    }

    #[test]
    fn keys_of_other_lengths_are_refused() {
        for len in [0, 31, 33] {
            let hrp = Hrp::parse_unchecked("sgto");
            let text = bech32::encode::<Bech32m>(hrp, &vec![7; len]).unwrap();
            assert!(text.parse::<Recipient>().is_err(), "{len}");
        }
    }
}
