//! Wrapping a few bytes for one recipient: HPKE (RFC 9180), base mode, one message.
//!
//! The suite is DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305.

use std::convert::Infallible;

use hpke::aead::{AeadTag, ChaCha20Poly1305};
use hpke::inout::InOutBuf;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use rand_core::{TryCryptoRng, TryRng};
use zeroize::Zeroizing;

use crate::{Identity, IdentityError, Recipient, Secret};

const ENCAPSULATED_LEN: usize = 32;
const TAG_LEN: usize = 16;
/// How much longer a wrapped message is.
pub(crate) const OVERHEAD: usize = ENCAPSULATED_LEN + TAG_LEN;

/// Wraps a message: the encapsulated key, the ciphertext and its tag, one after the other.
///
/// # Errors
/// [`IdentityError::Secret`], and [`IdentityError::RecipientSyntax`] for a key that nobody can have: one of small
/// order.
pub(crate) fn wrap(
    message: &[u8],
    recipient: &Recipient,
    info: &[u8],
    aad: &[u8],
) -> Result<Vec<u8>, IdentityError> {
    wrap_with(&Secret::generate()?, message, recipient, info, aad)
}

/// [`wrap`] with given key material of the ephemeral key.
fn wrap_with(
    ephemeral: &Secret,
    message: &[u8],
    recipient: &Recipient,
    info: &[u8],
    aad: &[u8],
) -> Result<Vec<u8>, IdentityError> {
    let public = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(recipient.as_bytes());
    let public = public.map_err(|_| IdentityError::RecipientSyntax)?;
    let mut buffer = Zeroizing::new(message.to_vec());
    let (encapsulated, tag) = hpke::single_shot_seal_inout_detached_with_rng::<
        ChaCha20Poly1305,
        HkdfSha256,
        X25519HkdfSha256,
    >(
        &OpModeS::Base,
        &public,
        info,
        InOutBuf::from(buffer.as_mut_slice()),
        aad,
        &mut Once(ephemeral),
    )
    .map_err(|_| IdentityError::RecipientSyntax)?;
    Ok([encapsulated.to_bytes().as_slice(), &buffer, tag.to_bytes().as_slice()].concat())
}

/// The message, or none if anything at all differs from what it was wrapped with.
pub(crate) fn unwrap(
    wrapped: &[u8],
    identity: &Identity,
    info: &[u8],
    aad: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let (encapsulated, rest) = wrapped.split_at_checked(ENCAPSULATED_LEN)?;
    let (ciphertext, tag) = rest.split_at_checked(rest.len().checked_sub(TAG_LEN)?)?;
    let encapsulated = Deserializable::from_bytes(encapsulated).ok()?;
    let tag = AeadTag::<ChaCha20Poly1305>::from_bytes(tag).ok()?;
    let mut message = Zeroizing::new(ciphertext.to_vec());
    hpke::single_shot_open_inout_detached::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &identity.private(),
        &encapsulated,
        info,
        InOutBuf::from(message.as_mut_slice()),
        aad,
        &tag,
    )
    .ok()?;
    Some(message)
}

/// Key material that was drawn before, where a failing generator is an error and no panic. HPKE
/// asks for 32 bytes once.
struct Once<'a>(&'a Secret);

impl TryRng for Once<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("DHKEM(X25519) fills one array")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("DHKEM(X25519) fills one array")
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.copy_from_slice(self.0.expose());
        Ok(())
    }
}

impl TryCryptoRng for Once<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    fn bytes(text: &str) -> Vec<u8> {
        let mut bytes = vec![0; text.len() / 2];
        hex::decode(text, &mut bytes).unwrap();
        bytes
    }

    fn material(text: &str) -> Secret {
        Secret::from_bytes(&bytes(text).try_into().unwrap())
    }

    /// RFC 9180, appendix A.2.1 and A.2.1.1, sequence number 0.
    #[test]
    fn rfc_9180_base_mode() {
        let info = bytes("4f6465206f6e2061204772656369616e2055726e");
        let aad = bytes("436f756e742d30");
        let message = bytes("4265617574792069732074727574682c20747275746820626561757479");
        let ephemeral =
            material("909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b");
        let identity = Identity::derived(&material(
            "1ac01f181fdf9f352797655161c58b75c656a6cc2716dcb66372da835542e1df",
        ));
        let wrapped = wrap_with(&ephemeral, &message, &identity.recipient(), &info, &aad).unwrap();
        assert_eq!(
            hex::encode(&wrapped),
            "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a\
             1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28"
        );
        assert_eq!(*unwrap(&wrapped, &identity, &info, &aad).unwrap(), message);
    }

    #[test]
    fn everything_is_bound() {
        let identity = Identity::generate().unwrap();
        let wrapped = wrap(b"message", &identity.recipient(), b"info", b"aad").unwrap();
        assert_eq!(wrapped.len(), b"message".len() + OVERHEAD);
        assert_eq!(*unwrap(&wrapped, &identity, b"info", b"aad").unwrap(), b"message");
        assert!(unwrap(&wrapped, &identity, b"other", b"aad").is_none());
        assert!(unwrap(&wrapped, &identity, b"info", b"other").is_none());
        assert!(unwrap(&wrapped, &Identity::generate().unwrap(), b"info", b"aad").is_none());
        for len in 0..wrapped.len() {
            assert!(unwrap(&wrapped[..len], &identity, b"info", b"aad").is_none());
        }
        // The top bit of an X25519 key does not count (RFC 7748, section 5), but HPKE hashes it.
        for bit in 0..8 * wrapped.len() {
            let mut other = wrapped.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(unwrap(&other, &identity, b"info", b"aad").is_none(), "bit {bit}");
        }
    }

    #[test]
    fn a_key_of_small_order_is_refused() {
        let zero = Recipient::from_bytes([0; 32]);
        let error = wrap(b"message", &zero, b"", b"").unwrap_err();
        assert!(matches!(error, IdentityError::RecipientSyntax));
    }
}
