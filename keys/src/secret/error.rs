//! What can go wrong with a secret and its public name.

/// Why there is no [`Secret`](crate::Secret) or [`KeyId`](crate::KeyId).
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The operating system gave no random bytes. Coarse, because the cryptographic library says no
    /// more: which part of a generator failed could help to attack it.
    #[error(
        "the system gave no random bytes; try again, or look for a sandbox that withholds them"
    )]
    Random,
    /// A text that should be a [`KeyId`](crate::KeyId) is none. The text is not kept: it may be a
    /// secret that was given in place of its name.
    #[error(
        "not a key id; give the 16 lowercase hex digits that the key file and the manifest show"
    )]
    KeyIdSyntax,
}
