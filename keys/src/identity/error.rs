//! What can go wrong between an identity and those who wrap for it.

use crate::SecretError;

/// Why nothing can be wrapped for a [`Recipient`](crate::Recipient).
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A text that should be a recipient is none, or the recipient is a key that nobody can have.
    /// Coarse, because the library that wraps tells these keys apart by failing and says no more.
    #[error(
        "not a recipient, or mistyped; \
         give the line that begins with sgto1, as `saligate identity show` prints it"
    )]
    RecipientSyntax,
    /// There is no random key to wrap with.
    #[error(transparent)]
    Secret(#[from] SecretError),
}
