//! Tells whether the shared data and cases are there: tests that need them are reported as ignored,
//! with the reason, where they are not.

use std::path::Path;

fn main() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    for (name, file) in [("shared_data", "data/README.md"), ("shared_cases", "cases/common.py")] {
        let file = shared.join(file);
        println!("cargo::rustc-check-cfg=cfg({name})");
        println!("cargo::rerun-if-changed={}", file.display());
        if file.is_file() {
            println!("cargo::rustc-cfg={name}");
        }
    }
}
