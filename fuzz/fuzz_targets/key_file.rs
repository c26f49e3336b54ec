//! Any bytes as a key file, an identity file or the signature of a model. Nothing may panic or ask
//! for much; what reads is the only spelling of what it says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use saligate_keys::{IdentityKind, Kind, ModelSignature, StoredSecret, VendorKind};

fuzz_target!(|bytes: &[u8]| {
    check::<VendorKind>(bytes);
    check::<IdentityKind>(bytes);
    if let Ok(signature) = ModelSignature::parse(bytes) {
        assert_eq!(signature.text().as_bytes(), bytes);
    }
});

fn check<K: Kind>(bytes: &[u8]) {
    // Opening a sealed file costs what its line says, by design; the fuzzer would only see that.
    let Ok(StoredSecret::Open(file)) = StoredSecret::<K>::read_from(bytes) else {
        return;
    };
    let mut text = Vec::new();
    file.write_to(&mut text).expect("a vector takes all");
    // Version 1 has many spellings.
    if bytes.starts_with(b"saligate ") {
        assert_eq!(text, bytes);
    }
}
