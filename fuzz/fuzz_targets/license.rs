//! Any bytes as a licence. Nothing may panic, and what reads is the only spelling of what it says.
//! A signature cannot be guessed, so the text is also read as an entry of a ledger, which is
//! protected by digests and not verified.
#![no_main]

use libfuzzer_sys::fuzz_target;
use saligate_fuzz::chained;
use saligate_keys::{
    Circumstances, Identity, ImageShape, Ledger, License, Secret, Timestamp, TriggerSpec,
};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(license) = License::parse(bytes) {
        check(&license, bytes);
    }
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    if let Some(license) = unverified(text) {
        check(&license, bytes);
    }
});

fn unverified(text: &str) -> Option<License> {
    let vendor = text.lines().nth(1)?.strip_prefix("vendor: ")?;
    let at = "\"at\":\"2026-11-23T14:31:21Z\",\"event\"";
    let [vendor, text] = [vendor, text].map(|text| serde_json::to_string(text).expect("a string"));
    let ledger = chained(&[
        &format!("{{{at}:\"opened\",\"vendor\":{vendor}}}"),
        &format!("{{{at}:\"issued\",\"license\":{text}}}"),
    ]);
    let ledger = Ledger::parse(ledger.as_bytes()).ok()?;
    ledger.get(1).map(|issued| issued.license.clone())
}

fn check(license: &License, bytes: &[u8]) {
    assert_eq!(license.text().as_bytes(), bytes);
    let claims = license.claims();
    let _ = license.check(&Circumstances {
        now: Timestamp::start_of("2026-11-23").expect("a date"),
        vendor: None,
        model: None,
        recipient: None,
        device: claims.device.as_deref(),
        method: Some("gradient"),
    });
    let identity = Identity::from_secret(Secret::from_bytes(&[2; 32]));
    let shape = ImageShape::new(3, 32, 32).expect("a shape");
    let _ = license.open(&identity, &TriggerSpec::default(), shape);
}
