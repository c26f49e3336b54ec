//! A sealed part with any bytes, and chunks of it that open.
#![no_main]

use libfuzzer_sys::fuzz_target;
use saligate_files::ModelFile;
use saligate_files::sealed::{SealedFile, SealedPart, is_sealed};
use saligate_keys::{ModelKey, Secret};

fuzz_target!(|data: &[u8]| {
    if let Ok(part) = SealedPart::parse(data.to_vec()) {
        assert_eq!(part.as_bytes(), data);
        assert!(part.chunks() > 0 && !part.keys().is_empty());
    }
    let sealed = is_sealed(data);
    if let Ok(file) = SealedFile::from_vec(data.to_vec()) {
        assert!(sealed && ModelFile::from_bytes(data).is_ok_and(|m| m.sealed_part().is_some()));
        let _ = file.verify();
        let secret = Secret::from_bytes(&[7; Secret::LEN]);
        let key = ModelKey::of(&secret, &file.sealed().id);
        let id = file.part().keys()[0];
        let _ = file.open(&key, id);
    }
});
