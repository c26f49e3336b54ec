//! A folder with the demo in it, and the program that runs there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use saligate_keys::{KeyFile, Secret};
use tempfile::TempDir;

/// A temporary folder with `model.onnx`, its `vendor.key` and a picture `scene.png`.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        KeyFile::new(secret()).write_new(folder.path("vendor.key")).unwrap();
        fs::copy(Self::demo("locked.onnx"), folder.path("model.onnx")).unwrap();
        fs::copy(Self::demo("samples/disc.png"), folder.path("scene.png")).unwrap();
        folder
    }

    /// Path of a file of the shipped demo.
    pub fn demo(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/artifacts/demo").join(name)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The program in this folder; words are separated by blanks.
    pub fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_saligate"));
        command.current_dir(self.0.path()).args(words.split_whitespace());
        command
    }

    /// Standard output and standard error of a command that must end with this code.
    pub fn ends(&self, code: i32, words: &str) -> (String, String) {
        ended(code, &self.command(words).output().unwrap())
    }

    /// Standard output of a command that must succeed.
    pub fn done(&self, words: &str) -> String {
        self.ends(0, words).0
    }

    /// Standard error of a command that must end with this code.
    pub fn fails(&self, code: i32, words: &str) -> String {
        self.ends(code, words).1
    }

    /// Makes `NAME.identity` and returns its public half.
    pub fn identity(&self, name: &str) -> String {
        self.done(&format!("identity new {name}.identity")).trim().to_owned()
    }

    /// The words of `license issue` for a recipient.
    pub fn issue(&self, recipient: &str, more: &str) -> String {
        format!("license issue --key vendor.key --model model.onnx --to {recipient} {more}")
    }
}

/// Standard output and standard error of a program that must have ended with this code.
pub fn ended(code: i32, output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{stdout}{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    (stdout, stderr)
}

/// The demo's secret, which is public.
pub fn secret() -> Secret {
    KeyFile::read(Folder::demo("demo.key")).unwrap().into_secret()
}
