//! The text form of the files of this crate: one spelling, nothing optional, read in one pass.
//!
//! ```text
//!   saligate KIND vVERSION
//!   name: value
//!   name: value
//! ```
//!
//! Every line ends with LF. Which names stand in which order is the kind's own rule. There are no
//! comments and no blank lines: a text that reads is the only text that says the same.

use crate::{Fault, RecordError, hex, sha256};

const MAGIC: &str = "saligate ";
/// Digits of a [`checksum`]: 64 bits find slips, and are short enough to compare by eye.
const CHECKSUM_DIGITS: usize = 16;

/// All kinds of files of this crate, to tell what was given in place of another.
const KINDS: [&str; 7] =
    ["key", "sealed-key", "identity", "sealed-identity", "license", "signature", "ledger"];

/// The name of a kind, if there is such a kind.
pub(crate) fn known_kind(name: &str) -> Option<&'static str> {
    KINDS.into_iter().find(|known| *known == name)
}

/// What a text says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// The version that is written, and the newest that is read.
    pub(crate) version: u32,
}

/// The kind and version that the first line names, if it is such a line at all.
pub(crate) fn header(text: &[u8]) -> Option<(&str, u32)> {
    let line = text.split(|&byte| byte == b'\n').next()?;
    let (name, version) = str::from_utf8(line).ok()?.strip_prefix(MAGIC)?.split_once(" v")?;
    let digits = !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit());
    let version = version.parse().ok().filter(|_| digits && !version.starts_with('0'))?;
    Some((name, version))
}

/// Whether a first line would be one, but for what mail and editors did to the text.
pub(crate) fn was_mailed(text: &[u8]) -> bool {
    header(text).is_none() && header(as_mailed(text)).is_some()
}

/// The first line without what mail and editors of Windows add to a text: a mark at its beginning,
/// and another line end.
fn as_mailed(text: &[u8]) -> &[u8] {
    // No copy: the line of an old key file may be the secret.
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    let line = text.split(|&byte| byte == b'\n').next().unwrap_or(text);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Appends the first line.
pub(crate) fn write_header(kind: Kind, text: &mut String) {
    text.push_str(&format!("{MAGIC}{} v{}\n", kind.name, kind.version));
}

/// Appends a line with a name.
pub(crate) fn write(name: &str, value: &str, text: &mut String) {
    for part in [name, ": ", value, "\n"] {
        text.push_str(part);
    }
}

/// Appends a line with the checksum of all lines before.
pub(crate) fn write_checksum(text: &mut String) {
    let checksum = checksum(text);
    write("checksum", &checksum, text);
}

fn checksum(text: &str) -> String {
    hex::encode(&sha256(text.as_bytes()))[..CHECKSUM_DIGITS].to_owned()
}

/// Reads a text line by line.
pub(crate) struct Reader<'a> {
    kind: Kind,
    text: &'a str,
    /// Bytes that were read.
    read: usize,
    /// Number of the next line, from 1.
    line: usize,
}

impl<'a> Reader<'a> {
    /// Checks the first line. The largest text is known before this is called.
    pub(crate) fn open(kind: Kind, text: &'a [u8]) -> Result<Self, RecordError> {
        let Some((name, version)) = header(text) else {
            return Err(match header(as_mailed(text)) {
                Some((name, _)) if name == kind.name => {
                    RecordError::Malformed { what: kind.name, line: 1, fault: Fault::Encoding }
                }
                _ => RecordError::OtherKind { expected: kind.name, found: None },
            });
        };
        if name != kind.name {
            return Err(RecordError::OtherKind { expected: kind.name, found: known_kind(name) });
        }
        if version != kind.version {
            let (what, newest) = (kind.name, kind.version);
            return Err(RecordError::Version { what, found: version, newest });
        }
        let fault = |at: usize| {
            let line = 1 + text[..at].iter().filter(|&&byte| byte == b'\n').count();
            RecordError::Malformed { what: kind.name, line, fault: Fault::Encoding }
        };
        let text = str::from_utf8(text).map_err(|error| fault(error.valid_up_to()))?;
        if let Some(at) = text.find(|c: char| c.is_control() && c != '\n') {
            return Err(fault(at));
        }
        let mut reader = Self { kind, text, read: 0, line: 1 };
        reader.next_line()?;
        Ok(reader)
    }

