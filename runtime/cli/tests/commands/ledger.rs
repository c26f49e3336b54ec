//! What stands in a ledger, also when somebody else wrote in it.

use std::fs;

use saligate_keys::{LedgerWriter, Secret, VendorKeys, sha256};

use crate::folder::Folder;

/// The ledger with its licences made out to Eve, and with the right digests.
fn forged(text: &str) -> String {
    let mut lines = text.lines();
    let mut forged = lines.next().unwrap().to_owned() + "\n";
    let mut digest = "0".repeat(64);
    for line in lines {
        let entry = line[65..].replace("Ana", "Eve");
        let hash = sha256(format!("{digest} {entry}").as_bytes());
        digest = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        forged += &format!("{digest} {entry}\n");
    }
    forged
}

#[test]
fn a_second_revocation_is_none_but_repeats_the_command() {
    let folder = Folder::new();
    let ana = folder.identity("ana");
    folder.done(&folder.issue(&ana, "--holder Ana"));
    let revoke = "revoke 1 --ledger vendor.key.ledger";
    let first = folder.done(revoke);
    let command = first.lines().find(|line| line.contains("saligate revoke")).unwrap();
    let (stdout, stderr) = folder.ends(1, revoke);
    assert!(stdout.contains(command) && stderr.contains("was revoked at"), "{stdout}{stderr}");
    let (stdout, _) = folder.ends(1, &format!("{revoke} --json"));
    assert!(stdout.contains(command.trim()), "{stdout}");
}

#[test]
fn forged_entries_accuse_nobody() {
    let folder = Folder::new();
    let ana = folder.identity("ana");
    folder.done(&folder.issue(&ana, "--holder Ana"));
    folder.done("explain model.onnx scene.png --key vendor.key --triggered leak.png");
    let ledger = folder.path("vendor.key.ledger");
    fs::write(&ledger, forged(&fs::read_to_string(&ledger).unwrap())).unwrap();
    let renew = folder.issue(&ana, "--holder Eve --renew 1");
    for words in [
        "trace --image leak.png --model model.onnx --key vendor.key --ledger vendor.key.ledger",
        "license export 1 --ledger vendor.key.ledger -o eve.license",
        "revoke 1 --ledger vendor.key.ledger",
        renew.as_str(),
    ] {
        let stderr = folder.fails(2, words);
        assert!(
            stderr.contains("licence 1 in the ledger was not signed by the vendor"),
            "{stderr}"
        );
    }
    assert!(!folder.path("eve.license").exists());
}

#[test]
fn licences_are_listed_and_compared_with_the_ledger() {
    let folder = Folder::new();
    let ana = folder.identity("ana");
    let ledger = "--ledger vendor.key.ledger";
    for more in ["", "--expires 2020-12-31", "--not-before 2999-01-01", ""] {
        folder.done(&folder.issue(&ana, &format!("--holder Ana {more}")));
    }
    folder.done(&format!("license verify 4.license {ledger}"));
    folder.done(&format!("revoke 4 {ledger}"));
    let shown = folder.done(&format!("license list {ledger}"));
    let states: Vec<&str> =
        shown.lines().skip(1).map(|line| line.split_whitespace().nth(1).unwrap()).collect();
    assert_eq!(states, ["good", "expired", "early", "revoked"]);
    let json = folder.done(&format!("license list {ledger} --json"));
    assert!(
        json.contains("\"state\":\"revoked\"") && json.contains("\"holder\":\"Ana\""),
        "{json}"
    );

    let revoked = format!("license verify 4.license {ledger}");
    assert!(folder.fails(1, &revoked).contains("licence 4 was revoked at"));
    // A licence of before, beside the ledger of a new beginning.
    fs::remove_file(folder.path("vendor.key.ledger")).unwrap();
    folder.done(&folder.issue(&ana, "--holder Eve -o eve.license"));
    for (number, reason) in [(1, "is another one"), (2, "no licence 2 in this ledger")] {
        let stderr =
            folder.fails(1, &format!("license verify {number}.license --at 2020-12-31 {ledger}"));
        assert!(stderr.contains(reason), "{stderr}");
    }
}

#[test]
fn the_printed_command_fits_the_model() {
    let folder = Folder::new();
    let ana = folder.identity("ana");
    folder.done(&folder.issue(&ana, "--holder Ana"));
    let revoke = "revoke 1 --ledger vendor.key.ledger --model";
    // Nothing is entered where the model cannot be read.
    folder.fails(2, &format!("{revoke} none.onnx"));
    let stdout = folder.done(&format!("{revoke} model.onnx"));
    assert!(stdout.contains("is the only one of the model: lock the clean model anew"), "{stdout}");
    assert!(!stdout.contains("saligate revoke"), "{stdout}");
}

/// Whoever signs with a key of their own could accuse anybody.
#[test]
fn the_ledger_of_another_vendor_traces_nobody() {
    let folder = Folder::new();
    folder.done("explain model.onnx scene.png --key vendor.key --triggered leak.png");
    let eve = VendorKeys::of(&Secret::generate().unwrap()).public();
    drop(LedgerWriter::open(folder.path("eve.ledger"), eve).unwrap());
    let words = "trace --image leak.png --model model.onnx --ledger eve.ledger";
    let stderr = folder.fails(2, words);
    assert!(stderr.contains(&format!("this ledger belongs to {eve}, the model to")), "{stderr}");
}
