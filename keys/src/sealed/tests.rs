use super::*;
use crate::{ModelDigest, hex};

fn secret(byte: u8) -> Secret {
    Secret::from_bytes(&[byte; Secret::LEN])
}

fn id() -> SealedId {
    VendorKeys::of(&secret(1)).sealed_id(&ModelDigest::from([5; 32]))
}

/// Computed by `tests/vectors/sealed.py`.
#[test]
fn keys_and_chunks_are_those_of_the_second_implementation() {
    let vectors = include_str!("../../tests/vectors/sealed.txt");
    let vector = |name: &str| {
        let line = vectors.lines().find_map(|line| line.strip_prefix(&format!("{name} = ")));
        let line = line.unwrap_or_else(|| panic!("no {name}"));
        let mut bytes = vec![0; line.len() / 2];
        hex::decode(line, &mut bytes).unwrap();
        bytes
    };
    let salt: [u8; 32] = vector("salt").try_into().unwrap();
    let key = ModelKey::of(&secret(2), &id());
    assert_eq!(id().as_bytes().as_slice(), vector("id"));
    assert_eq!(key.expose().as_slice(), vector("model-key"));
    let content = ContentKey(Secret::from_bytes(&vector("content-key").try_into().unwrap()));
    assert_eq!(key.wrap(&content, &salt, b"bound").as_slice(), vector("wrapped"));
    let chunks = content.chunks(b"chunks");
    for (number, is_last) in [(0, false), (1, true)] {
        let mut chunk = vector(&format!("chunk-{number}"));
        let tag = chunks.seal(ChunkPlace { number, is_last }, &mut chunk);
        assert_eq!([chunk.as_slice(), &tag].concat(), vector(&format!("sealed-{number}")));
    }
}

#[test]
fn a_content_key_opens_with_its_model_key_alone() {
    let (key, content) = (ModelKey::of(&secret(2), &id()), ContentKey::generate().unwrap());
    let wrapped = key.wrap(&content, &[7; 32], b"head");
    let opened = key.unwrap(&wrapped, &[7; 32], b"head").unwrap();
    assert_eq!(opened.0.expose(), content.0.expose());
    let refused = |key: &ModelKey, salt, bound| {
        assert_eq!(key.unwrap(&wrapped, &[salt; 32], bound).err(), Some(SealError::Key));
    };
    refused(&ModelKey::of(&secret(3), &id()), 7, b"head");
    refused(&ModelKey::of(&secret(2), &SealedId::from([9; 32])), 7, b"head");
    refused(&key, 8, b"head");
    refused(&key, 7, b"other");
    for bit in 0..8 * wrapped.len() {
        let mut other = wrapped;
        other[bit / 8] ^= 1 << (bit % 8);
        assert!(key.unwrap(&other, &[7; 32], b"head").is_err(), "bit {bit}");
    }
}

#[test]
fn chunks_open_in_their_own_place_alone() {
    let content = ContentKey::generate().unwrap();
    let place = ChunkPlace { number: 3, is_last: false };
    let mut chunk = *b"some weights";
    let tag = content.chunks(b"file").seal(place, &mut chunk);
    let sealed = [chunk.as_slice(), &tag].concat();
    let open = |place, bound: &[u8]| {
        let mut sealed = sealed.clone();
        content.chunks(bound).open(place, &mut sealed).map(|chunk| chunk.to_vec())
    };
    assert_eq!(open(place, b"file").unwrap(), b"some weights");
    assert!(open(place, b"another file").is_err());
    assert!(open(ChunkPlace { number: 2, ..place }, b"file").is_err());
    let error = open(ChunkPlace { is_last: true, ..place }, b"file").unwrap_err();
    assert_eq!(error, SealError::Chunk { number: 3 });
}

#[test]
fn a_sealed_part_is_signed_for_no_other_purpose() {
    let (secret, other) = (secret(1), secret(2));
    let keys = VendorKeys::of(&secret);
    let signature = keys.sign_sealed(&[4; 32]);
    assert!(keys.public().signed_sealed(&[4; 32], &signature));
    assert!(!keys.public().signed_sealed(&[5; 32], &signature));
    assert!(!VendorKeys::of(&other).public().signed_sealed(&[4; 32], &signature));
    assert!(!keys.public().verifies(&[4; 32], &signature));
}

#[test]
fn ids_depend_on_vendor_and_model_and_read_back() {
    let other = VendorKeys::of(&secret(1)).sealed_id(&ModelDigest::from([6; 32]));
    assert_ne!(id(), other);
    assert_ne!(id(), VendorKeys::of(&secret(2)).sealed_id(&ModelDigest::from([5; 32])));
    assert_eq!(id().to_string().parse::<SealedId>(), Ok(id()));
    for text in ["", "00", &"G".repeat(64), &format!("{} ", id())] {
        assert_eq!(text.parse::<SealedId>(), Err(SealError::IdSyntax));
    }
}
