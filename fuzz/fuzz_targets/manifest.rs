//! Any text as the manifest of a model. Nothing may panic, and what reads can be written and read
//! again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use saligate_files::manifest::Manifest;

fuzz_target!(|text: &str| {
    let Ok(manifest) = Manifest::from_json(text) else {
        return;
    };
    let again = Manifest::from_json(&manifest.to_json()).expect("what was read can be written");
    assert_eq!(again, manifest);
});
