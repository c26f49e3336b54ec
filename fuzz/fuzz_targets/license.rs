//! Any bytes as a licence. Nothing may panic, and what reads is the only spelling of what it says.
//! A signature cannot be guessed, so it is also left unchecked.
#![no_main]

use libfuzzer_sys::fuzz_target;
use saligate_keys::{Circumstances, Identity, ImageShape, License, Secret, TriggerSpec};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(license) = License::parse(bytes) {
        check(&license, bytes);
    }
    if let Ok(license) = License::parse_as_if_signed(bytes) {
        check(&license, bytes);
    }
});

fn check(license: &License, bytes: &[u8]) {
    assert_eq!(license.text().as_bytes(), bytes);
    let claims = license.claims();
    let checked = license.check(&Circumstances {
        now: claims.not_before.unwrap_or(claims.issued),
        vendor: None,
        model: None,
        recipient: None,
        device: claims.device.as_deref(),
        method: claims.methods.as_ref().and_then(|methods| methods.first()).map(String::as_str),
    });
    // The recipient of the golden licence.
    let identity =
        Identity::from_secret(Secret::from_bytes(&std::array::from_fn(|i| 32 + i as u8)));
    let shape = ImageShape::new(3, 32, 32).expect("a shape");
    let _ = checked.map(|checked| checked.open(&identity, &TriggerSpec::default(), shape));
}
