//! The ledger, when issuers are killed or come at once.

use std::collections::HashSet;
use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use saligate_keys::{Ledger, License};
use saligate_models::random::Stream;
use saligate_tests::licensing::VendorFolder;

const KILLS: usize = 200;
/// Some are done before they are killed: about one of six, by how long they are waited for.
const MOST_TRIES: usize = 3 * KILLS;

fn spawn(folder: &VendorFolder, recipient: &str) -> Child {
    let mut command = folder.command(&folder.issue(recipient, "--json"));
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The licences of the ledger, all of which verify, with serial numbers in order and no slot twice.
fn consistent(folder: &VendorFolder) -> Vec<License> {
    let path = folder.path("vendor.key.ledger");
    if !path.exists() {
        return Vec::new();
    }
    let ledger = Ledger::read(path).unwrap();
    let licenses: Vec<License> =
        ledger.issued().iter().map(|i| i.verify().unwrap().clone()).collect();
    let mut slots = HashSet::new();
    for (serial, license) in (1..).zip(&licenses) {
        assert_eq!(license.claims().serial, serial);
        assert!(slots.insert(license.claims().key), "slot of licence {serial} is taken twice");
    }
    licenses
}

#[test]
fn killed_issuers_leave_a_consistent_ledger() {
    let folder = VendorFolder::new();
    let ana = folder.identity("ana");
    let start = Instant::now();
    spawn(&folder, &ana).wait().unwrap();
    let mut longest = start.elapsed().as_secs_f32();
    let mut stream = Stream::new(1, "kills");
    let mut known = consistent(&folder);
    let (mut killed, mut tries) = (0, 0);
    while killed < KILLS {
        tries += 1;
        assert!(tries <= MOST_TRIES, "only {killed} of {tries} were killed before they were done");
        let mut issuer = spawn(&folder, &ana);
        std::thread::sleep(Duration::from_secs_f32(stream.uniform(0.0, longest)));
        issuer.kill().unwrap();
        let ended = issuer.wait().unwrap().code().is_some();
        killed += usize::from(!ended);
        // However fast the machine is now, kills are to fall anywhere, to the very end.
        longest *= if ended { 0.9 } else { 1.02 };
        let now = consistent(&folder);
        // Nothing that was there is gone or changed, and at most one licence is new.
        assert!(known.len() <= now.len() && now.len() <= known.len() + 1);
        assert!(known.iter().zip(&now).all(|(a, b)| a.text() == b.text()));
        known = now;
    }
    let before = known.len();
    // A licence file is whole or not there, and each stands in the ledger.
    for entry in fs::read_dir(folder.path("")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "license") {
            let license = License::read(&path).unwrap();
            let serial = license.claims().serial as usize;
            assert_eq!(known[serial - 1].text(), license.text(), "{}", path.display());
        }
    }
    // What was issued but not written comes out of the ledger; then the next number is free.
    for serial in 1..=before {
        if !folder.path(&format!("{serial}.license")).exists() {
            let file = format!("{serial}.license");
            folder.done(&format!("license export {serial} --ledger vendor.key.ledger -o {file}"));
            License::read(folder.path(&file)).unwrap();
        }
    }
    folder.done(&folder.issue(&ana, ""));
    assert_eq!(consistent(&folder).len(), before + 1);
}

#[test]
fn issuers_at_once_share_no_slot_and_no_number() {
    let folder = VendorFolder::new();
    let ana = folder.identity("ana");
    for _ in 0..20 {
        let issuers: Vec<Child> = (0..4).map(|_| spawn(&folder, &ana)).collect();
        for mut issuer in issuers {
            assert!(issuer.wait().unwrap().success());
        }
    }
    let licenses = consistent(&folder);
    assert_eq!(licenses.len(), 80);
    for serial in 1..=80 {
        let file = License::read(folder.path(&format!("{serial}.license"))).unwrap();
        assert_eq!(file.text(), licenses[serial - 1].text());
    }
}
