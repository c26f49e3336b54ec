//! `license issue` and its ledger.

use std::fs;
use std::process::Stdio;

use saligate_files::{FileError, ModelFile};
use saligate_keys::{KeyFile, Ledger, LedgerWriter, Secret, VendorKeys};
use saligate_models::graph::Source;

use crate::folder::{Folder, ended, secret};

#[test]
fn a_ledger_is_begun_aloud() {
    let folder = Folder::new();
    let ana = folder.identity("ana");
    let begun = "began vendor.key.ledger";
    let stderr = folder.fails(0, &folder.issue(&ana, "--holder Ana"));
    assert!(stderr.contains(begun) && stderr.contains("--ledger FILE"), "{stderr}");
    let stderr = folder.fails(0, &folder.issue(&ana, "--holder Ana"));
    assert!(!stderr.contains(begun), "{stderr}");
}

/// The copy would give out the numbers and slots of the first ledger again.
#[test]
fn a_copy_of_a_key_begins_no_ledger_beside_that_of_the_first() {
    let folder = Folder::new();
    let ana = folder.identity("ana");
    folder.done(&folder.issue(&ana, "--holder Ana"));
    KeyFile::new(secret()).write_new(folder.path("copy.key")).unwrap();
    let issue = folder.issue(&ana, "--holder Ana").replace("vendor.key", "copy.key");
    let stderr = folder.fails(2, &issue);
    assert!(stderr.contains("try: --ledger vendor.key.ledger"), "{stderr}");
    assert!(!folder.path("copy.key.ledger").exists() && !folder.path("2.license").exists());
    folder.done(&format!("{issue} --ledger vendor.key.ledger"));
    assert_eq!(Ledger::read(folder.path("vendor.key.ledger")).unwrap().issued().len(), 2);
}

