//! Sealing a secret with a passphrase: Argon2id (RFC 9106) and ChaCha20-Poly1305 (RFC 8439).

use std::fmt;
use std::io::Read;
use std::str::FromStr;

use argon2::{Algorithm, Argon2, Params, Version};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use super::SecretFileError;
use super::text::{CIPHERTEXT_LEN, SealedBody};
use crate::{Error, Secret, SecretError, hex};

const SALT_LEN: usize = 16;
const TAG_LEN: usize = CIPHERTEXT_LEN - Secret::LEN;
/// What a file may ask for at most, so that a hostile one can neither fill the memory of a small
/// board nor keep it busy for minutes.
const MAX_KIB: u32 = 256 * 1024;
const MAX_PASSES: u32 = 16;

/// A passphrase, wiped when dropped.
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// The most bytes it may have.
    pub const MAX_LEN: usize = 1024;

    /// Takes a passphrase of 1 to 1024 bytes. One line end behind it is left out, as files and
    /// terminals add it.
    ///
    /// # Errors
    /// [`SecretFileError::PassphraseLength`].
    pub fn new(text: Zeroizing<String>) -> Result<Self, SecretFileError> {
        let bare = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let bare = bare.strip_suffix('\n').unwrap_or(bare);
        let bare = bare.strip_suffix('\r').unwrap_or(bare);
        if !(1..=Self::MAX_LEN).contains(&bare.len()) {
            return Err(SecretFileError::PassphraseLength { limit: Self::MAX_LEN });
        }
        Ok(Self(Zeroizing::new(bare.to_owned())))
    }

    /// Reads a passphrase, to the end of a file.
    ///
    /// # Errors
    /// As [`new`](Self::new), within [`Error::SecretFile`], or [`Error::File`].
    pub fn read_from(reader: impl Read) -> Result<Self, Error> {
        // All room at once leaves no copies; the longest passphrase has two bytes of a line end.
        let mut text = Zeroizing::new(String::with_capacity(Self::MAX_LEN + 3));
        reader.take(Self::MAX_LEN as u64 + 3).read_to_string(&mut text)?;
        Ok(Self::new(text)?)
    }
}

/// What one guess costs, and the salt: `m=65536 t=3 salt=…`, with memory in KiB and a single lane.
pub(super) struct Cost {
    kib: u32,
    passes: u32,
    salt: [u8; SALT_LEN],
}

impl Cost {
    /// The cost of new files: the second recommendation of RFC 9106, section 4, on one lane.
    pub(super) fn new() -> Result<Self, SecretFileError> {
        let mut salt = [0; SALT_LEN];
        SystemRandom::new().fill(&mut salt).map_err(|_| SecretError::Random)?;
        Ok(Self { kib: 64 * 1024, passes: 3, salt })
    }

    /// The secret as ciphertext and tag.
    pub(super) fn seal(
        &self,
        passphrase: &Passphrase,
        head: &str,
        secret: &Secret,
    ) -> Result<[u8; CIPHERTEXT_LEN], SecretFileError> {
        let mut message = Zeroizing::new(*secret.expose());
        let tag = self
            .key(passphrase)?
            .seal_in_place_separate_tag(nonce(), Aad::from(head), message.as_mut_slice())
            .map_err(|_| SecretFileError::WrongPassphrase)?;
        let mut ciphertext = [0; CIPHERTEXT_LEN];
        let (start, end) = ciphertext.split_at_mut(Secret::LEN);
        start.copy_from_slice(message.as_slice());
        end.copy_from_slice(tag.as_ref());
        Ok(ciphertext)
    }

    fn key(&self, passphrase: &Passphrase) -> Result<LessSafeKey, SecretFileError> {
        let params = Params::new(self.kib, self.passes, 1, Some(32));
        let params = params.map_err(|_| SecretFileError::WrongPassphrase)?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.0.as_bytes(), &self.salt, key.as_mut_slice())
            .map_err(|_| SecretFileError::WrongPassphrase)?;
        let key = UnboundKey::new(&CHACHA20_POLY1305, key.as_slice());
        Ok(LessSafeKey::new(key.expect("the key has 32 bytes")))
    }
}

