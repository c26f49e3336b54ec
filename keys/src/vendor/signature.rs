//! The vendor's signature of a model file.

use std::fs::File;
use std::path::Path;

use super::{SIGNATURE_LEN, VendorError};
use crate::file::{as_written, read_capped};
use crate::record::{self, Reader};
use crate::{Error, ModelDigest, RecordError, Timestamp, Vendor, VendorKeys, hex};

const KIND: record::Kind = record::Kind { name: "signature", version: 1 };

/// A vendor's Ed25519 signature of a model file, kept beside it.
///
/// ```text
/// saligate signature v1
/// vendor: sgvendor1…
/// file: (SHA-256 of the whole file, as hex digits)
/// signed: 2026-11-23T14:31:21Z
/// signature: (Ed25519 over all lines above, as hex digits)
/// ```
#[derive(Clone, Debug)]
pub struct ModelSignature {
    vendor: Vendor,
    file: ModelDigest,
    signed: Timestamp,
    text: String,
}

impl ModelSignature {
    /// The most bytes a signature may have; it is some three times what is written.
    pub const MAX_LEN: usize = 1024;

    /// Signs a file with this SHA-256.
    pub fn sign(keys: &VendorKeys<'_>, file: [u8; 32], signed: Timestamp) -> Self {
        let (vendor, file) = (keys.public(), ModelDigest::from(file));
        let mut text = String::new();
        record::write_header(KIND, &mut text);
        record::write("vendor", &vendor.to_string(), &mut text);
        record::write("file", &file.to_string(), &mut text);
        record::write("signed", &signed.to_string(), &mut text);
        let signature = keys.sign(text.as_bytes());
        record::write("signature", &hex::encode(&signature), &mut text);
        Self { vendor, file, signed, text }
    }

    /// Reads a signature and checks that it is one of the vendor that it names.
    ///
    /// # Errors
    /// [`Error::Vendor`] with any of the errors of [`parse`](Self::parse), or [`Error::File`], within
    /// [`Error::At`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let read = || {
            let mut text = [0; Self::MAX_LEN + 1];
            let len = read_capped(File::open(path)?, &mut text)?;
            let len = if len > Self::MAX_LEN { len } else { as_written(&mut text[..len]) };
            Ok(Self::parse(&text[..len])?)
        };
        read().map_err(|error: Error| error.at(path))
    }

    /// Reads the text of a signature and checks that it is one of the vendor that it names.
    ///
    /// # Errors
    /// [`VendorError::Record`] when it is something else, or was cut or damaged;
    /// [`VendorError::Signature`] when it was changed.
    pub fn parse(text: &[u8]) -> Result<Self, VendorError> {
        if text.len() > Self::MAX_LEN {
            return Err(RecordError::TooLarge { what: KIND.name, limit: Self::MAX_LEN }.into());
        }
        let mut reader = Reader::open(KIND, text)?;
        let vendor: Vendor = reader.take("vendor")?.parse().map_err(|_| reader.value("vendor"))?;
        let file = reader.take("file")?.parse().map_err(|_| reader.value("file"))?;
        let signed = reader.take("signed")?.parse().map_err(|_| reader.value("signed"))?;
        let message = reader.so_far();
        let mut signature = [0; SIGNATURE_LEN];
        let digits = reader.take("signature")?;
        reader.hex("signature", digits, &mut signature)?;
        let text = reader.so_far().to_owned();
        reader.end()?;
        if !vendor.verifies(message.as_bytes(), &signature) {
            return Err(VendorError::Signature);
        }
        Ok(Self { vendor, file, signed, text })
    }

    /// The text of the signature.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Who signed.
    pub fn vendor(&self) -> Vendor {
        self.vendor
    }

    /// When, by the signer's clock.
    pub fn signed(&self) -> Timestamp {
        self.signed
    }

    /// Checks that this vendor signed the file with this SHA-256.
    ///
    /// # Errors
    /// [`VendorError::SignedByAnother`] or [`VendorError::SignedFile`].
    pub fn verify(&self, vendor: &Vendor, file: [u8; 32]) -> Result<(), VendorError> {
        if self.vendor != *vendor {
            return Err(VendorError::SignedByAnother { found: self.vendor, expected: *vendor });
        }
        if self.file != ModelDigest::from(file) {
            return Err(VendorError::SignedFile);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;
    use crate::mutation::damaged;

    #[test]
    fn only_the_signed_file_of_the_vendor_passes() {
        let [ours, theirs] = [1, 2].map(|byte| Secret::from_bytes(&[byte; Secret::LEN]));
        let (keys, other) = (VendorKeys::of(&ours), VendorKeys::of(&theirs).public());
        let signature = ModelSignature::sign(&keys, [7; 32], Timestamp::MAX);
        let signature = ModelSignature::parse(signature.text().as_bytes()).unwrap();
        assert_eq!(signature.signed(), Timestamp::MAX);
        signature.verify(&keys.public(), [7; 32]).unwrap();
        let error = signature.verify(&keys.public(), [8; 32]).unwrap_err();
        assert!(matches!(error, VendorError::SignedFile));
        let error = signature.verify(&other, [7; 32]).unwrap_err();
        assert!(matches!(error, VendorError::SignedByAnother { .. }));
    }

    #[test]
    fn no_changed_text_passes() {
        let secret = Secret::from_bytes(&[1; Secret::LEN]);
        let signature = ModelSignature::sign(&VendorKeys::of(&secret), [7; 32], Timestamp::MAX);
        for other in damaged(signature.text().as_bytes()) {
            let shown = String::from_utf8_lossy(&other);
            assert!(ModelSignature::parse(&other).is_err(), "{shown}");
        }
        assert!(ModelSignature::parse(&[b'x'; 2000]).is_err());
    }
}
