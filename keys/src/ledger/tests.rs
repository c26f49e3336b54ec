use std::fs;

use proptest::prelude::*;

use super::*;
use crate::mutation::{any_mutation, flipped, rearranged};
use crate::{
    Grants, Identity, ImageShape, LicensedModel, ModelDigest, Secret, Subject, Terms, TriggerSpec,
    VendorKeys,
};

/// Written by `tests/reference/licenses.py`.
const LEDGER: &str = include_str!("../../tests/vectors/ledger-v1.txt");

fn secret(byte: u8) -> Secret {
    Secret::from_bytes(&[byte; Secret::LEN])
}

fn terms() -> Terms {
    Terms {
        holder: "Ana".to_owned(),
        recipient: Identity::from_secret(secret(40)).recipient(),
        not_before: None,
        expires: None,
        methods: None,
        device: None,
        grants: Grants::All,
    }
}

fn vendor(byte: u8) -> Vendor {
    VendorKeys::of(&secret(byte)).public()
}

fn model() -> ModelDigest {
    ModelDigest::from([5; 32])
}

fn issue(writer: &mut LedgerWriter, key: &Secret) -> License {
    issue_as(writer, key, false)
}

fn issue_as(writer: &mut LedgerWriter, key: &Secret, shared: bool) -> License {
    let shape = ImageShape::new(1, 8, 8).unwrap();
    let trigger = TriggerSpec::default();
    let subject = Subject { model: model(), key, trigger, shape, shared, sealed: None };
    writer.issue(&VendorKeys::of(&secret(1)), &terms(), &subject).unwrap()
}

#[test]
fn the_vector_reads() {
    let ledger = Ledger::parse(LEDGER.as_bytes()).unwrap();
    let [issued] = ledger.issued() else { panic!("one licence") };
    assert_eq!(issued.claims().holder, "Zoë \"Z\" Example");
    assert!(!issued.shared);
    let license = issued.verify().unwrap();
    assert_eq!(ledger.vendor(), Some(license.vendor()));
    assert_eq!(issued.revoked.unwrap().to_string(), "2027-01-15T08:00:00Z");
    License::parse(license.text().as_bytes()).unwrap();
}

#[test]
fn entries_stay_and_are_numbered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    for number in 1..=3_u8 {
        let mut writer = LedgerWriter::open(&path, vendor(1)).unwrap();
        let license = issue(&mut writer, &secret(number));
        assert_eq!(license.claims().serial, u32::from(number));
    }
    let mut writer = LedgerWriter::open(&path, vendor(1)).unwrap();
    assert_eq!(writer.revoke(2).unwrap(), secret(2).id());
    assert!(matches!(
        writer.revoke(2),
        Err(Error::Ledger(LedgerError::AlreadyRevoked { serial: 2, .. }))
    ));
    for serial in [0, 4, u32::MAX] {
        assert!(matches!(writer.revoke(serial), Err(Error::Ledger(LedgerError::Serial { .. }))));
    }
    let ledger = Ledger::read(&path).unwrap();
    assert_eq!(ledger.issued().len(), 3);
    assert!(ledger.get(2).unwrap().revoked.is_some() && ledger.get(3).unwrap().revoked.is_none());
    assert!(ledger.is_taken(&secret(2).id()) && !ledger.is_taken(&secret(9).id()));
}

#[cfg(unix)]
#[test]
fn the_file_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    drop(LedgerWriter::open(&path, vendor(1)).unwrap());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn the_ledger_of_another_vendor_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    drop(LedgerWriter::open(&path, vendor(1)).unwrap());
    let before = fs::read(&path).unwrap();
    let error = LedgerWriter::open(&path, vendor(2)).err().unwrap();
    assert!(error.to_string().contains("the ledger belongs to sgvendor1"), "{error}");
    fs::write(folder.path().join("other"), "precious").unwrap();
    let error = LedgerWriter::open(folder.path().join("other"), vendor(1)).err();
    assert!(error.unwrap().to_string().contains("no saligate ledger file"));
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read(folder.path().join("other")).unwrap(), b"precious");
}

#[test]
fn the_vendor_is_told_by_the_first_entry() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let mut writer = LedgerWriter::open(&path, vendor(1)).unwrap();
    assert!(writer.has_begun());
    issue(&mut writer, &secret(1));
    drop(writer);
    assert!(!LedgerWriter::open(&path, vendor(1)).unwrap().has_begun());
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("Ana", "Eve")).unwrap();
    assert!(Ledger::read(&path).is_err());
    assert_eq!(Ledger::vendor_of(&path).unwrap(), Some(vendor(1)));
    fs::write(&path, text.replace("opened", "closed")).unwrap();
    assert!(Ledger::vendor_of(&path).is_err());
    fs::write(&path, "").unwrap();
    assert_eq!(Ledger::vendor_of(&path).unwrap(), None);
}

