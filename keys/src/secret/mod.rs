//! The secret that everything else is derived from.

pub(crate) mod derive;
mod error;
mod key_id;

use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroize;

use derive::Purpose;
pub use error::SecretError;
pub use key_id::KeyId;

/// A 32-byte secret, wiped when dropped.
///
/// It can be neither printed, compared, cloned nor serialized; [`expose`](Self::expose) is the one
/// way to its bytes and easy to search for. Wiping covers the memory that this crate owns. The
/// cryptographic library does not wipe the state it keeps on the stack while deriving.
// Boxed so that moving a secret moves a pointer and leaves no copy behind.
pub struct Secret(Box<[u8; Self::LEN]>);

impl Secret {
    /// Length in bytes.
    pub const LEN: usize = 32;

    /// Draws a new secret from the operating system's random number generator.
    ///
    /// # Errors
    /// [`SecretError::Random`] when the generator is not available.
    pub fn generate() -> Result<Self, SecretError> {
        let mut secret = Self::zeros();
        SystemRandom::new().fill(secret.0.as_mut_slice()).map_err(|_| SecretError::Random)?;
        Ok(secret)
    }

    /// Copies a secret from bytes, which should be as hard to guess as 32 uniformly random ones.
    /// The caller wipes its own copy.
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let mut secret = Self::zeros();
        secret.0.copy_from_slice(bytes);
        secret
    }

    /// The bytes themselves. Never log them, print them, or pass them on a command line.
    pub fn expose(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// The public name of this secret.
    pub fn id(&self) -> KeyId {
        let mut id = [0; KeyId::LEN];
        id.copy_from_slice(&derive::stream(self, Purpose::KeyId, &[], KeyId::LEN));
        KeyId::from_bytes(id)
    }

    /// A place to write a secret into.
    pub(crate) fn zeros() -> Self {
        Self(Box::new([0; Self::LEN]))
    }

    /// The bytes, to be filled by a parser.
    pub(crate) fn expose_mut(&mut self) -> &mut [u8; Self::LEN] {
        &mut self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn generated_secrets_differ() {
        let a = Secret::generate().unwrap();
        let b = Secret::generate().unwrap();
        assert_ne!(a.expose(), b.expose());
        assert_ne!(a.expose(), &[0; Secret::LEN]);
    }

    #[test]
    fn every_bit_of_the_secret_changes_the_id() {
        let mut ids = HashSet::from([Secret::from_bytes(&[0; Secret::LEN]).id()]);
        for bit in 0..8 * Secret::LEN {
            let mut bytes = [0; Secret::LEN];
            bytes[bit / 8] = 1 << (bit % 8);
            assert!(ids.insert(Secret::from_bytes(&bytes).id()), "bit {bit}");
        }
    }
}
