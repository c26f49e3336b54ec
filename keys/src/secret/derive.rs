//! Values drawn from a secret: HKDF-SHA256 with a label for every purpose.

use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use zeroize::Zeroizing;

use crate::Secret;

const SALT: &[u8] = b"saligate/v1";

/// The most that one HKDF-SHA256 expansion gives: 255 hashes of 32 bytes (RFC 5869, section 2.3).
const BLOCK_LEN: usize = 255 * 32;

/// What a derived value is for.
///
/// All labels stand here together: no label may begin with another, and the parameters of one
/// purpose always have the same length, so no two values ever share an info string.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    KeyId,
    Tile,
    Full,
    Patch,
    Slot,
    SigningKey,
    SealedId,
    SealedModel,
    SealedEntry,
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Self::KeyId => b"saligate/v1/key-id",
            Self::Tile => b"saligate/v1/trigger/tile",
            Self::Full => b"saligate/v1/trigger/full",
            Self::Patch => b"saligate/v1/trigger/patch",
            Self::Slot => b"saligate/v1/slot",
            Self::SigningKey => b"saligate/v1/signing-key",
            Self::SealedId => b"saligate/v1/sealed/id",
            Self::SealedModel => b"saligate/v1/sealed/model",
            Self::SealedEntry => b"saligate/v1/sealed/entry",
        }
    }
}

/// The first `len` bytes of the stream for one purpose, drawn as [documented at the
/// crate](crate#derivation).
///
/// A shorter stream is the beginning of a longer one.
pub(crate) fn stream(
    secret: &Secret,
    purpose: Purpose,
    parameters: &[u8],
    len: usize,
) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(vec![0; len]);
    for (index, block) in (0_u32..).zip(out.chunks_mut(BLOCK_LEN)) {
        let info = [purpose.label(), parameters, &index.to_be_bytes()];
        hkdf_sha256(SALT, secret.expose(), &info, block);
    }
    out
}

/// HKDF-SHA256 (RFC 5869): extract, then expand over `info` (its parts one after the other) to the
/// length of `out`.
///
/// # Panics
/// If `out` is longer than [`BLOCK_LEN`].
fn hkdf_sha256(salt: &[u8], input: &[u8], info: &[&[u8]], out: &mut [u8]) {
    struct Len(usize);
    impl KeyType for Len {
        fn len(&self) -> usize {
            self.0
        }
    }
    Salt::new(HKDF_SHA256, salt)
        .extract(input)
        .expand(info, Len(out.len()))
        .and_then(|okm| okm.fill(out))
        .expect("ring refuses only more than 255 hashes, and callers pass at most one block");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    const PURPOSES: [Purpose; 9] = [
        Purpose::KeyId,
        Purpose::Tile,
        Purpose::Full,
        Purpose::Patch,
        Purpose::Slot,
        Purpose::SigningKey,
        Purpose::SealedId,
        Purpose::SealedModel,
        Purpose::SealedEntry,
    ];

    fn check_rfc_5869(input: &[u8], salt: &[u8], info: &[u8], expected: &str) {
        let mut out = vec![0; expected.len() / 2];
        hkdf_sha256(salt, input, &[info], &mut out);
        assert_eq!(hex::encode(&out), expected);
    }

    /// RFC 5869, appendices A.1 to A.3: the test cases with SHA-256.
    #[test]
    fn rfc_5869() {
        let bytes = |range: std::ops::RangeInclusive<u8>| range.collect::<Vec<_>>();
        check_rfc_5869(
            &[0x0b; 22],
            &bytes(0x00..=0x0c),
            &bytes(0xf0..=0xf9),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        );
        check_rfc_5869(
            &bytes(0x00..=0x4f),
            &bytes(0x60..=0xaf),
            &bytes(0xb0..=0xff),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c6\
             5e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
        );
        check_rfc_5869(
            &[0x0b; 22],
            &[],
            &[],
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        );
    }

    #[test]
    fn streams_continue_over_blocks_and_do_not_repeat() {
        let secret = Secret::from_bytes(&[7; Secret::LEN]);
        let draw = |len| stream(&secret, Purpose::Full, &[1], len);
        let long = draw(2 * BLOCK_LEN + 1);
        for len in [0, 1, BLOCK_LEN - 1, BLOCK_LEN, BLOCK_LEN + 1] {
            assert_eq!(draw(len)[..], long[..len], "{len} bytes");
        }
        assert_ne!(long[..32], long[BLOCK_LEN..][..32]);
    }

    #[test]
    fn purposes_and_parameters_separate_streams() {
        let secret = Secret::from_bytes(&[7; Secret::LEN]);
        let mut streams = Vec::new();
        for purpose in PURPOSES {
            for parameters in [&[0_u8][..], &[1]] {
                streams.push(stream(&secret, purpose, parameters, 32).to_vec());
            }
        }
        streams.sort();
        streams.dedup();
        assert_eq!(streams.len(), 2 * PURPOSES.len());
    }

    #[test]
    fn no_label_begins_with_another() {
        for (i, a) in PURPOSES.iter().enumerate() {
            for (j, b) in PURPOSES.iter().enumerate() {
                assert!(i == j || !a.label().starts_with(b.label()));
            }
        }
    }
}
