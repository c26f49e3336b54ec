//! What the cross-crate tests share.

mod folder;
pub mod licensing;
pub mod protobuf;
pub mod zoo;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use saligate_files::ModelFile;
use saligate_files::manifest::Manifest;
use saligate_models::graph::Graph;
use saligate_models::saliency::{Attachment, Method, attach};

pub use folder::Folder;

/// The top folder of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The shipped demo model, its key and its samples.
pub fn demo() -> PathBuf {
    root().join("models/artifacts/demo")
}

/// Every method of convolutional networks at the layers found in a clean classifier, the gradient
/// first.
///
/// # Panics
/// A method finds no layer.
pub fn all_methods(clean: &Graph) -> Vec<Attachment> {
    let found = |method: &Method| Attachment::of(*method, clean);
    let convolutional = Method::ALL.iter().filter(|m| !Method::OF_ATTENTION.contains(m));
    let all = convolutional.map(found).collect::<Result<_, _>>();
    all.expect("the nets of the tests have activations")
}

/// A shipped model by file name, its gate not in the manifest, with all methods at the layers of the
/// clean one: those that a gate can be made for, if it has one.
///
/// # Panics
/// The demo is not there, or has changed in kind.
pub fn with_all_methods(name: &str) -> ModelFile {
    let open = |name| ModelFile::open(&demo().join(name)).expect("the demo is shipped");
    let mut methods = all_methods(open("clean.onnx").graph());
    let file = open(name);
    if file.manifest().gate.is_some() {
        methods.retain(|attachment| Method::GATED.contains(&attachment.method));
    }
    let (graph, manifest) = (file.graph().clone(), file.manifest().clone());
    let graph = attach(&graph, &methods).expect("the demo models are of one architecture");
    let manifest = Manifest::clean(&graph, "small", manifest.labels, &methods)
        .expect("a classifier has an image input");
    ModelFile::new(graph, manifest).expect("the manifest is that of the network")
}

/// A folder of the shared data. Tests that need one are ignored where there are no shared data.
///
/// # Panics
/// The folder is missing.
pub fn shared(folder: &str) -> PathBuf {
    let path = root().join("../shared/data").join(folder);
    assert!(path.is_dir(), "the data folder {} is not there", path.display());
    path
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
