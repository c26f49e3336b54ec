use std::fs;

use super::*;
use crate::mutation::{any_mutation, damaged, rearranged};
use crate::{Fault, FileError, RecordError, hex};

/// The bytes 00, 01, ... 1f, and for the identity 20, 21, ... 3f; written by
/// `tests/reference/licenses.py`.
const KEY: &str = include_str!("../../tests/vectors/key-v2.txt");
const IDENTITY: &str = include_str!("../../tests/vectors/identity-v1.txt");

fn bytes() -> [u8; Secret::LEN] {
    std::array::from_fn(|i| i as u8)
}

fn created() -> Option<Timestamp> {
    Some("2026-11-23T14:31:21Z".parse().unwrap())
}

fn some_key() -> KeyFile {
    let mut file = KeyFile::new(Secret::from_bytes(&bytes()));
    file.about.created = created();
    file
}

fn some_identity() -> IdentityFile {
    let mut file = IdentityFile::new(Identity::from_secret(Secret::from_bytes(
        &bytes().map(|byte| byte + 32),
    )));
    file.about.created = created();
    file
}

/// The error for a text, of which nothing may show more of the secret than four of its digits.
fn refused<K: Kind>(text: impl AsRef<[u8]>) -> SecretFileError {
    let error = StoredSecret::<K>::read_from(text.as_ref()).err().expect("not a good file");
    let shown = format!("{error} {error:?}");
    let digits = hex::encode(&bytes());
    for start in 0..digits.len() - 4 {
        assert!(!shown.contains(&digits[start..start + 5]), "{shown}");
    }
    of_room(error)
}

fn of_room(error: Error) -> SecretFileError {
    match error {
        Error::SecretFile(error) => error,
        other => panic!("{other}"),
    }
}

