//! What fuzz targets share.

use std::fmt::Write;

use saligate_keys::sha256;

/// The text of a ledger with these entries, as `docs/format.md` tells.
pub fn chained(entries: &[&str]) -> String {
    let mut digest = "0".repeat(64);
    let mut text = "saligate ledger v1\n".to_owned();
    for entry in entries {
        let hashed = sha256(format!("{digest} {entry}").as_bytes());
        digest = hashed.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(text, "{digest} {entry}").expect("a string takes all");
    }
    text
}
