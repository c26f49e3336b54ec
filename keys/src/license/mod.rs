//! The right to see explanations.

mod check;
mod claims;
mod error;
mod issue;
mod limits;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

pub use check::{Circumstances, LicensedModel, Refusal, ValidLicense};
pub use claims::{Claims, Grants, ModelDigest};
pub use error::{Claim, LicenseError};
pub use issue::{Subject, Terms};
pub use limits::{Limit, Limits};

use crate::file::{self, read_capped};
use crate::record::{self, Reader};
use crate::vendor::SIGNATURE_LEN;
use crate::{
    Error, Identity, ImageShape, ModelKey, RecordError, Trigger, TriggerSpec, Vendor, hex, wrap,
};

const NAME: &str = "license";

/// What a licence wraps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    /// Version 1: a trigger.
    Open,
    /// Version 2, for a sealed model: the key of its sealed part, and a trigger behind it if
    /// explanations are allowed.
    Sealed,
}

impl Version {
    fn kind(self) -> record::Kind {
        record::Kind { name: NAME, version: self as u32 + 1 }
    }

    /// The application's part of the HPKE key schedule.
    fn info(self) -> &'static [u8] {
        match self {
            Self::Open => b"saligate/v1/license",
            Self::Sealed => b"saligate/v2/license",
        }
    }

    /// The version of a text; the newest one where it has none that is known.
    fn of(text: &[u8]) -> Self {
        match record::header(text) {
            Some((NAME, 1)) => Self::Open,
            _ => Self::Sealed,
        }
    }

    /// How long what is wrapped may be.
    fn lengths(self, grants: Grants) -> std::ops::RangeInclusive<usize> {
        let triggers = 1..=License::MAX_TRIGGER_LEN;
        match (self, grants) {
            (Self::Open, _) => triggers,
            (Self::Sealed, Grants::Predictions) => ModelKey::LEN..=ModelKey::LEN,
            (Self::Sealed, Grants::All) => {
                ModelKey::LEN + triggers.start()..=ModelKey::LEN + triggers.end()
            }
        }
    }
}

/// What a licence opens.
pub struct Granted {
    /// The trigger; absent where predictions alone are allowed.
    pub trigger: Option<Trigger>,
    /// What opens the sealed part of the model; absent where nothing is sealed.
    pub model_key: Option<ModelKey>,
}

/// A licence: the trigger of one model, and the key of what is sealed in it, wrapped for one recipient, with claims and the vendor's
/// signature. It can be read by anybody and opened by the recipient.
///
/// ```text
/// saligate license v1
/// vendor: sgvendor1…
/// claims: {"holder":"Ana",…}
/// secret: (HPKE: encapsulated key, ciphertext and tag, as hex digits)
/// signature: (Ed25519 over all lines above, as hex digits)
/// ```
///
/// What is wrapped is the trigger itself, not the secret that it was derived from, and the key of the
/// model's sealed part, if it has one (`license v2`): a licence opens
/// one model and says nothing of the vendor's other keys. The first three lines are bound to it as
/// associated data, so that it cannot be moved under other claims. `docs/format.md` has every field
/// and limit.
#[derive(Clone)]
pub struct License {
    version: Version,
    vendor: Vendor,
    claims: Claims,
    wrapped: Vec<u8>,
    text: String,
    /// Bytes of the text that are bound to what is wrapped.
    bound: usize,
}

impl License {
    /// The most bytes that a licence may have. The longest claims have some 8 KiB, the longest
    /// trigger as hex digits 128 KiB.
    pub const MAX_LEN: usize = 160 * 1024;
    /// The most bytes that a trigger may have to be licensed: a sign for every value of a picture
    /// of 418 x 418 in colour. Tiles and patches have at most 16 KiB.
    pub const MAX_TRIGGER_LEN: usize = 64 * 1024;