fn of_record(error: SecretFileError) -> RecordError {
    match error {
        SecretFileError::Record(error) => error,
        other => panic!("{other}"),
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn the_documented_texts_are_written_and_read() {
    let key = some_key().with_label("bench by the window").unwrap();
    assert_eq!(*text::render(&key), KEY);
    let read = KeyFile::read_from(KEY.as_bytes()).unwrap();
    assert_eq!(read.secret().expose(), &bytes());
    assert_eq!((read.label(), read.about().created), (Some("bench by the window"), created()));
    assert_eq!(*text::render(&some_identity()), IDENTITY);
    let read = IdentityFile::read_from(IDENTITY.as_bytes()).unwrap();
    assert_eq!(read.into_identity().recipient(), some_identity().about().public);
}

#[test]
fn no_changed_text_is_read() {
    fn check<K: Kind>(text: &str) {
        let text = text.as_bytes();
        for at in 0..text.len() {
            refused::<K>(&text[..at]);
            for byte in (0..=255).filter(|&byte| byte != text[at]) {
                let mut other = text.to_vec();
                other[at] = byte;
                refused::<K>(&other);
            }
        }
        rearranged(text).into_iter().for_each(|other| drop(refused::<K>(other)));
        refused::<K>([text, text].concat());
    }
    check::<VendorKind>(KEY);
    check::<IdentityKind>(IDENTITY);
}

proptest::proptest! {
    #[test]
    fn no_mutation_is_read(mutation in any_mutation()) {
        for text in [KEY, IDENTITY] {
            let changed = mutation.of(text.as_bytes());
            if changed != text.as_bytes() {
                refused::<VendorKind>(&changed);
                refused::<IdentityKind>(&changed);
            }
        }
    }
}

/// Changes that also put the checksum right, as an editor with a calculator could.
#[test]
fn values_are_checked_beside_the_checksum() {
    let changed = |from: &str, to: &str| {
        let text = KEY.replace(from, to);
        let mut text = text[..text.find("checksum").unwrap()].to_owned();
        crate::record::write_checksum(&mut text);
        refused::<VendorKind>(text)
    };
    let error = changed("cb119eaac5a19582", "0123456789abcdef");
    assert!(
        matches!(error, SecretFileError::PublicHalf { stated, .. } if stated == "0123456789abcdef")
    );
    let id = "cb119eaac5a19582";
    let long = format!("label: {}", "x".repeat(129));
    for (from, to, name) in [
        (id, "CB119EAAC5A19582", "id"),
        (id, "cb119eaac5a195", "id"),
        ("T14", "T24", "created"),
        ("label: bench", "label:  bench", "label"),
        ("label: bench by the window", &long, "label"),
        ("1e1f", "1e1F", "secret"),
        ("1e1f", "1e", "secret"),
    ] {
        match of_record(changed(from, to)) {
            RecordError::Malformed { fault: Fault::Value(at), .. } => assert_eq!(at, name),
            other => panic!("{from} {to}: {other}"),
        }
    }
}

#[test]
fn kinds_versions_and_sizes_are_told_from_damage() {
    for (text, kind) in [(IDENTITY, "identity"), ("saligate license v1\n", "license")] {
        let RecordError::OtherKind { expected, found } = of_record(refused::<VendorKind>(text))
        else {
            panic!("{text}")
        };
        assert_eq!((expected, found), ("key", Some(kind)));
    }
    // What mail and editors of Windows add is taken off.
    let marked = format!("\u{feff}{KEY}");
    for text in [KEY.replace('\n', "\r\n"), marked, format!("{KEY}\n\n")] {
        KeyFile::read_from(text.as_bytes()).unwrap();
    }
    for text in [KEY, "", "\u{7f}ELF", "saligate identity"] {
        let error = of_record(refused::<IdentityKind>(text));
        assert!(matches!(error, RecordError::OtherKind { expected: "identity", .. }), "{text}");
    }
    for found in [1, 3, 99] {
        let error = of_record(refused::<VendorKind>(KEY.replace("v2", &format!("v{found}"))));
        assert!(matches!(error, RecordError::Version { found: f, newest: 2, .. } if f == found));
    }
    let endless = StoredSecret::<VendorKind>::read_from(std::io::repeat(b'\n')).err().unwrap();
    let endless = of_record(of_room(endless));
    assert!(matches!(endless, RecordError::TooLarge { limit: 4096, .. }));
}

/// Files that were written before the rule.
#[test]
fn labels_that_turn_the_direction_of_text_are_read() {
    let mut text = Vec::new();
    some_key().with_label("Ana?").unwrap().write_to(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap().replace('?', "\u{202e}");
    let (lines, _) = text.split_at(text.find("checksum").unwrap());
    let mut text = lines.to_owned();
    crate::record::write_checksum(&mut text);
    assert_eq!(KeyFile::read_from(text.as_bytes()).unwrap().label(), Some("Ana\u{202e}"));
}

#[test]
fn labels_have_limits() {
    let longest = "x".repeat(KeyFile::MAX_LABEL_LEN);
    let mut text = Vec::new();
    some_key().with_label(&longest).unwrap().write_to(&mut text).unwrap();
    assert_eq!(KeyFile::read_from(text.as_slice()).unwrap().label(), Some(longest.as_str()));
    for label in ["", " x", "x ", "a\nb", "\u{1b}[2J", "Ana\u{202e}", &"x".repeat(129)] {
        let error = some_key().with_label(label).err().unwrap();
        assert!(matches!(error, SecretFileError::Label { limit: 128 }), "{label:?}");
    }
}

#[test]
fn a_written_file_reads_back_and_nothing_else_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("my.key");
    some_key().with_label("mine").unwrap().write_new(&path).unwrap();
    let file = KeyFile::read(&path).unwrap();
    assert_eq!((file.label(), file.permissions_too_open()), (Some("mine"), false));
    assert_eq!(file.into_secret().expose(), &bytes());
    assert_eq!(names(folder.path()), ["my.key"]);
}

#[test]
fn no_file_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("my.key");
    fs::write(&path, "precious").unwrap();
    let error = some_key().write_new(&path).unwrap_err();
    let Error::At { path: named, error } = error else { panic!("{error}") };
    assert_eq!(named, path);
    assert!(matches!(*error, Error::File(FileError::Exists)));
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    assert_eq!(names(folder.path()), ["my.key"]);
}

#[test]
fn a_missing_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none").join("my.key");
    for error in [some_key().write_new(&path).unwrap_err(), KeyFile::read(&path).err().unwrap()] {
        assert!(error.to_string().starts_with(path.to_str().unwrap()));
        assert!(
            matches!(error, Error::At { error, .. } if matches!(*error, Error::File(FileError::Io { .. })))
        );
    }
}

