//! Adding to a ledger.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::entry::{Entry, Event};
use super::{Ledger, LedgerError, header, read_all, too_large};
use crate::file::{folder_of, sync_folder};
use crate::{Error, KeyId, License, Subject, Terms, Timestamp, Vendor, VendorKeys};

/// How often a ledger may be replaced while one program waits for it.
const MOST_TRIES: usize = 100;

/// The right to add to a ledger, which one program at a time has: others wait for it.
///
/// An entry counts once it is on the disk. A crash before leaves at most a part of a line, which
/// the next writer takes off, or a line without its end, which the next writer adds.
pub struct LedgerWriter {
    path: PathBuf,
    file: File,
    ledger: Ledger,
    /// Bytes of the entries.
    len: u64,
    /// Bytes behind them, of a line that was not finished.
    torn: u64,
    /// Whether the last entry lacks the end of its line.
    unended: bool,
    begun: bool,
}

impl LedgerWriter {
    /// Opens the ledger of a vendor for adding, waiting for others who do, or begins a new one of
    /// mode 0600.
    ///
    /// # Errors
    /// [`LedgerError::OtherVendor`] for the ledger of another vendor, those of [`Ledger::parse`], or
    /// [`Error::File`], within [`Error::At`].
    pub fn open(path: impl AsRef<Path>, vendor: Vendor) -> Result<Self, Error> {
        let path = path.as_ref();
        let open = || {
            let mut writer = Self::locked(path, &private())?;
            if writer.len == 0 {
                writer.put(&header())?;
                sync_folder(folder_of(path));
            }
            match writer.ledger.vendor() {
                Some(found) if found == vendor => {}
                Some(found) => {
                    return Err(LedgerError::OtherVendor { found, expected: vendor }.into());
                }
                None => {
                    writer.add(Event::Opened { vendor })?;
                    writer.begun = true;
                }
            }
            Ok(writer)
        };
        open().map_err(|error: Error| error.at(path))
    }

    /// Opens a ledger that is there, of any vendor, for adding.
    ///
    /// # Errors
    /// Those of [`Ledger::parse`], and [`Error::File`], within [`Error::At`].
    pub fn open_existing(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let options = OpenOptions::new().read(true).write(true).clone();
        Self::locked(path, &options).map_err(|error| error.at(path))
    }

    fn locked(path: &Path, options: &OpenOptions) -> Result<Self, Error> {
        // While this waits, the file may be replaced by another one, whose lock is another.
        let mut tries = 0..MOST_TRIES;
        let file = loop {
            let file = options.open(path)?;
            file.lock()?;
            if is_at(&file, path)? {
                break file;
            }
            tries.next().ok_or(LedgerError::Replaced)?;
        };
        let text = read_all(&file)?;
        let (ledger, len) = Ledger::parse_with_length(&text)?;
        let unended = text[..len].last().is_some_and(|&byte| byte != b'\n');
        let (len, torn) = (len as u64, (text.len() - len) as u64);
        Ok(Self { path: path.to_owned(), file, ledger, len, torn, unended, begun: false })
    }

    /// Bytes behind the last entry when this was opened, of a line that was not finished before a
    /// crash. The first entry takes their place.
    pub fn torn(&self) -> u64 {
        self.torn
    }

    /// Whether there was no ledger before: a program should say so, since a vendor whose ledger is
    /// elsewhere would give out the same numbers and slots again.
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// What stands in the ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Issues a licence with the next serial number. It is in the ledger, on the disk, when this
    /// returns.
    ///
    /// # Errors
    /// [`LedgerError::OtherVendor`] or [`Error::License`], and then no number is used up;
    /// [`LedgerError::Replaced`] or [`Error::File`], within [`Error::At`], and then the number is used
    /// up or not.
    pub fn issue(
        &mut self,
        keys: &VendorKeys<'_>,
        terms: &Terms,
        subject: &Subject<'_>,
    ) -> Result<License, Error> {
        let expected = keys.public();
        if let Some(found) = self.ledger.vendor().filter(|&found| found != expected) {
            return Err(LedgerError::OtherVendor { found, expected }.into());
        }
        let serial = self.ledger.next_serial();
        let license = License::issue(keys, terms, subject, serial, Timestamp::now())?;
        self.add(Event::Issued { license: license.text().to_owned(), shared: subject.shared })
            .map_err(|error| error.at(&self.path))?;
        Ok(license)
    }

    /// Marks a licence as revoked, and returns its key.
    ///
    /// # Errors
    /// [`LedgerError::Serial`] for a number that was not issued, [`LedgerError::AlreadyRevoked`], and
    /// [`LedgerError::Replaced`] or [`Error::File`], within [`Error::At`].
    pub fn revoke(&mut self, serial: u32) -> Result<KeyId, Error> {
        let issued = self.ledger.get(serial).ok_or(LedgerError::Serial { serial })?;
        if let Some(at) = issued.revoked {
            return Err(LedgerError::AlreadyRevoked { serial, at }.into());
        }
        let key = issued.claims().key;
        self.add(Event::Revoked { serial }).map_err(|error| error.at(&self.path))?;
        Ok(key)
    }

    fn add(&mut self, event: Event) -> Result<(), Error> {
        let entry = Entry { at: Timestamp::now(), event };
        let change = self.ledger.change(&entry);
        let change =
            change.map_err(|contradiction| LedgerError::Line { line: 0, contradiction })?;
        let mut chain = self.ledger.chain.clone();
        let line = chain.append(&entry.to_json()) + "\n";
        self.put(&line)?;
        self.ledger.chain = chain;
        self.ledger.apply(change);
        Ok(())
    }

    /// Puts a line behind the entries, in place of what a crash may have left there.
    fn put(&mut self, line: &str) -> Result<(), Error> {
        let text = if self.unended { format!("\n{line}") } else { line.to_owned() };
        if self.len + text.len() as u64 > Ledger::MAX_LEN {
            return Err(too_large().into());
        }
        if !is_at(&self.file, &self.path)? {
            return Err(LedgerError::Replaced.into());
        }
        self.file.set_len(self.len)?;
        self.file.seek(SeekFrom::Start(self.len))?;
        self.file.write_all(text.as_bytes())?;
        self.file.sync_all()?;
        if !is_at(&self.file, &self.path)? {
            return Err(LedgerError::Replaced.into());
        }
        self.len += text.len() as u64;
        self.unended = false;
        Ok(())
    }
}

/// Whether a path still leads to an open file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> Result<bool, Error> {
    use std::os::unix::fs::MetadataExt;
    let (open, there) = match (file.metadata()?, path.metadata()) {
        (open, Ok(there)) => (open, there),
        (_, Err(error)) if error.kind() == ErrorKind::NotFound => return Ok(false),
        (_, Err(error)) => return Err(error.into()),
    };
    Ok((open.dev(), open.ino()) == (there.dev(), there.ino()))
}

#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> Result<bool, Error> {
    Ok(true)
}

/// Opens a file for reading and writing, and makes it with mode 0600 where it is missing.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