/// A crash may leave any beginning of what was being written. All of it but the end of the line is
/// an entry, which an editor may have cut too.
#[test]
fn a_torn_line_is_taken_off_by_the_next_writer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let mut writer = LedgerWriter::open(&path, vendor(1)).unwrap();
    issue(&mut writer, &secret(1));
    let one = fs::read(&path).unwrap();
    issue(&mut writer, &secret(2));
    drop(writer);
    let two = fs::read(&path).unwrap();
    for len in (0..two.len()).step_by(7).chain([0, one.len() - 1, one.len(), two.len() - 1]) {
        fs::write(&path, &two[..len]).unwrap();
        let read = Ledger::read(&path).unwrap();
        let mut writer = LedgerWriter::open(&path, vendor(1)).unwrap();
        assert_eq!(writer.ledger().issued().len(), read.issued().len());
        let complete = usize::from(len >= one.len() - 1) + usize::from(len == two.len() - 1);
        assert_eq!(read.issued().len(), complete, "{len}");
        let next = issue(&mut writer, &secret(3));
        assert_eq!(next.claims().serial, complete as u32 + 1, "{len}");
        assert_eq!(Ledger::read(&path).unwrap().issued().len(), complete + 1);
    }
}

#[test]
fn a_torn_line_that_is_longer_than_the_next_one_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let mut writer = LedgerWriter::open(&path, vendor(1)).unwrap();
    issue(&mut writer, &secret(1));
    drop(writer);
    let one = fs::read(&path).unwrap();
    fs::write(&path, [one.as_slice(), "x".repeat(4096).as_bytes()].concat()).unwrap();
    let mut writer = LedgerWriter::open_existing(&path).unwrap();
    assert_eq!(writer.torn(), 4096);
    writer.revoke(1).unwrap();
    let written = fs::read(&path).unwrap();
    assert!(written.starts_with(&one) && written.len() < one.len() + 200);
    assert!(Ledger::read(&path).unwrap().get(1).unwrap().revoked.is_some());
}

/// The line was whole, so its number is not given out again.
#[test]
fn a_last_line_without_its_end_is_an_entry_that_the_next_writer_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let mut writer = LedgerWriter::open(&path, vendor(1)).unwrap();
    issue(&mut writer, &secret(1));
    drop(writer);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    assert!(Ledger::read(&path).unwrap().is_taken(&secret(1).id()));
    let mut writer = LedgerWriter::open(&path, vendor(1)).unwrap();
    assert_eq!(issue(&mut writer, &secret(2)).claims().serial, 2);
    assert_eq!(issue(&mut writer, &secret(3)).claims().serial, 3);
    assert!(fs::read(&path).unwrap().starts_with(&whole));
    assert_eq!(Ledger::read(&path).unwrap().issued().len(), 3);
}

/// No crash leaves a whole line with something else than its end behind it.
#[test]
fn a_last_line_with_another_end_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let mut writer = LedgerWriter::open(&path, vendor(1)).unwrap();
    issue(&mut writer, &secret(1));
    drop(writer);
    let whole = fs::read(&path).unwrap();
    let text = &whole[..whole.len() - 1];
    for end in ["\u{b}", "}", "\r", " ", "\0", "\u{b}and more"] {
        let changed = [text, end.as_bytes()].concat();
        fs::write(&path, &changed).unwrap();
        assert!(LedgerWriter::open(&path, vendor(1)).is_err(), "{end:?}");
        assert_eq!(fs::read(&path).unwrap(), changed, "{end:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_ledger_that_was_replaced_is_not_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("ledger"), folder.path().join("other"));
    let mut writer = LedgerWriter::open(&path, vendor(1)).unwrap();
    issue(&mut writer, &secret(1));
    fs::copy(&path, &other).unwrap();
    let waiting = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let mut writer = LedgerWriter::open(&path, vendor(1)).unwrap();
            issue(&mut writer, &secret(2)).claims().serial
        });
        // Should the thread come later, it opens the new file at once: it passes all the same.
        std::thread::sleep(std::time::Duration::from_millis(100));
        fs::rename(&other, &path).unwrap();
        assert!(matches!(
            writer.revoke(1).unwrap_err().reason(),
            Error::Ledger(LedgerError::Replaced)
        ));
        drop(writer);
        waiting.join().unwrap()
    });
    assert_eq!(waiting, 2);
    let ledger = Ledger::read(&path).unwrap();
    assert_eq!(ledger.issued().len(), 2);
    assert!(ledger.get(1).unwrap().revoked.is_none());
}