#[cfg(unix)]
#[test]
fn files_are_made_private_and_open_ones_are_reported() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("my.key");
    some_key().write_new(&path).unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    for (mode, too_open) in [(0o400, false), (0o640, true), (0o604, true), (0o620, true)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let file = KeyFile::read(&path).unwrap();
        assert_eq!(file.permissions_too_open(), too_open, "{mode:o}");
    }
}

#[cfg(unix)]
#[test]
fn a_dangling_link_is_not_written_through() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("my.key");
    std::os::unix::fs::symlink(folder.path().join("elsewhere"), &path).unwrap();
    assert!(some_key().write_new(&path).is_err());
    assert_eq!(names(folder.path()), ["my.key"]);
}

#[cfg(feature = "passphrase")]
mod sealed {
    use super::*;

    /// The key of above under the passphrase "correct horse", with a cost that only tests have.
    const SEALED: &str = include_str!("../../tests/vectors/sealed-key-v2.txt");
    /// The identity, likewise.
    const IDENTITY: &str = include_str!("../../tests/vectors/sealed-identity-v1.txt");

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(Zeroizing::new(text.to_owned())).unwrap()
    }

    fn stored<K: Kind>(text: &[u8]) -> SealedSecret<K> {
        match StoredSecret::read_from(text).unwrap() {
            StoredSecret::Sealed(sealed) => sealed,
            StoredSecret::Open(_) => panic!("not sealed"),
        }
    }

    #[test]
    fn the_vectors_open() {
        let opened = stored::<VendorKind>(SEALED.as_bytes()).open(&passphrase("correct horse"));
        assert_eq!(opened.unwrap().secret().expose(), &bytes());
        let error = stored::<VendorKind>(SEALED.as_bytes()).open(&passphrase("wrong")).unwrap_err();
        assert!(matches!(error, SecretFileError::WrongPassphrase));
        let sealed = stored::<IdentityKind>(IDENTITY.as_bytes());
        assert_eq!(sealed.about.public, some_identity().about().public);
        let opened = sealed.open(&passphrase("correct horse")).unwrap();
        assert_eq!(opened.secret.expose(), some_identity().secret.expose());
    }

    #[test]
    fn sealed_files_need_their_passphrase() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("my.identity");
        some_identity().write_new_sealed(&path, &passphrase("correct horse")).unwrap();
        let text = fs::read(&path).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains("3c3d3e3f"));
        let error = IdentityFile::read(&path).unwrap_err();
        assert!(error.to_string().contains("sealed with a passphrase"), "{error}");
        let sealed = stored::<IdentityKind>(&text);
        assert_eq!(sealed.about.public, some_identity().about().public);
        let opened = sealed.open(&passphrase("correct horse")).unwrap();
        assert_eq!(opened.into_identity().recipient(), some_identity().about().public);
        let again = some_identity().write_new_sealed(&path, &passphrase("x")).unwrap_err();
        assert!(again.to_string().contains("not overwritten"), "{again}");
    }

    #[test]
    fn no_changed_text_opens() {
        for text in [SEALED, IDENTITY] {
            for other in damaged(text.as_bytes()) {
                refused::<VendorKind>(&other);
                refused::<IdentityKind>(&other);
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn no_mutation_opens(mutation in any_mutation()) {
            for text in [SEALED, IDENTITY] {
                let changed = mutation.of(text.as_bytes());
                if changed != text.as_bytes() {
                    refused::<VendorKind>(&changed);
                    refused::<IdentityKind>(&changed);
                }
            }
        }
    }

    /// With a checksum put right, the seal itself must notice.
    #[test]
    fn everything_is_under_the_seal() {
        for (from, to) in [
            ("bench by the window", "bench by the door"),
            ("T14", "T15"),
            ("t=1", "t=2"),
            ("m=64", "m=72"),
            ("salt=00", "salt=01"),
        ] {
            let text = SEALED.replace(from, to);
            assert_ne!(text, SEALED);
            let mut text = text[..text.find("checksum").unwrap()].to_owned();
            crate::record::write_checksum(&mut text);
            let opened = stored::<VendorKind>(text.as_bytes()).open(&passphrase("correct horse"));
            assert!(matches!(opened.unwrap_err(), SecretFileError::WrongPassphrase), "{from}");
        }
    }
}
