//! Who signs licences and models.

mod error;
mod signature;

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

pub use error::VendorError;
pub use signature::ModelSignature;

use crate::derive::{self, Purpose};
use crate::{Secret, Vendor};

/// Length of an Ed25519 signature (RFC 8032).
pub const SIGNATURE_LEN: usize = 64;

/// What a vendor's [`Secret`] stands for beside its own trigger: an Ed25519 key that signs, and
/// the secrets of numbered slots.
///
/// All of it is derived under labels of its own, see the [crate documentation](crate#derivation),
/// so that one key file is all a vendor keeps. None of it follows from a trigger: whoever has a
/// licence can neither sign, nor open with another slot.
pub struct VendorKeys<'a>(&'a Secret);

impl<'a> VendorKeys<'a> {
    /// What slots are counted from and to. Zero is left out, so that "slot" in a table is never
    /// taken for "none"; the end is above what a gate is good for, and bounds the search for a slot.
    pub const SLOTS: std::ops::RangeInclusive<u32> = 1..=4096;

    /// The keys of a vendor.
    pub fn of(secret: &'a Secret) -> Self {
        Self(secret)
    }

    /// The key that verifies what this one signs.
    pub fn public(&self) -> Vendor {
        let pair = self.pair();
        let mut bytes = [0; 32];
        bytes.copy_from_slice(pair.public_key().as_ref());
        Vendor::from_bytes(bytes)
    }

    /// The secret of a slot: a key of its own in a model that opens with several.
    pub fn slot(&self, number: u32) -> Secret {
        let mut secret = Secret::zeros();
        let parameters = number.to_be_bytes();
        let stream = derive::stream(self.0, Purpose::Slot, &parameters, Secret::LEN);
        secret.expose_mut().copy_from_slice(&stream);
        secret
    }

    pub(crate) fn secret(&self) -> &Secret {
        self.0
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_LEN] {
        let mut signature = [0; SIGNATURE_LEN];
        signature.copy_from_slice(self.pair().sign(message).as_ref());
        signature
    }

    fn pair(&self) -> Ed25519KeyPair {
        let seed = derive::stream(self.0, Purpose::SigningKey, &[], Secret::LEN);
        key_pair(&seed)
    }
}

impl Vendor {
    /// Whether the vendor signed the message.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8; SIGNATURE_LEN]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.as_bytes()).verify(message, signature).is_ok()
    }
}

fn key_pair(seed: &[u8]) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(seed).expect("ring refuses only seeds of another length")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    /// RFC 8032, section 7.1, tests 1 to 3: secret key, public key, message, signature.
    #[test]
    fn rfc_8032() {
        for (secret, public, message, signature) in [
            (
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                "",
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39\
                 701cf9b46bd25bf5f0595bbe24655141438e7a100b",
            ),
            (
                "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
                "72",
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f36\
                 13d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
            ),
            (
                "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
                "af82",
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f7\
                 60984dc6594a7c15e9716ed28dc027beceea1ec40a",
            ),
        ] {
            let bytes = |text: &str| {
                let mut bytes = vec![0; text.len() / 2];
                hex::decode(text, &mut bytes).unwrap();
                bytes
            };
            let pair = key_pair(&bytes(secret));
            assert_eq!(hex::encode(pair.public_key().as_ref()), public);
            assert_eq!(hex::encode(pair.sign(&bytes(message)).as_ref()), signature);
            let vendor = Vendor::from_bytes(bytes(public).try_into().unwrap());
            let signature: [u8; SIGNATURE_LEN] = bytes(signature).try_into().unwrap();
            assert!(vendor.verifies(&bytes(message), &signature));
            for bit in 0..8 * SIGNATURE_LEN {
                let mut other = signature;
                other[bit / 8] ^= 1 << (bit % 8);
                assert!(!vendor.verifies(&bytes(message), &other), "bit {bit}");
            }
            assert!(!vendor.verifies(b"another message", &signature));
        }
    }

    #[test]
    fn slots_are_keys_of_their_own() {
        let secret = Secret::from_bytes(&[7; Secret::LEN]);
        let keys = VendorKeys::of(&secret);
        let mut ids: Vec<_> = (1..=50).map(|slot| keys.slot(slot).id().to_string()).collect();
        ids.push(secret.id().to_string());
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 51);
        assert_eq!(keys.slot(3).expose(), keys.slot(3).expose());
    }
}
