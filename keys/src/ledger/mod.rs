//! What a vendor has issued and revoked.

mod entry;
mod error;
mod pool;
#[cfg(test)]
mod tests;
mod writer;

use std::fs::File;
use std::io::Read;
use std::path::Path;

pub use error::{Contradiction, LedgerError};
pub use pool::{Pick, Pool};
pub use writer::LedgerWriter;

use crate::{Claims, Error, Fault, KeyId, License, RecordError, Timestamp, Vendor, record};
use entry::{Chain, Entry, Event};

const KIND: record::Kind = record::Kind { name: "ledger", version: 1 };

/// The licences that a vendor has issued, in a file that only grows:
///
/// ```text
/// saligate ledger v1
/// (SHA-256 of all before) {"at":"2026-11-23T14:31:21Z","event":"opened","vendor":"sgvendor1…"}
/// (SHA-256 of all before) {"at":"2026-11-24T09:00:00Z","event":"issued","license":"saligate license v1\n…"}
/// (SHA-256 of all before) {"at":"2026-12-01T10:12:00Z","event":"revoked","serial":1}
/// ```
///
/// Every line begins with a digest of the line before and its own text, so that no line can be
/// changed, removed or put elsewhere unnoticed by a slip, except for the last ones, which can be cut
/// off. Digests are no secret, so whoever can write the file can make a chain of their own; what they
/// cannot make is a signature, see [`IssuedLicense::verify`].
///
/// A last line without its end counts where its digest is right, since an editor may have cut the
/// end alone; otherwise it was not completely written before a crash, and is no entry. A whole line
/// with something else in place of its end is damage, which no crash does.
///
/// A licence stands in it as a whole: it is issued once its line is on the disk, and can be written
/// to a file again at any time. Licences are wrapped for their recipients, so the ledger holds
/// nothing that opens a model; it does hold the names of the holders.
#[derive(Clone, Debug)]
pub struct Ledger {
    vendor: Option<Vendor>,
    issued: Vec<IssuedLicense>,
    chain: Chain,
}

/// A licence in a ledger.
#[derive(Clone, Debug)]
pub struct IssuedLicense {
    unverified: License,
    /// Whether its key is meant for other holders too, so that a leaked trigger names nobody.
    pub shared: bool,
    /// When it was revoked, if it was.
    pub revoked: Option<Timestamp>,
}

impl IssuedLicense {
    /// What the licence says, or what somebody wrote into the ledger.
    pub fn claims(&self) -> &Claims {
        self.unverified.claims()
    }

    /// The licence, once the vendor's signature is checked. Reading a ledger does not check it: it
    /// would take seconds where there are many.
    ///
    /// # Errors
    /// [`LedgerError::Signature`].
    pub fn verify(&self) -> Result<&License, LedgerError> {
        let serial = self.claims().serial;
        self.unverified.verify().map_err(|_| LedgerError::Signature { serial })?;
        Ok(&self.unverified)
    }
}

/// What an entry changes.
enum Change {
    Opened(Vendor),
    Issued(Box<IssuedLicense>),
    Revoked(usize, Timestamp),
}

impl Ledger {
    /// The most bytes that a ledger may have: some 200,000 licences.
    pub const MAX_LEN: u64 = 256 << 20;
    /// More bytes than the header and the first entry have together.
    const FIRST_LINES: u64 = 1024;