#[test]
fn writers_wait_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let serials = std::thread::scope(|scope| {
        let issuer = |number: u8| {
            let path = &path;
            scope.spawn(move || {
                let one = |i: u8| {
                    let mut writer = LedgerWriter::open(path, vendor(1)).unwrap();
                    issue(&mut writer, &secret(number + i)).claims().serial
                };
                (0..20).map(one).collect::<Vec<_>>()
            })
        };
        let issuers = [issuer(10), issuer(60), issuer(110)];
        issuers.map(|issuer| issuer.join().unwrap()).concat()
    });
    let mut sorted = serials;
    sorted.sort_unstable();
    assert_eq!(sorted, (1..=60).collect::<Vec<_>>());
    assert_eq!(Ledger::read(&path).unwrap().issued().len(), 60);
}

#[test]
fn no_changed_line_is_read() {
    let text = LEDGER.as_bytes();
    for at in 0..text.len() {
        let cut = Ledger::parse(&text[..at]);
        // A file that is cut within a line is that of a crash.
        let ended = |at: &usize| text[*at] == b'\n';
        let complete = (0..=at).filter(ended).count();
        match cut {
            Ok(ledger) => assert_eq!(ledger.issued().len(), usize::from(complete > 2)),
            Err(error) => panic!("cut at {at}: {error}"),
        }
    }
    for other in flipped(text).chain(rearranged(text)) {
        assert!(Ledger::parse(&other).is_err(), "{}", String::from_utf8_lossy(&other));
    }
}

/// Right digests over entries that contradict each other, as a careless program would write them.
#[test]
fn contradictions_are_refused() {
    let good: Vec<&str> = LEDGER.lines().skip(1).map(|line| &line[65..]).collect();
    let chained = |entries: &[&str]| {
        let mut chain = Chain::new();
        let lines: Vec<String> = entries.iter().map(|entry| chain.append(entry) + "\n").collect();
        Ledger::parse((header() + &lines.concat()).as_bytes())
    };
    assert!(chained(&good).is_ok());
    let other_serial = good[2].replace(":1}", ":2}");
    let other_vendor = vendor(1);
    let opened = good[0]
        .replace(&chained(&good).unwrap().vendor().unwrap().to_string(), &other_vendor.to_string());
    for (entries, reason) in [
        (&[good[0], good[0]][..], "a second beginning"),
        (&[good[1]], "before the vendor"),
        (&[good[0], good[1], good[1]], "serial number out of order"),
        (&[good[0], good[2]], "unknown serial"),
        (&[good[0], good[1], &other_serial], "unknown serial"),
        (&[good[0], good[1], good[2], good[2]], "revoked twice"),
        (&[&opened, good[1]], "another vendor"),
        (&[good[0], r#"{"at":"2026-11-23T14:31:21Z","event":"issued","license":""}"#], "is none"),
    ] {
        let error = chained(entries).unwrap_err();
        assert!(matches!(error, LedgerError::Line { .. }), "{reason}: {error}");
        assert!(error.to_string().contains(reason), "{reason}: {error}");
    }
    for entry in ["", "{}", "[]", r#"{"at":"2026-11-23T14:31:21Z","event":"burnt"}"#] {
        assert!(chained(&[good[0], entry]).is_err(), "{entry}");
    }
    let spaced = good[2].replace("\":1", "\": 1");
    assert!(chained(&[good[0], good[1], &spaced]).is_err());
    let more = good[2].replace(":1}", ":1,\"more\":1}");
    assert!(chained(&[good[0], good[1], &more]).is_err());
}

/// A chain can be made by everybody, a signature cannot.
#[test]
fn a_forged_licence_is_found_by_its_signature() {
    let genuine = Ledger::parse(LEDGER.as_bytes()).unwrap();
    genuine.verify().unwrap();
    let mut chain = Chain::new();
    let entries = LEDGER.lines().skip(1).map(|line| line[65..].replace("Example", "Elsewhere"));
    let lines: Vec<String> = entries.map(|entry| chain.append(&entry) + "\n").collect();
    let forged = Ledger::parse((header() + &lines.concat()).as_bytes()).unwrap();
    let error = forged.verify().unwrap_err();
    assert!(matches!(error, LedgerError::Signature { serial: 1 }), "{error}");
    assert!(forged.get(1).unwrap().verify().is_err());
}

#[test]
fn slots_are_taken_in_turn_and_never_again() {
    let folder = tempfile::tempdir().unwrap();
    let root = secret(1);
    let keys = VendorKeys::of(&root);
    let opens = [secret(1).id(), keys.slot(2).id(), keys.slot(5).id()];
    let pool = Pool::of(vec![secret(1)], &opens).unwrap();
    let mut writer = LedgerWriter::open(folder.path().join("ledger"), vendor(1)).unwrap();
    for slot in [2, 5] {
        let pick = pool.free(writer.ledger(), &licensed(model())).unwrap();
        assert_eq!((pick.secret.id(), pick.shared), (keys.slot(slot).id(), false));
        issue(&mut writer, pick.secret);
    }
    writer.revoke(1).unwrap();
    assert!(matches!(pool.free(writer.ledger(), &licensed(model())), Err(LedgerError::NoFreeKey)));
    assert_eq!(pool.key(&keys.slot(5).id(), false).unwrap().secret.id(), keys.slot(5).id());
    assert!(matches!(pool.key(&secret(1).id(), false), Err(LedgerError::NoKey { .. })));
    // Nor do they become free when they are taken out of the model: not the one slot that is left,
    // and not the vendor's own key.
    for opens in [vec![secret(1).id(), keys.slot(5).id()], vec![secret(1).id()]] {
        let pool = Pool::of(vec![secret(1)], &opens).unwrap();
        assert!(
            matches!(pool.free(writer.ledger(), &licensed(model())), Err(LedgerError::NoFreeKey)),
            "{opens:?}"
        );
    }
}

#[test]
fn without_slots_a_single_key_is_shared_and_several_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = LedgerWriter::open(folder.path().join("shared"), vendor(1)).unwrap();
    let pool = Pool::of(vec![secret(1)], &[secret(1).id()]).unwrap();
    for _ in 0..2 {
        let pick = pool.free(writer.ledger(), &licensed(model())).unwrap();
        assert!(pick.shared);
        issue_as(&mut writer, pick.secret, pick.shared);
    }
    assert!(writer.ledger().issued().iter().all(|issued| issued.shared));

    let opens = [secret(1).id(), secret(2).id()];
    let pool = Pool::of(vec![secret(2), secret(1), secret(2)], &opens).unwrap();
    let mut writer = LedgerWriter::open(folder.path().join("own"), vendor(1)).unwrap();
    for key in [2, 1] {
        let pick = pool.free(writer.ledger(), &licensed(model())).unwrap();
        assert_eq!((pick.secret.id(), pick.shared), (secret(key).id(), false));
        issue(&mut writer, pick.secret);
    }
    assert!(matches!(pool.free(writer.ledger(), &licensed(model())), Err(LedgerError::NoFreeKey)));
    assert!(matches!(Pool::of(vec![secret(3)], &opens), Err(LedgerError::NoKey { .. })));
}

/// The key that is left over once others were taken out is somebody's own.
#[test]
fn an_own_key_is_not_shared_when_it_is_the_last_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = LedgerWriter::open(folder.path().join("ledger"), vendor(1)).unwrap();
    let last = Pool::of(vec![secret(1)], &[secret(1).id()]).unwrap();
    issue(&mut writer, &secret(1));
    assert!(matches!(last.free(writer.ledger(), &licensed(model())), Err(LedgerError::NoFreeKey)));
    // Not licensed itself, but another one of the same model was.
    let last = Pool::of(vec![secret(2)], &[secret(2).id()]).unwrap();
    assert!(!last.free(writer.ledger(), &licensed(model())).unwrap().shared);
    assert!(last.free(writer.ledger(), &licensed(ModelDigest::from([6; 32]))).unwrap().shared);
}

