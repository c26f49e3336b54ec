//! libsaligate as programs in C have it: the libraries that are tested, by their names and by programs.
#![cfg(target_os = "linux")]

mod border;
mod name;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Builds the library as the documentation tells for devices.
const BUILD: &str = "cargo build --profile edge -p saligate-capi --no-default-features";

/// The library of the tests' own profile: cargo builds it beside the running test.
fn own() -> PathBuf {
    let library = beside_the_test().join("libsaligate.so");
    assert!(library.exists(), "no {}", library.display());
    library
}

/// The library of the edge profile, if it was built. Where everything is checked, it must have been.
fn edge() -> Option<PathBuf> {
    // A test runs in TARGET/PROFILE/deps.
    let target = beside_the_test().ancestors().nth(2)?.to_owned();
    let library = target.join("edge/libsaligate.so");
    if library.exists() {
        return Some(library);
    }
    assert!(std::env::var_os("CI").is_none(), "no {}: first {BUILD}", library.display());
    eprintln!("not tested: there is no {}; {BUILD}", library.display());
    None
}

fn beside_the_test() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().to_owned()
}

/// A file of the repository.
fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

/// Compiles, with every warning an error.
fn cc() -> Command {
    let mut command = Command::new("cc");
    command.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-I"]);
    command.arg(shipped("runtime/capi/include"));
    command
}

fn check(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_example_of_the_documentation_compiles() {
    let text = std::fs::read_to_string(shipped("runtime/capi/README.md")).unwrap();
    let example = text.split("```c\n").nth(1).unwrap().split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("example.c");
    std::fs::write(&file, example).unwrap();
    check(&cc().arg("-fsyntax-only").arg(file).output().unwrap());
}
