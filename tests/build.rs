//! Tells whether the shared data are there: tests that need them are reported as ignored, with the
//! reason, where they are not.

use std::path::Path;

fn main() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/README.md");
    println!("cargo::rustc-check-cfg=cfg(shared_data)");
    println!("cargo::rerun-if-changed={}", data.display());
    if data.is_file() {
        println!("cargo::rustc-cfg=shared_data");
    }
}