    /// The value of the next line, which has this name.
    pub(crate) fn take(&mut self, name: &'static str) -> Result<&'a str, RecordError> {
        match self.take_if(name)? {
            Some(value) => Ok(value),
            None => Err(self.fault(Fault::Expected(name))),
        }
    }

    /// The value of the next line if it has this name.
    pub(crate) fn take_if(&mut self, name: &'static str) -> Result<Option<&'a str>, RecordError> {
        let rest = self.text[self.read..].strip_prefix(name);
        if rest.is_none_or(|rest| !rest.starts_with(": ")) {
            return Ok(None);
        }
        let line = self.next_line()?;
        Ok(Some(&line[name.len() + ": ".len()..]))
    }

    /// The checksum of all that was read so far.
    pub(crate) fn take_checksum(&mut self) -> Result<(), RecordError> {
        let expected = checksum(self.so_far());
        if self.take("checksum")? == expected { Ok(()) } else { Err(self.value("checksum")) }
    }

    /// All that was read so far.
    pub(crate) fn so_far(&self) -> &'a str {
        &self.text[..self.read]
    }

    /// Checks that nothing is left.
    pub(crate) fn end(self) -> Result<(), RecordError> {
        if self.read == self.text.len() { Ok(()) } else { Err(self.fault(Fault::TooMuch)) }
    }

    /// An unusable value in the line that was read last.
    pub(crate) fn value(&self, name: &'static str) -> RecordError {
        let (what, line) = (self.kind.name, self.line - 1);
        RecordError::Malformed { what, line, fault: Fault::Value(name) }
    }

    /// Bytes in the line that was read last, exactly as many as `bytes` holds.
    pub(crate) fn hex(
        &self,
        name: &'static str,
        value: &str,
        bytes: &mut [u8],
    ) -> Result<(), RecordError> {
        hex::decode(value, bytes).ok_or_else(|| self.value(name))
    }

    fn next_line(&mut self) -> Result<&'a str, RecordError> {
        let rest = &self.text[self.read..];
        let Some(len) = rest.find('\n') else { return Err(self.fault(Fault::CutOff)) };
        self.read += len + 1;
        self.line += 1;
        Ok(&rest[..len])
    }

    fn fault(&self, fault: Fault) -> RecordError {
        let fault = if self.read == self.text.len() { Fault::CutOff } else { fault };
        RecordError::Malformed { what: self.kind.name, line: self.line, fault }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: Kind = Kind { name: "thing", version: 2 };

    fn text() -> String {
        let mut text = String::new();
        write_header(KIND, &mut text);
        write("colour", "deep: blue", &mut text);
        write("size", "3", &mut text);
        write_checksum(&mut text);
        text
    }

    fn read(text: &[u8]) -> Result<(String, Option<String>), RecordError> {
        let mut reader = Reader::open(KIND, text)?;
        let colour = reader.take("colour")?.to_owned();
        let size = reader.take_if("size")?.map(ToOwned::to_owned);
        reader.take_checksum()?;
        reader.end()?;
        Ok((colour, size))
    }

    #[test]
    fn reads_what_it_writes() {
        let (colour, size) = read(text().as_bytes()).unwrap();
        assert_eq!((colour.as_str(), size.as_deref()), ("deep: blue", Some("3")));
    }

    #[test]
    fn nothing_can_be_changed_added_or_removed() {
        let text = text().into_bytes();
        for at in 0..text.len() {
            assert!(read(&text[..at]).is_err(), "cut at {at}");
            for byte in (0..=255).filter(|&byte| byte != text[at]) {
                let mut other = text.clone();
                other[at] = byte;
                assert!(read(&other).is_err(), "{byte} at {at}");
                other = text.clone();
                other.insert(at, byte);
                assert!(other == text || read(&other).is_err(), "{byte} added at {at}");
            }
            let mut shorter = text.clone();
            shorter.remove(at);
            assert!(shorter == text || read(&shorter).is_err(), "without {at}");
        }
        for byte in 0..=255 {
            assert!(read(&[text.as_slice(), &[byte]].concat()).is_err(), "{byte} at the end");
        }
    }

    #[test]
    fn faults_name_the_line() {
        let fault = |text: &str| match read(text.as_bytes()) {
            Err(RecordError::Malformed { line, fault, .. }) => (line, fault),
            other => panic!("{other:?}"),
        };
        assert_eq!(fault("saligate thing v2\n"), (2, Fault::CutOff));
        assert_eq!(fault("saligate thing v2\nsize: 3\n"), (2, Fault::Expected("colour")));
        assert_eq!(fault("saligate thing v2\ncolour: a\nsize: 3"), (3, Fault::CutOff));
        assert_eq!(fault("saligate thing v2\ncolour: a\r\nsize: 3\n"), (2, Fault::Encoding));
        let wrong = text().replace("blue", "grey");
        assert_eq!(fault(&wrong), (4, Fault::Value("checksum")));
        assert_eq!(fault(&(text() + "\n")), (5, Fault::TooMuch));
    }

    #[test]
    fn kinds_and_versions_are_told_from_damage() {
        for other in ["", "saligate thing", "saligate thing v", "saligate thing v02", "# thing v2"]
        {
            let error = read(other.as_bytes()).unwrap_err();
            assert!(matches!(error, RecordError::OtherKind { expected: "thing", .. }), "{other}");
        }
        let error = read(b"saligate box v2\n").unwrap_err();
        assert!(matches!(error, RecordError::OtherKind { .. }));
        for found in [1, 3, u32::MAX] {
            let error = read(format!("saligate thing v{found}\n").as_bytes()).unwrap_err();
            assert!(
                matches!(error, RecordError::Version { found: f, newest: 2, .. } if f == found)
            );
        }
    }
}
