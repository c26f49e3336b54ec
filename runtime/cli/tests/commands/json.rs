//! `--json` with a path that JSON has no bytes for. Only Unix has such paths.
#![cfg(unix)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::folder::{Folder, ended};

/// Stands for the path in the words of a command.
const PLACE: &str = "ODD";

#[test]
fn paths_that_are_no_text_are_shown_as_far_as_they_are() {
    let folder = Folder::new();
    let odd = |end: &str| OsStr::from_bytes(&[b"odd\xff", end.as_bytes()].concat()).to_owned();
    let at = |name: &OsStr| folder.path("").join(Path::new(name));
    let vendor = folder.done("key show vendor.key --json");
    let vendor = vendor.split('"').find(|word| word.starts_with("sgvendor1")).unwrap().to_owned();
    let ana = folder.identity("ana");
    folder.done(&folder.issue(&ana, "--holder Ana"));
    folder.done("sign model.onnx --key vendor.key");
    for name in ["ana.identity", "1.license", "model.onnx", "model.onnx.sig", "scene.png"] {
        let end = name.trim_start_matches(|c: char| c.is_alphanumeric());
        fs::copy(folder.path(name), at(&odd(end))).unwrap();
    }
    let check = |words: &str, end: &str| {
        let mut command = folder.command("");
        for word in words.split_whitespace() {
            command.arg(if word == PLACE { odd(end) } else { word.into() });
        }
        let (stdout, _) = ended(0, &command.arg("--json").output().unwrap());
        assert!(stdout.contains(&format!("odd\u{fffd}{end}")), "{words}: {stdout}");
    };
    for (words, end) in [
        ("identity show ODD", ".identity"),
        ("identity new ODD", ".new"),
        ("license show ODD", ".license"),
        ("license verify ODD", ".license"),
        ("predict model.onnx ODD", ".png"),
        ("explain model.onnx ODD -o map.png", ".png"),
        ("explain model.onnx scene.png -o ODD", ".map"),
        (&format!("verify ODD --vendor {vendor}"), ".onnx"),
        (&folder.issue(&ana, "--holder Ana -o ODD"), ".issued"),
    ] {
        check(words, end);
    }
    fs::rename(folder.path("vendor.key.ledger"), at(&odd(".ledger"))).unwrap();
    check(&folder.issue(&ana, "--holder Ana --ledger ODD -o two"), ".ledger");
    check("license list --ledger ODD", ".ledger");
}
