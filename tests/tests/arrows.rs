//! The arrows between crates: keys <- models <- files <- runtime <- console <- data <- measure <- train;
//! runtime <- audit, lock <- cli, measure; kernels <- runtime <- tract, capi.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use saligate_tests::root;
use serde_json::Value;

/// What `cargo metadata` says of the workspace and everything it depends on.
fn metadata() -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // Packages for other platforms may never have been downloaded here.
    let arguments = ["metadata", "--format-version", "1", "--locked", "--filter-platform", &host()];
    let manifest = root().join("Cargo.toml");
    let output =
        Command::new(cargo).args(arguments).arg("--manifest-path").arg(manifest).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The platform that this is built for, such as `x86_64-unknown-linux-gnu`.
fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn package<'a>(metadata: &'a Value, name: &str) -> &'a Value {
    list(&metadata["packages"]).find(|p| p["name"] == name).unwrap()
}

/// Names of all packages that a package links, directly or through others.
fn linked(metadata: &Value, name: &str) -> BTreeSet<String> {
    let names: BTreeMap<&str, &str> =
        list(&metadata["packages"]).map(|p| (text(&p["id"]), text(&p["name"]))).collect();
    let nodes: BTreeMap<&str, &Value> =
        list(&metadata["resolve"]["nodes"]).map(|n| (text(&n["id"]), n)).collect();
    let mut found = BTreeSet::new();
    let mut open = vec![text(&package(metadata, name)["id"])];
    while let Some(id) = open.pop() {
        for dependency in list(&nodes[id]["deps"]) {
            // A null kind is a dependency for building and running, not for tests or build scripts.
            let normal = list(&dependency["dep_kinds"]).any(|k| k["kind"].is_null());
            let next = text(&dependency["pkg"]);
            if normal && found.insert(names[next].to_owned()) {
                open.push(next);
            }
        }
    }
    found
}

/// Names of the direct dependencies of a package, for building or running but not for testing.
fn direct(metadata: &Value, name: &str) -> BTreeSet<String> {
    let all = list(&package(metadata, name)["dependencies"]);
    all.filter(|d| d["kind"].is_null()).map(|d| text(&d["name"]).to_owned()).collect()
}

fn own(dependencies: &BTreeSet<String>) -> Vec<&str> {
    dependencies.iter().map(String::as_str).filter(|n| n.starts_with("saligate-")).collect()
}

/// Every crate and those of this house that it may name, from the ground up.
const ARROWS: &[(&str, &[&str])] = &[
    ("keys", &[]),
    ("kernels", &[]),
    ("models", &["keys"]),
    ("files", &["keys", "models"]),
    ("runtime", &["files", "kernels", "keys", "models"]),
    ("tract", &["files", "models", "runtime"]),
    ("console", &["files", "keys", "models", "runtime"]),
    ("capi", &["keys", "runtime"]),
    ("audit", &["files", "models", "runtime"]),
    ("lock", &["files", "keys", "models", "runtime"]),
    ("data", &["console", "models", "runtime"]),
    ("cli", &["audit", "console", "data", "files", "keys", "lock", "models", "runtime", "tract"]),
    ("measure", &["audit", "console", "data", "files", "keys", "lock", "models", "runtime"]),
    ("train", &["console", "data", "files", "keys", "lock", "measure", "models", "runtime"]),
];

fn full(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("saligate-{name}")).collect()
}

#[test]
fn crates_depend_downwards_only() {
    let metadata = metadata();
    for (at, (name, below)) in ARROWS.iter().enumerate() {
        let found = direct(&metadata, &format!("saligate-{name}"));
        assert_eq!(own(&found), full(below), "{name}");
        let lower: Vec<&str> = ARROWS[..at].iter().map(|(name, _)| *name).collect();
        assert!(below.iter().all(|name| lower.contains(name)), "{name} names what stands above it");
    }
    // Nothing of the house is left out but what tests it.
    let members = list(&metadata["workspace_members"]).count();
    assert_eq!(members, ARROWS.len() + ["tests", "benches"].len());
}

#[test]
fn nothing_below_the_trainer_links_burn() {
    let metadata = metadata();
    for (name, _) in ARROWS.iter().filter(|(name, _)| *name != "train") {
        for linked in linked(&metadata, &format!("saligate-{name}")) {
            let training = ["burn", "cubecl"].iter().any(|stem| linked.starts_with(stem))
                || linked == "saligate-train";
            assert!(!training, "{name} links {linked}");
        }
    }
}

#[test]
fn what_a_device_runs_links_no_second_engine() {
    // Whatever is built beside it: tract is a crate of its own, not a feature of the runtime.
    let metadata = metadata();
    for program in ["saligate-cli", "saligate-capi"] {
        for linked in linked(&metadata, program) {
            let second = linked.starts_with("tract") || linked == "saligate-tract";
            assert!(!second, "{program} links {linked}");
        }
    }
}

#[test]
fn engines_and_cryptography_are_named_by_one_crate_each() {
    let metadata = metadata();
    let owners =
        [("burn", "saligate-train"), ("tract", "saligate-tract"), ("ring", "saligate-keys")];
    for package in ARROWS.iter().map(|(name, _)| format!("saligate-{name}")) {
        for dependency in direct(&metadata, &package) {
            for (library, owner) in owners {
                let is = dependency == library || dependency.starts_with(&format!("{library}-"));
                assert!(!is || package == owner, "{package} depends on {dependency}");
            }
        }
    }
}