/// Whoever comes second finds a ledger that was not there a moment ago.
#[test]
fn a_ledger_is_begun_by_several_at_once() {
    for _ in 0..10 {
        let folder = Folder::new();
        let ana = folder.identity("ana");
        let issue = folder.issue(&ana, "--holder Ana");
        let issuer = |_| {
            let mut command = folder.command(&issue);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let issuers: Vec<_> = (0..4).map(issuer).collect();
        for issuer in issuers {
            ended(0, &issuer.wait_with_output().unwrap());
        }
        assert_eq!(Ledger::read(folder.path("vendor.key.ledger")).unwrap().issued().len(), 4);
    }
}

#[test]
fn ledgers_of_others_do_not_hinder() {
    let folder = Folder::new();
    let ana = folder.identity("ana");
    let other = Secret::generate().unwrap();
    let vendor = VendorKeys::of(&other).public();
    drop(LedgerWriter::open(folder.path("other.key.ledger"), vendor).unwrap());
    fs::write(folder.path("none.ledger"), "something else").unwrap();
    fs::create_dir(folder.path("folder.ledger")).unwrap();
    folder.done(&folder.issue(&ana, "--holder Ana"));
    assert!(folder.path("vendor.key.ledger").exists());
}

#[test]
fn a_licence_that_could_not_be_written_is_not_issued() {
    let folder = Folder::new();
    let ana = folder.identity("ana");
    let stderr = folder.fails(2, &folder.issue(&ana, "--holder Ana -o nodir/1.license"));
    assert!(stderr.contains("there is no folder nodir"), "{stderr}");
    let stderr = folder.fails(2, &folder.issue(&ana, "--holder Ana -o scene.png"));
    assert!(stderr.contains("is not overwritten"), "{stderr}");
    assert!(!folder.path("vendor.key.ledger").exists());
}

#[test]
fn a_licence_is_renewed_for_its_holder_only() {
    let folder = Folder::new();
    let (ana, board) = (folder.identity("ana"), folder.identity("board"));
    folder.done(&folder.issue(&ana, "--holder Ana"));
    let stderr = folder.fails(1, &folder.issue(&ana, "--holder Eve --renew 1"));
    assert!(stderr.contains("licence 1 was issued to Ana, not to Eve"), "{stderr}");
    assert!(stderr.contains("try: the same --holder"), "{stderr}");
    folder.done(&folder.issue(&board, "--holder Ana --renew 1"));
    assert_eq!(Ledger::read(folder.path("vendor.key.ledger")).unwrap().issued().len(), 2);
}

/// What was licensed for a year, one method and one board stays so.
#[test]
fn a_renewal_keeps_the_limits_of_the_licence_before() {
    let folder = Folder::new();
    let ana = folder.identity("ana");
    let limits = "--expires 2999-12-31 --methods gradient --device board7";
    folder.done(&folder.issue(&ana, &format!("--holder Ana {limits}")));
    let stderr = folder.fails(0, &folder.issue(&ana, "--holder Ana --renew 1"));
    assert!(stderr.contains("as in licence 1: expires 2999-12-31T23:59:59Z"), "{stderr}");
    folder.done(&folder.issue(&ana, "--holder Ana --renew 1 --expires 2998-12-31"));
    folder.done(&folder.issue(&ana, "--holder Ana --renew 1 --device board8 --methods rise"));
    let lifted = "--expires never --methods all --device any";
    folder.done(&folder.issue(&ana, &format!("--holder Ana --renew 1 {lifted}")));
    folder.done(&folder.issue(&ana, &format!("--holder Ana {lifted}")));
    let said = |serial: u32| {
        let shown = folder.done(&format!("license show {serial}.license"));
        let value = |name: &str| {
            let line = shown.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap().trim().to_owned()
        };
        ["expires", "methods", "device"].map(value)
    };
    assert_eq!(said(2), ["2999-12-31T23:59:59Z", "gradient", "board7"]);
    assert_eq!(said(3), ["2998-12-31T23:59:59Z", "gradient", "board7"]);
    assert_eq!(said(4), ["2999-12-31T23:59:59Z", "rise", "board8"]);
    for serial in [5, 6] {
        assert_eq!(said(serial), ["never", "all", "any"]);
    }
}

#[test]
fn a_renewal_of_an_expired_licence_needs_an_end() {
    let folder = Folder::new();
    let ana = folder.identity("ana");
    folder.done(&folder.issue(&ana, "--holder Ana --expires 2020-12-31"));
    let stderr = folder.fails(2, &folder.issue(&ana, "--holder Ana --renew 1"));
    assert!(stderr.contains("licence 1 expired at 2020-12-31T23:59:59Z"), "{stderr}");
    assert!(stderr.contains("try: --expires DATE, or --expires never"), "{stderr}");
    assert_eq!(Ledger::read(folder.path("vendor.key.ledger")).unwrap().issued().len(), 1);
    folder.done(&folder.issue(&ana, "--holder Ana --renew 1 --expires 2999-12-31"));
    folder.done(&folder.issue(&ana, "--holder Ana --renew 1 --expires never"));
}

/// One trigger opens both.
#[test]
fn a_second_model_under_the_same_key_is_warned_of() {
    let folder = Folder::new();
    let ana = folder.identity("ana");
    let issue = folder.issue(&ana, "--holder Ana");
    folder.done(&issue);
    let warning = "the ledger has licences for another model";
    assert!(!folder.fails(0, &issue).contains(warning));
    let model = ModelFile::open(&folder.path("model.onnx")).unwrap();
    let values = model.graph().values().map(|(_, value)| value);
    let (name, data) = values
        .filter(|value| !value.name.starts_with("gate."))
        .find_map(|value| match &value.source {
            Source::Param(data) if data[0] != 0.0 => Some((value.name.clone(), data.to_vec())),
            _ => None,
        })
        .unwrap();
    let weights: Vec<f32> = data.iter().map(|value| value / 2.0).collect();
    let model =
        model.map_graph(|graph| Ok::<_, FileError>(graph.set_param(&name, weights)?)).unwrap();
    model.save(&folder.path("other.onnx")).unwrap();
    let stderr = folder.fails(0, &issue.replace("model.onnx", "other.onnx"));
    assert!(stderr.contains(warning) && stderr.contains("one key file per model"), "{stderr}");
}

/// A mistyped name would give out numbers and slots again.
#[test]
fn no_second_ledger_is_begun_by_a_name() {
    let folder = Folder::new();
    let ana = folder.identity("ana");
    folder.done(&folder.issue(&ana, "--holder Ana"));
    fs::create_dir(folder.path("elsewhere")).unwrap();
    for name in ["vendor.ledger", "elsewhere/new"] {
        let stderr = folder.fails(2, &folder.issue(&ana, &format!("--holder Eve --ledger {name}")));
        assert!(stderr.contains("try: --ledger vendor.key.ledger"), "{stderr}");
        assert!(!folder.path(name).exists());
    }
    fs::write(folder.path("empty"), "").unwrap();
    folder.fails(2, &folder.issue(&ana, "--holder Eve --ledger empty"));
}

#[test]
fn what_could_not_be_a_licence_begins_no_ledger() {
    let folder = Folder::new();
    let ana = folder.identity("ana");
    for more in ["--device \u{1}", "--expires 2020-01-01 --not-before 2021-01-01", "-o scene.png"] {
        folder.fails(2, &folder.issue(&ana, &format!("--holder Ana {more}")));
        assert!(!folder.path("vendor.key.ledger").exists(), "{more}");
    }
    // Nor is a number used up where the usual name is taken.
    fs::write(folder.path("1.license"), "taken").unwrap();
    folder.fails(2, &folder.issue(&ana, "--holder Ana"));
    assert!(Ledger::read(folder.path("vendor.key.ledger")).unwrap().issued().is_empty());
}