/// Every salt gives another key, which seals one message: the nonce need not differ.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

impl SealedBody {
    pub(super) fn open(&self, passphrase: &Passphrase) -> Result<Secret, SecretFileError> {
        let cost: Cost = self.cost.parse().map_err(|()| SecretFileError::WrongPassphrase)?;
        let (ciphertext, tag) = self.ciphertext.split_at(Secret::LEN);
        let mut message = Zeroizing::new(self.ciphertext);
        message[..Secret::LEN].copy_from_slice(ciphertext);
        message[Secret::LEN..].copy_from_slice(tag);
        cost.key(passphrase)?
            .open_in_place(nonce(), Aad::from(&self.head), message.as_mut_slice())
            .map_err(|_| SecretFileError::WrongPassphrase)?;
        let mut secret = Secret::zeros();
        secret.expose_mut().copy_from_slice(&message[..CIPHERTEXT_LEN - TAG_LEN]);
        Ok(secret)
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m={} t={} salt={}", self.kib, self.passes, hex::encode(&self.salt))
    }
}

impl FromStr for Cost {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split(' ');
        let mut part = |name: &str| parts.next().and_then(|p| p.strip_prefix(name)).ok_or(());
        let (kib, passes) = (part("m=")?, part("t=")?);
        let mut salt = [0; SALT_LEN];
        hex::decode(part("salt=")?, &mut salt).ok_or(())?;
        let (kib, passes) = (kib.parse().map_err(|_| ())?, passes.parse().map_err(|_| ())?);
        let fits = (8..=MAX_KIB).contains(&kib) && (1..=MAX_PASSES).contains(&passes);
        let cost = Self { kib, passes, salt };
        if fits && cost.to_string() == text { Ok(cost) } else { Err(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: &str = "000102030405060708090a0b0c0d0e0f";

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(Zeroizing::new(text.to_owned())).unwrap()
    }

    #[test]
    fn costs_have_one_spelling_and_a_limit() {
        let read = |text: &str| format!("{text} salt={SALT}").parse::<Cost>();
        for good in ["m=8 t=1", "m=65536 t=3", "m=262144 t=16"] {
            assert!(read(good).is_ok(), "{good}");
        }
        for bad in [
            "m=7 t=1",
            "m=262145 t=3",
            "m=4294967295 t=1",
            "m=8 t=0",
            "m=8 t=17",
            "m=08 t=1",
            "m=8",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!("m=8 t=1 salt=00".parse::<Cost>().is_err());
        assert!(format!("m=8 t=1 salt={SALT} p=4").parse::<Cost>().is_err());
    }

    #[test]
    fn opens_with_the_passphrase_and_head_alone() {
        let cost: Cost = format!("m=64 t=1 salt={SALT}").parse().unwrap();
        let secret = Secret::from_bytes(&[7; Secret::LEN]);
        let ciphertext = cost.seal(&passphrase("correct horse"), "head", &secret).unwrap();
        let body =
            |head: &str| SealedBody { head: head.to_owned(), cost: cost.to_string(), ciphertext };
        assert_eq!(body("head").open(&passphrase("correct horse")).unwrap().expose(), &[7; 32]);
        for (head, words) in [("head", "wrong horse"), ("other head", "correct horse")] {
            let error = body(head).open(&passphrase(words)).err().unwrap();
            assert!(matches!(error, SecretFileError::WrongPassphrase));
        }
    }

    #[test]
    fn a_line_end_is_no_part_of_a_passphrase() {
        let new = |text: &str| Passphrase::new(Zeroizing::new(text.to_owned()));
        for text in ["a b", "a b\n", "a b\r\n"] {
            assert_eq!(new(text).unwrap().0.as_str(), "a b");
        }
        for text in ["", "\n", "\r\n", &"x".repeat(1025)] {
            assert!(matches!(new(text), Err(SecretFileError::PassphraseLength { limit: 1024 })));
        }
    }
}
