//! When secrets are opened, and how.

use std::process::Stdio;

use crate::folder::{Folder, ended};

/// No passphrase can be asked for, so a refusal shows that none was needed.
#[test]
fn a_licence_is_checked_before_its_identity_is_opened() {
    let folder = Folder::new();
    std::fs::write(folder.path("words"), "correct horse").unwrap();
    folder.done("identity new ana.identity --passphrase-file words");
    let ana = folder.done("identity show ana.identity").trim().to_owned();
    folder.identity("eve");
    folder.done(&folder.issue(&ana, "--holder Ana --expires 2020-12-31 -o expired.license"));
    folder.done(&folder.issue(&ana, "--holder Ana --device board-7 -o device.license"));
    folder.done(&folder.issue(&ana, "--holder Ana -o good.license"));
    let ends = |code, words: &str| {
        ended(code, &folder.command(words).stdin(Stdio::null()).output().unwrap()).1
    };
    for (license, reason) in [("expired", "expired at"), ("device", "for another device")] {
        let options = format!("--identity ana.identity --license {license}.license");
        let stderr = ends(1, &format!("explain model.onnx scene.png {options}"));
        assert!(stderr.contains(reason), "{stderr}");
        let words = format!("license verify {license}.license --identity ana.identity");
        let stderr = ends(1, &format!("{words} --model model.onnx"));
        assert!(stderr.contains(reason), "{stderr}");
    }
    let good = "explain model.onnx scene.png --identity ana.identity --license good.license";
    assert!(ends(2, good).contains("sealed with a passphrase"));
    folder.done(&format!("{good} --passphrase-file words"));
    // Without a model nothing is opened.
    ends(0, "license verify good.license --identity ana.identity");
}

#[test]
fn passphrases_can_be_changed() {
    let folder = Folder::new();
    std::fs::write(folder.path("old"), "correct horse").unwrap();
    std::fs::write(folder.path("new"), "battery staple").unwrap();
    folder.done("identity new ana.identity");
    for (kind, plain) in [("key", "vendor.key"), ("identity", "ana.identity")] {
        folder.done(&format!("{kind} protect {plain} first --passphrase-file old"));
        let again = format!("{kind} protect first second --passphrase-file new");
        folder.fails(1, &format!("{again} --old-passphrase-file new"));
        folder.done(&format!("{again} --old-passphrase-file old"));
        let open = format!("{kind} protect second third --passphrase-file old");
        folder.done(&format!("{open} --old-passphrase-file new"));
        for name in ["first", "second", "third"] {
            std::fs::remove_file(folder.path(name)).unwrap();
        }
    }
}

#[test]
fn a_key_of_another_model_is_refused_before_it_is_opened() {
    let folder = Folder::new();
    std::fs::write(folder.path("words"), "correct horse").unwrap();
    folder.done("key new other.key --passphrase-file words");
    let words = "explain model.onnx scene.png --key other.key";
    let output = folder.command(words).stdin(Stdio::null()).output().unwrap();
    let (_, stderr) = ended(1, &output);
    assert!(!stderr.contains("passphrase"), "{stderr}");
}

#[cfg(unix)]
#[test]
fn an_open_key_file_is_warned_of_once() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::new();
    set_permissions(folder.path("vendor.key"), Permissions::from_mode(0o644)).unwrap();
    let (_, stderr) = folder.ends(0, "key show vendor.key");
    assert_eq!(stderr.matches("others can read").count(), 1, "{stderr}");
}
