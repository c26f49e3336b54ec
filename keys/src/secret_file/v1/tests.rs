//! Key files of version 1 keep reading.

use super::super::{KeyFile, SecretFileError};
use super::*;
use crate::{Error, RecordError};

/// The bytes 00, 01, ... 1f. Id and checksum were computed with Python, the id by
/// `tests/vectors/check.py`.
const FILE: &str = "\
# saligate key file
# created: 2026-11-23T14:31:21Z
# key id: cb119eaac5a19582
# label: bench by the window
saligate-secret-key-v1:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f:9e11fb41
";
const SECRET_LINE: usize = 5;

fn key() -> [u8; Secret::LEN] {
    std::array::from_fn(|i| i as u8)
}

fn secret_line() -> &'static str {
    FILE.lines().nth(SECRET_LINE - 1).unwrap()
}

fn read(text: impl AsRef<[u8]>) -> KeyFile {
    KeyFile::read_from(text.as_ref()).unwrap_or_else(|error| panic!("{error}"))
}

/// The error for a text, of which nothing may show more of the secret than four of its digits.
fn refused(text: impl AsRef<[u8]>) -> SecretFileError {
    let error = KeyFile::read_from(text.as_ref()).err().unwrap();
    let shown = format!("{error} {error:?}");
    let digits = hex::encode(&key());
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

fn refused_line(text: impl AsRef<[u8]>) -> (usize, LineFault) {
    match refused(text) {
        SecretFileError::V1(V1Error::Line { line, fault }) => (line, fault),
        other => panic!("{other}"),
    }
}

#[test]
fn reads_what_was_written() {
    let file = read(FILE);
    assert_eq!(file.secret().expose(), &key());
    assert_eq!(file.label(), Some("bench by the window"));
    assert!(!file.permissions_too_open());
}

#[test]
fn tolerates_what_editors_and_mailers_do() {
    for text in [
        FILE.replace('\n', "\r\n"),
        FILE.trim_end().to_owned(),
        FILE.replace('\n', "\n\n \t\r\n"),
        FILE.replace('\n', " \n "),
        FILE.replace("# ", "#"),
        secret_line().to_owned(),
        format!("{}\n#\n# any note: of mine\n# ü", secret_line()),
    ] {
        assert_eq!(read(&text).secret().expose(), &key(), "{text}");
    }
}

#[test]
fn no_changed_character_gives_another_secret() {
    let mut refusals = 0;
    for place in 0..FILE.len() {
        for byte in 0..=255 {
            let mut text = FILE.as_bytes().to_vec();
            text[place] = byte;
            match KeyFile::read_from(text.as_slice()) {
                Ok(file) => assert_eq!(file.secret().expose(), &key()),
                Err(_) => refusals += 1,
            }
        }
    }
    // Every change within the secret line is refused.
    assert!(refusals >= secret_line().len() * 255);
}

#[test]
fn truncated_files_are_refused() {
    let full = FILE.trim_end().len();
    for len in 0..full {
        refused(&FILE[..len]);
    }
    assert!(matches!(refused(""), SecretFileError::V1(V1Error::Empty)));
    assert!(matches!(refused("# only words\n"), SecretFileError::V1(V1Error::Empty)));
}

#[test]
fn size_is_capped() {
    let padded = |len: usize| format!("{FILE}#{}", "x".repeat(len - FILE.len() - 1));
    read(padded(KeyFile::MAX_LEN));
    let error = refused(padded(KeyFile::MAX_LEN + 1));
    assert!(matches!(error, SecretFileError::Record(RecordError::TooLarge { limit: 4096, .. })));
    let endless = KeyFile::read_from(std::io::repeat(b'\n')).err().unwrap();
    assert!(matches!(of_room(endless), SecretFileError::Record(RecordError::TooLarge { .. })));
}

#[test]
fn other_versions_are_told_from_damage() {
    for version in [0, 2, 65_535] {
        let text = FILE.replace("-v1:", &format!("-v{version}:"));
        let error = refused(text);
        assert!(
            matches!(error, SecretFileError::V1(V1Error::Version { line: SECRET_LINE, found }) if found == version)
        );
    }
    for version in ["", "x", "-1", "65536"] {
        let text = FILE.replace("-v1:", &format!("-v{version}:"));
        assert_eq!(refused_line(text), (SECRET_LINE, LineFault::Syntax));
    }
}

#[test]
fn damaged_secrets_are_refused() {
    for (from, to, fault) in [
        ("saligate-secret", "saligate-public", LineFault::Syntax),
        ("1e1f:", "1e1F:", LineFault::Syntax),
        ("1e1f:", "1e1f00:", LineFault::Syntax),
        ("1e1f:", "1e1f", LineFault::Syntax),
        ("1e1f:", "1e1f::", LineFault::Syntax),
        ("1e1f:", "1f1e:", LineFault::Checksum),
    ] {
        let text = FILE.replace(from, to);
        assert_eq!(refused_line(text), (SECRET_LINE, fault), "{from} {to}");
    }
}

#[test]
fn two_secrets_are_refused_even_if_equal() {
    let text = format!("{FILE}{}", secret_line());
    assert_eq!(refused_line(text), (6, LineFault::SecondSecret));
}

#[test]
fn the_stated_key_id_is_checked() {
    let stated = "0123456789abcdef";
    let actual = Secret::from_bytes(&key()).id();
    let error = refused(FILE.replace(&actual.to_string(), stated));
    assert!(matches!(
        error,
        SecretFileError::PublicHalf { stated: s, derived } if s == stated && derived == actual.to_string()
    ));
    let text = FILE.replace(&actual.to_string(), "my key");
    assert_eq!(refused_line(text), (3, LineFault::KeyId));
    let text = format!("# key id: {actual}\n{FILE}");
    assert_eq!(refused_line(text), (4, LineFault::SecondField));
}

#[test]
fn unusable_labels_are_refused() {
    let long = format!("label: {}", "x".repeat(129));
    for label in ["label:", &long] {
        let text = FILE.replace("label: bench by the window", label);
        assert_eq!(refused_line(text), (4, LineFault::Label));
    }
    let text = format!("# label: a\n{FILE}");
    assert_eq!(refused_line(text), (5, LineFault::SecondField));
}

#[test]
fn text_must_be_plain() {
    for bytes in [&b"\xff"[..], b"# \x1b[2J", b"# a\rb", b"\0"] {
        let text = [FILE.as_bytes(), bytes].concat();
        assert_eq!(refused_line(text), (6, LineFault::Encoding), "{bytes:?}");
    }
}
