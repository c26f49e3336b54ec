//! SHA-256, for the crates that do not know the cryptographic library.

use ring::digest::{Context, Digest, SHA256};

/// SHA-256 of data that comes in parts.
pub struct Sha256(Context);

impl Sha256 {
    /// A digest of nothing yet.
    pub fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    /// Appends `bytes` to what is digested.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest.
    pub fn finish(self) -> [u8; 32] {
        array(self.0.finish())
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    array(ring::digest::digest(&SHA256, bytes))
}

fn array(digest: Digest) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest.as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-2, appendix B.1.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn hex(bytes: [u8; 32]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn the_published_vector_holds_whole_and_in_parts() {
        assert_eq!(hex(sha256(b"abc")), ABC);
        let mut parts = Sha256::new();
        parts.update(b"a");
        parts.update(b"bc");
        assert_eq!(hex(parts.finish()), ABC);
    }
}
