//! Who can open licences.

use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, Serializable};

use crate::{Error, Recipient, Secret};

/// The secret half of a user's or device's X25519 key pair, wiped when dropped.
///
/// Licences are wrapped for its [`Recipient`], and only the identity opens them.
pub struct Identity(Secret);

impl Identity {
    /// Draws a new identity.
    ///
    /// # Errors
    /// [`Error::Random`] when the operating system's generator is not available.
    pub fn generate() -> Result<Self, Error> {
        Ok(Self::derived(&Secret::generate()?))
    }

    /// The key pair that RFC 9180, section 7.1.3 (DeriveKeyPair) makes of 32 bytes.
    pub(crate) fn derived(material: &Secret) -> Self {
        let (private, _) = X25519HkdfSha256::derive_keypair(material.expose());
        let mut secret = Secret::zeros();
        private.write_exact(secret.expose_mut());
        Self(secret)
    }

    /// The identity with this X25519 private key. All 32-byte values are private keys.
    pub fn from_secret(secret: Secret) -> Self {
        Self(secret)
    }

    /// The public half.
    pub fn recipient(&self) -> Recipient {
        let mut bytes = [0; 32];
        X25519HkdfSha256::sk_to_pk(&self.private()).write_exact(&mut bytes);
        Recipient::from_bytes(bytes)
    }

    pub(crate) fn private(&self) -> <X25519HkdfSha256 as Kem>::PrivateKey {
        Deserializable::from_bytes(self.0.expose())
            .expect("any 32 bytes are an X25519 private key (RFC 7748, section 5)")
    }

    pub(crate) fn into_secret(self) -> Secret {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    /// RFC 9180, appendix A.2.1 (DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305):
    /// ikmR, pkRm, and skRm with the bits cleared and set that X25519 clears and sets (RFC 7748,
    /// section 5).
    #[test]
    fn rfc_9180_key_pair() {
        let mut material = Secret::zeros();
        let text = "1ac01f181fdf9f352797655161c58b75c656a6cc2716dcb66372da835542e1df";
        hex::decode(text, material.expose_mut()).unwrap();
        let identity = Identity::derived(&material);
        assert_eq!(
            hex::encode(identity.recipient().as_bytes()),
            "4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a"
        );
        assert_eq!(
            hex::encode(identity.into_secret().expose()),
            "8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e07b"
        );
    }

    #[test]
    fn identities_differ() {
        let [a, b] = [(), ()].map(|()| Identity::generate().unwrap().recipient());
        assert_ne!(a, b);
    }
}
