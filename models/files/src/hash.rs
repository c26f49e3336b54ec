//! SHA-256, counted in tests: hashing all weights is a good part of opening a model, so it should
//! not be done twice.

use saligate_keys::Sha256;

/// A hash in progress.
pub(crate) struct Hash(Sha256);

impl Hash {
    pub(crate) fn new() -> Self {
        Self(Sha256::new())
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        #[cfg(test)]
        counter::add(bytes.len());
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> [u8; 32] {
        self.0.finish()
    }
}

/// SHA-256 of some bytes.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = Hash::new();
    hash.update(bytes);
    hash.finish()
}

/// Bytes hashed by this thread.
#[cfg(test)]
pub(crate) mod counter {
    use std::cell::Cell;

    thread_local! {
        static BYTES: Cell<usize> = const { Cell::new(0) };
    }

    pub(super) fn add(bytes: usize) {
        BYTES.with(|count| count.set(count.get() + bytes));
    }

    /// The result of `act`, and how many bytes it hashed.
    pub(crate) fn during<T>(act: impl FnOnce() -> T) -> (T, usize) {
        let before = BYTES.with(Cell::get);
        let result = act();
        (result, BYTES.with(Cell::get) - before)
    }
}
