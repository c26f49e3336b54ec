//! What can go wrong with sealing and unsealing.

/// Why a sealed part is not written or read. Coarse on purpose: a cipher with a tag has one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The operating system's generator is not available.
    #[error("the system gives no random numbers; try again later")]
    Random,
    /// The key in the file does not open.
    #[error(
        "the sealed part does not open with this key, or the file was changed; get the file again \
         from where it came"
    )]
    Key,
    /// A chunk is not the one that was written there.
    #[error("chunk {number} of the sealed part was changed; get the file again from where it came")]
    Chunk {
        /// Its number, from 0.
        number: u32,
    },
    /// A text that should be a [`SealedId`](crate::SealedId) is none.
    #[error("not an id of a sealed model; give its 64 lowercase hex digits")]
    IdSyntax,
}
