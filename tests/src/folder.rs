//! A folder that `saligate-train` is run in.

use std::fs;
use std::path::PathBuf;

use saligate_keys::{KeyFile, Secret};
use tempfile::TempDir;

use crate::{parts, program};

/// A temporary folder with `config.toml` and the key files `1.key`, `2.key`, ..., whose secrets are
/// their number repeated. Models go to `out`.
pub struct Folder(TempDir);

impl Folder {
    /// # Panics
    /// The folder cannot be filled.
    pub fn new(config: &str, keys: u8) -> Self {
        let folder = Self(tempfile::tempdir().expect("there is room for a folder"));
        fs::write(folder.path("config.toml"), config).expect("the folder can be written to");
        for number in 1..=keys {
            let key = KeyFile::new(Secret::from_bytes(&[number; 32]));
            key.write_new(folder.path(&format!("{number}.key"))).expect("the key is new");
        }
        folder
    }

    /// Path of a file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Exit code, standard output and error of a command; words that end with `.key` or `.json` are
    /// files of the folder.
    ///
    /// # Panics
    /// The program cannot be run.
    pub fn run(&self, command: &str, more: &[&str]) -> (i32, String, String) {
        let mut program = program("saligate-train");
        program.arg(command).arg(self.path("config.toml")).arg("--out").arg(self.path("out"));
        for word in more {
            let file = [".key", ".json"].iter().any(|end| word.ends_with(end));
            let word = if file { self.path(word).into_os_string() } else { word.into() };
            program.arg(word);
        }
        parts(&program.output().expect("the program was built"))
    }

    /// Runs a command that must succeed.
    ///
    /// # Panics
    /// It does not.
    pub fn done(&self, command: &str, more: &[&str]) {
        let (code, _, stderr) = self.run(command, more);
        assert_eq!(code, 0, "{command}: {stderr}");
    }
}
