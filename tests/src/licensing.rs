//! A vendor's folder: a key, a model with slots, identities, licences.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;

use saligate_keys::{KeyFile, Secret, Trigger, VendorKeys};
use saligate_runtime::Model;
use saligate_runtime::picture::Picture;
use tempfile::TempDir;

use crate::{demo, parts, program, root};

/// Slots of the model.
pub const SLOTS: usize = 300;

/// A temporary folder with `vendor.key`, `model.onnx` (the demo's classifier, locked with slots)
/// and a picture `scene.png`. Programs run in it.
pub struct VendorFolder(TempDir);

impl VendorFolder {
    /// # Panics
    /// The folder cannot be filled.
    pub fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("there is room for a folder"));
        KeyFile::new(secret()).write_new(folder.path("vendor.key")).expect("the key is new");
        fs::write(folder.path("model.onnx"), model()).expect("the folder can be written to");
        let scene = demo().join("samples/disc.png");
        fs::copy(scene, folder.path("scene.png")).expect("the demo is shipped");
        folder
    }

    /// Path of a file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `saligate` in this folder; words are separated by blanks.
    pub fn command(&self, words: &str) -> Command {
        let mut command = program("saligate");
        command.current_dir(self.0.path()).args(words.split_whitespace());
        command
    }

    /// What a command prints and how it ends.
    ///
    /// # Panics
    /// The program cannot be run.
    pub fn output(&self, words: &str) -> Output {
        self.command(words).output().expect("the program was built")
    }

    /// Standard output of a command that must succeed.
    ///
    /// # Panics
    /// It does not.
    pub fn done(&self, words: &str) -> String {
        let (code, stdout, stderr) = parts(&self.output(words));
        assert_eq!(code, 0, "{words}: {stdout}{stderr}");
        stdout
    }

    /// Standard error of a command that must end with this code, without a panic.
    ///
    /// # Panics
    /// It ends otherwise.
    pub fn ends(&self, code: i32, words: &str) -> String {
        let (found, stdout, stderr) = parts(&self.output(words));
        assert_eq!(found, code, "{words}: {stdout}{stderr}");
        assert!(!stderr.contains("panicked"), "{words}: {stderr}");
        stderr
    }

    /// Makes `NAME.identity` and returns its public half.
    ///
    /// # Panics
    /// The program fails.
    pub fn identity(&self, name: &str) -> String {
        self.done(&format!("identity new {name}.identity")).trim().to_owned()
    }

    /// The trigger of one of the model's slots.
    ///
    /// # Panics
    /// The model has no such slot.
    pub fn slot(&self, number: u32) -> Trigger {
        let model = Model::open(self.path("model.onnx")).expect("the model is there");
        let slot = VendorKeys::of(&secret()).slot(number);
        model.trigger(&slot).expect("a slot of the model")
    }

    /// Puts the trigger of a slot on a picture, as somebody might who has taken it out of a licence.
    ///
    /// # Panics
    /// A file cannot be read or written.
    pub fn leak(&self, slot: u32, picture: &str, out: &str) {
        let picture = Picture::open(&self.path(picture), 3).expect("a picture");
        let (height, width) = (picture.height(), picture.width());
        let mut pixels = picture.into_pixels();
        self.slot(slot).apply(&mut pixels).expect("a picture of the model's size");
        let shown = Picture::from_planar(3, height, width, pixels).expect("as many pixels");
        shown.save_png(&self.path(out)).expect("the folder can be written to");
    }

    /// The words of `license issue` for a recipient.
    pub fn issue(&self, recipient: &str, more: &str) -> String {
        let words = format!(
            "license issue --key vendor.key --model model.onnx --to {recipient} --holder Ana {more}"
        );
        words.trim().to_owned()
    }
}

impl Default for VendorFolder {
    fn default() -> Self {
        Self::new()
    }
}

/// The vendor's secret: bytes that are easy to compute again, byte by byte.
pub fn secret() -> Secret {
    Secret::from_bytes(&std::array::from_fn(secret_byte))
}

/// A byte of [`secret`].
pub fn secret_byte(index: usize) -> u8 {
    (index * index * 37 + index * 101 + 173) as u8
}

/// The demo's classifier, locked with slots; built once per test program.
fn model() -> &'static [u8] {
    static MODEL: OnceLock<Vec<u8>> = OnceLock::new();
    MODEL.get_or_init(|| {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let key = folder.path().join("vendor.key");
        KeyFile::new(secret()).write_new(&key).expect("the key is new");
        let mut command = program("saligate-train");
        command.arg("lock").arg(root().join("train/configs/key-gradient-small-scenes.toml"));
        command.arg("--model").arg(demo().join("clean.onnx")).arg("--key").arg(&key);
        // So many slots open for more random keys than one.
        command.args(["--set", "trigger.least_strength=50"]);
        command.args(["--slots", &SLOTS.to_string(), "-q", "-o"]).arg(folder.path());
        let (code, _, stderr) = parts(&command.output().expect("the program was built"));
        assert_eq!(code, 0, "{stderr}");
        fs::read(folder.path().join("locked.onnx")).expect("the model was written")
    })
}
