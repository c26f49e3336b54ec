//! Nothing of a sealed network is in memory once it is closed, in a program that wipes what it frees.
#![cfg(target_os = "linux")]

#[path = "../../keys/tests/memory/mod.rs"]
mod memory;

use std::fs;
use std::path::Path;
use std::process::Command;

use memory::{Memory, Needle, OVERWRITTEN};
use saligate_files::ModelFile;
use saligate_files::archive::Precision;
use saligate_files::manifest::Public;
use saligate_files::sealed::{Sealing, blank, seal};
use saligate_keys::{KeyFile, Timestamp};
use saligate_models::graph::Source;
use saligate_runtime::picture::Picture;
use saligate_runtime::{EngineKind, SealedModel, Target, WipingAllocator};
use saligate_tests::{demo, parts};

#[global_allocator]
static ALLOCATOR: WipingAllocator = WipingAllocator;

/// Where the process that is looked into finds its files.
const FOLDER: &str = "SALIGATE_SEALED_FOLDER";
/// Bytes of weights that are looked for, and how they are hidden in the file that tells them.
const LENGTH: usize = 48;
const MASK: u8 = 0x5a;

#[test]
fn weights_are_gone_after_closing() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let truth = ModelFile::open(&demo().join("locked.onnx")).unwrap();
    let key = KeyFile::read(demo().join("demo.key")).unwrap();
    let keys = [key.secret()];
    let sealing = Sealing { truth: &truth, precision: Precision::F32, keys: &keys, id: None };
    let model = seal(blank(&truth).unwrap(), Public::None, &sealing).unwrap();
    model.save(&path("sealed.onnx")).unwrap();
    fs::copy(demo().join("demo.key"), path("demo.key")).unwrap();
    fs::copy(demo().join("samples/disc.png"), path("disc.png")).unwrap();
    let mut needles = Vec::new();
    for name in ["conv1.weight", "conv3.weight", "dense1.weight"] {
        let graph = truth.graph();
        let Source::Param(data) = &graph.value(graph.find(name).unwrap()).source else {
            panic!("{name}");
        };
        let middle = &data[data.len() / 2..][..LENGTH / 4];
        needles.extend(middle.iter().flat_map(|v| v.to_le_bytes()).map(|byte| byte ^ MASK));
    }
    fs::write(path("needles"), needles).unwrap();

    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--ignored", "--exact", "scan", "--test-threads", "1"]);
    let (code, stdout, stderr) = parts(&child.env(FOLDER, folder.path()).output().unwrap());
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains("1 passed"), "{stdout}");
    let left = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 4, "a file was left behind");
}

#[test]
#[ignore = "run by weights_are_gone_after_closing, in a process of its own"]
fn scan() {
    let folder = std::env::var_os(FOLDER).unwrap();
    let path = |name: &str| Path::new(&folder).join(name);
    let mut memory = Memory::new();
    let masked = fs::read(path("needles")).unwrap();
    let needles: Vec<&[u8]> = masked.chunks_exact(LENGTH).collect();
    let mut count = |needle: &[u8]| {
        let bytes: Needle<'_> = &|index| needle[index] ^ MASK;
        memory.count(OVERWRITTEN..LENGTH, bytes)
    };
    let key = KeyFile::read(path("demo.key")).unwrap();
    let picture = Picture::open(&path("disc.png"), 3).unwrap();
    for _ in 0..3 {
        let sealed = SealedModel::from_vec(fs::read(path("sealed.onnx")).unwrap()).unwrap();
        let (model, access) = sealed.open_with_key(key.secret(), EngineKind::Native).unwrap();
        let now = Timestamp::now();
        let trigger = access.trigger(&model, "gradient", now).unwrap();
        let found = model.explain(&picture, Target::Predicted, Some(trigger)).unwrap();
        assert_eq!(found.prediction.key_found, Some(true));
        let open: usize = needles.iter().map(|needle| count(needle)).sum();
        assert!(open > 0, "the search finds what is there");
        drop(model);
        let left: Vec<usize> = needles.iter().map(|needle| count(needle)).collect();
        assert_eq!(left, [0; 3], "weights after closing");
    }
}
