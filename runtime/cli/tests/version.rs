//! The program starts. Its behaviour is tested in the crate `tests`, which finds it beside itself
//! because this test has it built.

use std::process::Command;

#[test]
fn the_program_tells_its_version() {
    let output = Command::new(env!("CARGO_BIN_EXE_saligate")).arg("--version").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.trim(), concat!("saligate ", env!("CARGO_PKG_VERSION")));
}