    /// Reads a ledger, while others may write to it.
    ///
    /// # Errors
    /// Any of the errors of [`parse`](Self::parse), or [`Error::File`], within [`Error::At`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let read = || Ok(Self::parse(&read_all(&File::open(path)?)?)?);
        read().map_err(|error: Error| error.at(path))
    }

    /// Whose ledger a file is, by its first entry alone: however long it is, and however damaged
    /// behind.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn vendor_of(path: impl AsRef<Path>) -> Result<Option<Vendor>, Error> {
        let path = path.as_ref();
        let read = || {
            let mut text = Vec::new();
            File::open(path)?.take(Self::FIRST_LINES).read_to_end(&mut text)?;
            let ends = text.iter().enumerate().filter(|&(_, &byte)| byte == b'\n');
            let end = ends.map(|(at, _)| at + 1).nth(1).unwrap_or(text.len());
            Ok(Self::parse(&text[..end])?.vendor)
        };
        read().map_err(|error: Error| error.at(path))
    }

    /// Reads the text of a ledger.
    ///
    /// # Errors
    /// [`LedgerError::Record`] when it is something else; that or [`LedgerError::Line`] when it was
    /// changed.
    pub fn parse(text: &[u8]) -> Result<Self, LedgerError> {
        Self::parse_with_length(text).map(|(ledger, _)| ledger)
    }

    /// The ledger and the length of its entries, which ends in front of a line that is torn.
    fn parse_with_length(text: &[u8]) -> Result<(Self, usize), LedgerError> {
        let mut ledger = Self::empty();
        let Some(end) = text.iter().rposition(|&byte| byte == b'\n') else {
            // Nothing, or a first line that was being written.
            let begun = header().as_bytes().starts_with(text);
            return if begun { Ok((ledger, 0)) } else { Err(other_kind(None).into()) };
        };
        match record::header(text) {
            Some((KIND_NAME, version)) if version == KIND.version => {}
            Some((KIND_NAME, found)) => {
                let newest = KIND.version;
                return Err(RecordError::Version { what: KIND.name, found, newest }.into());
            }
            found => return Err(other_kind(found.map(|(name, _)| name)).into()),
        }
        let mut lines = 1;
        for text in text[..end].split(|&byte| byte == b'\n').skip(1) {
            lines += 1;
            ledger.take(lines, text)?;
        }
        let last = &text[end + 1..];
        if ledger.chain.is_overwritten(last) {
            let fault = Fault::TooMuch;
            let line = lines + 1;
            return Err(RecordError::Malformed { what: KIND.name, line, fault }.into());
        }
        if !ledger.chain.fits(last) {
            return Ok((ledger, end + 1));
        }
        ledger.take(lines + 1, last)?;
        Ok((ledger, text.len()))
    }

    fn empty() -> Self {
        Self { vendor: None, issued: Vec::new(), chain: Chain::new() }
    }

    fn take(&mut self, line: usize, text: &[u8]) -> Result<(), LedgerError> {
        let malformed =
            |name| RecordError::Malformed { what: KIND.name, line, fault: Fault::Value(name) };
        let text = str::from_utf8(text).map_err(|_| malformed("entry"))?;
        let entry = self.chain.next(text).ok_or_else(|| malformed("digest"))?;
        let entry = Entry::from_json(entry).ok_or_else(|| malformed("entry"))?;
        let change = self
            .change(&entry)
            .map_err(|contradiction| LedgerError::Line { line, contradiction })?;
        self.apply(change);
        Ok(())
    }

    /// What an entry would change, or why it cannot stand there.
    fn change(&self, entry: &Entry) -> Result<Change, Contradiction> {
        match &entry.event {
            Event::Opened { vendor } if self.vendor.is_none() => Ok(Change::Opened(*vendor)),
            Event::Opened { .. } => Err(Contradiction::SecondBeginning),
            _ if self.vendor.is_none() => Err(Contradiction::NoVendor),
            Event::Issued { license, shared } => {
                let unverified = License::parse_unverified(license.as_bytes());
                let unverified = unverified.map_err(|_| Contradiction::NoLicense)?;
                if Some(unverified.vendor()) != self.vendor {
                    return Err(Contradiction::OtherVendor);
                }
                if unverified.claims().serial != self.next_serial() {
                    return Err(Contradiction::SerialOrder);
                }
                let issued = IssuedLicense { unverified, shared: *shared, revoked: None };
                Ok(Change::Issued(Box::new(issued)))
            }
            Event::Revoked { serial } => {
                let position = self.position(*serial).ok_or(Contradiction::UnknownSerial)?;
                match self.issued[position].revoked {
                    None => Ok(Change::Revoked(position, entry.at)),
                    Some(_) => Err(Contradiction::RevokedTwice),
                }
            }
        }
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Opened(vendor) => self.vendor = Some(vendor),
            Change::Issued(issued) => self.issued.push(*issued),
            Change::Revoked(position, at) => self.issued[position].revoked = Some(at),
        }
    }

    /// Checks the vendor's signatures of all licences.
    ///
    /// # Errors
    /// [`LedgerError::Signature`].
    pub fn verify(&self) -> Result<(), LedgerError> {
        self.issued.iter().try_for_each(|issued| issued.verify().map(drop))
    }

    /// Whose ledger it is; nobody's before the first entry.
    pub fn vendor(&self) -> Option<Vendor> {
        self.vendor
    }

    /// All licences, in the order of their serial numbers, which count from 1.
    pub fn issued(&self) -> &[IssuedLicense] {
        &self.issued
    }

    /// The licence with this serial number.
    pub fn get(&self, serial: u32) -> Option<&IssuedLicense> {
        self.position(serial).map(|position| &self.issued[position])
    }

    /// Whether a licence was ever issued for this key, even if it was revoked later: its trigger is
    /// known outside.
    pub fn is_taken(&self, key: &KeyId) -> bool {
        self.of_key(key).next().is_some()
    }

    /// The licences for a key.
    pub fn of_key<'a>(&'a self, key: &'a KeyId) -> impl Iterator<Item = &'a IssuedLicense> {
        self.issued.iter().filter(move |issued| issued.claims().key == *key)
    }

    fn next_serial(&self) -> u32 {
        // Lossless: the largest ledger has far fewer lines.
        self.issued.len() as u32 + 1
    }

    fn position(&self, serial: u32) -> Option<usize> {
        let position = usize::try_from(serial.checked_sub(1)?).ok()?;
        (position < self.issued.len()).then_some(position)
    }
}

const KIND_NAME: &str = KIND.name;

fn header() -> String {
    let mut text = String::new();
    record::write_header(KIND, &mut text);
    text
}

fn other_kind(name: Option<&str>) -> RecordError {
    RecordError::OtherKind { expected: KIND.name, found: name.and_then(record::known_kind) }
}

/// The cast is lossless on 32-bit machines too.
fn too_large() -> LedgerError {
    RecordError::TooLarge { what: KIND.name, limit: Ledger::MAX_LEN as usize }.into()
}

fn read_all(file: &File) -> Result<Vec<u8>, Error> {
    let mut text = Vec::new();
    file.take(Ledger::MAX_LEN + 1).read_to_end(&mut text)?;
    if text.len() as u64 > Ledger::MAX_LEN {
        return Err(too_large().into());
    }
    Ok(text)
}
