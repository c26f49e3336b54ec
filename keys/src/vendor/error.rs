//! What can go wrong with the name and the signature of a vendor.

use crate::{RecordError, Vendor};

/// Why a text is no [`Vendor`], or a [`ModelSignature`](crate::ModelSignature) does not hold.
#[derive(Debug, thiserror::Error)]
pub enum VendorError {
    /// A text that should be a [`Vendor`] is none.
    #[error(
        "not a vendor's public key, or mistyped; \
         give the word that begins with sgvendor1 in what `saligate key show` prints"
    )]
    VendorSyntax,
    /// The text is no signature file.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A signature was changed after it was made. Coarse, because the check of a signature has one
    /// answer: how near a forgery came would help to improve it.
    #[error("the file was changed after it was signed; get it again from where it came")]
    Signature,
    /// Another vendor signed the file.
    #[error("signed by {found}, not by {expected}; check the vendor's public key")]
    SignedByAnother {
        /// Who signed it.
        found: Vendor,
        /// Who should have.
        expected: Vendor,
    },
    /// The signature belongs to another file, or the file was changed after it was signed. The
    /// digests differ in both cases, so there is no telling which it is.
    #[error(
        "the signature belongs to another file, or the file was changed after it was signed; \
         get both again from where they came"
    )]
    SignedFile,
}