/// A model of that digest, as far as a pool is concerned.
fn licensed(digest: ModelDigest) -> LicensedModel<'static> {
    LicensedModel { digest, earlier: digest, keys: &[], vendor: None }
}

/// Slots that were licensed under the earlier digest of a model are taken.
#[test]
fn slots_stay_taken_when_a_model_is_known_by_another_digest() {
    let folder = tempfile::tempdir().unwrap();
    let root = secret(1);
    let keys = VendorKeys::of(&root);
    let opens = [keys.slot(1).id(), keys.slot(2).id()];
    let pool = Pool::of(vec![secret(1)], &opens).unwrap();
    let mut writer = LedgerWriter::open(folder.path().join("ledger"), vendor(1)).unwrap();
    let first = pool.free(writer.ledger(), &licensed(model())).unwrap();
    issue(&mut writer, first.secret);
    let newer = LicensedModel { digest: ModelDigest::from([6; 32]), ..licensed(model()) };
    assert_eq!(pool.free(writer.ledger(), &newer).unwrap().secret.id(), opens[1]);
    // Without slots left, the vendor's own key is for nobody else.
    let pool = Pool::of(vec![secret(1)], &[secret(1).id()]).unwrap();
    assert!(matches!(pool.free(writer.ledger(), &newer), Err(LedgerError::NoFreeKey)));
}

proptest! {
    #[test]
    fn no_mutation_is_read_as_another_ledger(mutation in any_mutation()) {
        let text = mutation.of(LEDGER.as_bytes());
        // What reads is a beginning of the ledger, perhaps with a line that was not finished.
        if let Ok(ledger) = Ledger::parse(&text) {
            let (_, len) = Ledger::parse_with_length(&text).unwrap();
            prop_assert!(LEDGER.as_bytes().starts_with(&text[..len]));
            prop_assert!(ledger.issued().len() <= 1);
        }
    }
}
