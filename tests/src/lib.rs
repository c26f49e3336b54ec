//! What the cross-crate tests share.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The top folder of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The shipped demo model, its key and its samples.
pub fn demo() -> PathBuf {
    root().join("models/artifacts/demo")
}

/// A folder of the shared data, or `None` with a printed reason where it is missing.
pub fn shared(folder: &str) -> Option<PathBuf> {
    let path = root().join("../shared/data").join(folder);
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("skipped: the data folder {} is not there", path.display());
    None
}

/// A program of this workspace, built beside the running test.
///
/// # Panics
/// The program is not there: build the workspace first, as `cargo test --workspace` does.
pub fn program(name: &str) -> Command {
    let test = std::env::current_exe().expect("a running test has a path");
    let folder = test.parent().and_then(Path::parent).expect("tests lie two folders deep");
    let path = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(path.exists(), "{} is missing: build the whole workspace", path.display());
    let mut command = Command::new(path);
    command.current_dir(root());
    command
}

/// Exit code, standard output and standard error of a finished program.
pub fn parts(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}
