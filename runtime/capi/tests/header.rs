//! The header is what cbindgen makes of the source: UPDATE_HEADER=1 writes it anew.

use std::path::Path;

#[test]
fn the_header_is_up_to_date() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(here.join("cbindgen.toml")).unwrap();
    let mut builder = cbindgen::Builder::new().with_config(config);
    for file in ["call", "open", "access", "unseal", "model"] {
        builder = builder.with_src(here.join(format!("src/{file}.rs")));
    }
    let mut made = Vec::new();
    builder.generate().unwrap().write(&mut made);
    let header = here.join("include/saligate.h");
    if std::env::var_os("UPDATE_HEADER").is_some() {
        std::fs::write(&header, &made).unwrap();
    }
    let found = std::fs::read(&header).unwrap_or_default();
    assert!(found == made, "run: UPDATE_HEADER=1 cargo test --release -p saligate-capi");
}
