//! Any bytes as a ledger. Nothing may panic. Digests cannot be guessed, so the lines are also read
//! with the right ones.
#![no_main]

use libfuzzer_sys::fuzz_target;
use saligate_fuzz::chained;
use saligate_keys::Ledger;

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    let entries: Vec<&str> = text.lines().skip(1).filter_map(|line| line.get(65..)).collect();
    check(chained(&entries).as_bytes());
});

fn check(bytes: &[u8]) {
    let Ok(ledger) = Ledger::parse(bytes) else {
        return;
    };
    for (serial, issued) in (1..).zip(ledger.issued()) {
        assert_eq!(issued.claims().serial, serial);
        assert!(ledger.is_taken(&issued.claims().key));
        if let Ok(license) = issued.verify() {
            assert_eq!(Some(license.vendor()), ledger.vendor());
        }
    }
}
