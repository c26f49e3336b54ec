//! Who can open licences.

mod error;
pub(crate) mod wrap;

use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, Serializable};

pub use error::IdentityError;

use crate::{Recipient, Secret, SecretError};

/// The secret half of a user's or device's X25519 key pair, wiped when dropped.
///
/// Licences are wrapped for its [`Recipient`], and only the identity opens them.
pub struct Identity {
    secret: Secret,
    // Computing it takes as long as half of checking a licence.
    recipient: Recipient,
}

impl Identity {
    /// Draws a new identity.
    ///
    /// # Errors
    /// [`SecretError::Random`] when the operating system's generator is not available.
    pub fn generate() -> Result<Self, SecretError> {
        Ok(Self::derived(&Secret::generate()?))
    }

    /// The key pair that RFC 9180, section 7.1.3 (DeriveKeyPair) makes of 32 bytes.
    pub(crate) fn derived(material: &Secret) -> Self {
        let (private, public) = X25519HkdfSha256::derive_keypair(material.expose());
        let mut secret = Secret::zeros();
        private.write_exact(secret.expose_mut());
        Self::of_pair(secret, recipient(&public))
    }

    /// The identity with this X25519 private key. All 32-byte values are private keys.
    pub fn from_secret(secret: Secret) -> Self {
        let public = recipient(&X25519HkdfSha256::sk_to_pk(&private(&secret)));
        Self::of_pair(secret, public)
    }

    /// The identity with a public half that was computed before.
    pub(crate) fn of_pair(secret: Secret, recipient: Recipient) -> Self {
        Self { secret, recipient }
    }

    /// The public half.
    pub fn recipient(&self) -> Recipient {
        self.recipient
    }

    pub(crate) fn private(&self) -> Private {
        private(&self.secret)
    }

    pub(crate) fn into_secret(self) -> Secret {
        self.secret
    }
}

type Private = <X25519HkdfSha256 as Kem>::PrivateKey;

fn private(secret: &Secret) -> Private {
    Deserializable::from_bytes(secret.expose())
        .expect("any 32 bytes are an X25519 private key (RFC 7748, section 5)")
}

fn recipient(public: &<X25519HkdfSha256 as Kem>::PublicKey) -> Recipient {
    let mut bytes = [0; 32];
    public.write_exact(&mut bytes);
    Recipient::from_bytes(bytes)
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
