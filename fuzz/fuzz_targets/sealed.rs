//! Any bytes as a file with a sealed part, as the part alone, and, behind a one, as what is sealed: they
//! are read or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use saligate_files::ModelFile;
use saligate_files::sealed::{SealedFile, SealedPart, is_sealed, open_as_if_sealed};
use saligate_keys::{ModelKey, Secret, sha256};

fuzz_target!(|data: &[u8]| {
    if let Some(plain) = data.strip_prefix(&[1]) {
        let _ = open_as_if_sealed(plain);
        return;
    }
    if let Ok(part) = SealedPart::parse(data.to_vec()) {
        assert_eq!(part.as_bytes(), data);
        assert!(part.chunks() > 0 && !part.keys().is_empty());
    }
    let mut bytes = data.to_vec();
    if let Some(end) = bytes.len().checked_sub(32) {
        let digest = sha256(&bytes[..end]);
        bytes[end..].copy_from_slice(&digest);
    }
    let shown = ModelFile::from_bytes(&bytes);
    let Ok(file) = SealedFile::from_vec(bytes.clone()) else {
        assert!(shown.is_err() || !is_sealed(&bytes));
        return;
    };
    assert!(is_sealed(&bytes));
    let _ = file.verify();
    let key = ModelKey::of(&Secret::from_bytes(&[1; Secret::LEN]), &file.sealed().id);
    let id = file.part().keys()[0];
    let _ = file.open(&key, id);
});