    /// Reads a licence and checks its signature.
    ///
    /// # Errors
    /// Any of the errors of [`read_from`](Self::read_from), within [`Error::At`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let read = || Self::read_from(File::open(path)?);
        read().map_err(|error: Error| error.at(path))
    }

    /// Reads the text of a licence, for example from standard input, and checks its signature.
    ///
    /// # Errors
    /// [`Error::License`] with any of the errors of [`parse`](Self::parse), or [`Error::File`].
    pub fn read_from(reader: impl Read) -> Result<Self, Error> {
        let mut text = vec![0; Self::MAX_LEN + 1];
        let len = read_capped(reader, &mut text)?;
        let len = if len > Self::MAX_LEN { len } else { file::as_written(&mut text[..len]) };
        Ok(Self::parse(&text[..len])?)
    }

    /// Reads the text of a licence and checks its signature, by the vendor that it names. Whether
    /// that is the right vendor, and whether the licence is good for something, is for
    /// [`check`](Self::check).
    ///
    /// # Errors
    /// [`LicenseError::Record`] when it is something else, or was cut or damaged;
    /// [`LicenseError::Signature`] when it was changed.
    pub fn parse(text: &[u8]) -> Result<Self, LicenseError> {
        let license = Self::parse_unverified(text)?;
        license.verify()?;
        Ok(license)
    }

    /// [`parse`](Self::parse) without the signature, which [`verify`](Self::verify) checks.
    pub(crate) fn parse_unverified(text: &[u8]) -> Result<Self, RecordError> {
        if text.len() > Self::MAX_LEN {
            return Err(RecordError::TooLarge { what: NAME, limit: Self::MAX_LEN });
        }
        let version = Version::of(text);
        let mut reader = Reader::open(version.kind(), text)?;
        let vendor = reader.take("vendor")?.parse().map_err(|_| reader.value("vendor"))?;
        let claims = reader.take("claims")?;
        let claims = Claims::from_json(claims).ok_or_else(|| reader.value("claims"))?;
        if version == Version::Open && claims.grants != Grants::All {
            return Err(reader.value("claims"));
        }
        let bound = reader.so_far().len();
        let digits = reader.take("secret")?;
        let length = (digits.len() / 2).checked_sub(wrap::OVERHEAD);
        if length.is_none_or(|length| !version.lengths(claims.grants).contains(&length)) {
            return Err(reader.value("secret"));
        }
        let mut wrapped = vec![0; digits.len() / 2];
        reader.hex("secret", digits, &mut wrapped)?;
        let digits = reader.take("signature")?;
        reader.hex("signature", digits, &mut [0; SIGNATURE_LEN])?;
        let text = reader.so_far().to_owned();
        reader.end()?;
        Ok(Self { version, vendor, claims, wrapped, text, bound })
    }

    /// [`parse`](Self::parse) as if every signature were good, which fuzzers cannot guess.
    #[cfg(fuzzing)]
    pub fn parse_as_if_signed(text: &[u8]) -> Result<Self, RecordError> {
        Self::parse_unverified(text)
    }

    /// Checks the signature, by the vendor that the licence names.
    pub(crate) fn verify(&self) -> Result<(), LicenseError> {
        let mut signature = [0; SIGNATURE_LEN];
        let (signed, digits) = self.text.split_at(self.signed_len());
        let digits = digits.strip_prefix("signature: ").unwrap_or_default().trim_end();
        hex::decode(digits, &mut signature).ok_or(LicenseError::Signature)?;
        let good = self.vendor.verifies(signed.as_bytes(), &signature);
        if good { Ok(()) } else { Err(LicenseError::Signature) }
    }

    /// Bytes of the text in front of the line with the signature.
    fn signed_len(&self) -> usize {
        self.text.len() - ("signature: \n".len() + 2 * SIGNATURE_LEN)
    }

    /// Who signed it.
    pub fn vendor(&self) -> Vendor {
        self.vendor
    }

    /// What it says, none of which is secret.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The text of the licence.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Writes a new file.
    ///
    /// # Errors
    /// [`FileError`](crate::FileError), within [`Error::At`].
    pub fn write_new(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        file::write_new(path.as_ref(), &self.text)
    }

    /// Takes out what is wrapped.
    fn open(
        &self,
        identity: &Identity,
        spec: &TriggerSpec,
        shape: ImageShape,
    ) -> Result<Granted, Refusal> {
        self.check_recipient(&identity.recipient())?;
        let aad = &self.text.as_bytes()[..self.bound];
        let info = self.version.info();
        let message = wrap::unwrap(&self.wrapped, identity, info, aad).ok_or(Refusal::Unwrap)?;
        let (model_key, trigger) = match self.version {
            Version::Open => (None, &message[..]),
            Version::Sealed => {
                let (key, rest) = message.split_first_chunk().ok_or(Refusal::Unwrap)?;
                (Some(ModelKey::from_bytes(key)), rest)
            }
        };
        let trigger = match self.claims.grants {
            Grants::All => Some(spec.restore(trigger, shape).map_err(|_| Refusal::Unwrap)?),
            Grants::Predictions => None,
        };
        Ok(Granted { trigger, model_key })
    }
}

impl fmt::Debug for License {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("License");
        shown.field("vendor", &self.vendor).field("claims", &self.claims).finish_non_exhaustive()
    }
}
