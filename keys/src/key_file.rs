//! Files that hold a secret.

mod format;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::SystemTime;

use zeroize::Zeroizing;

use crate::{Error, Secret};

/// A secret with its optional label, as a text file:
///
/// ```text
/// # saligate key file
/// # created: 2026-11-23T14:31:21Z
/// # key id: cb119eaac5a19582
/// # label: bench by the window
/// saligate-secret-key-v1:000102…1e1f:9e11fb41
/// ```
///
/// # Format
/// At most [`MAX_LEN`](Self::MAX_LEN) bytes of UTF-8 without control characters; lines end with LF
/// or CRLF, the last one may lack its end, and blanks around a line do not count. A line is
///
/// - empty;
/// - a comment: `#` and any text. Two comments mean something, and each may stand once: `key id:`
///   with the [id](Secret::id) of the secret, which is checked, and `label:` with a name for
///   people;
/// - the secret, exactly once: `saligate-secret-key-v1:`, 64 lowercase hex digits, `:`, and as 8
///   lowercase hex digits the first 4 bytes of SHA-256 over `saligate-secret-key-v1:` and the 32
///   bytes. The checksum finds slips of copying, it proves nothing.
///
/// Another number behind the `v` is another version of the format and is refused.
pub struct KeyFile {
    secret: Secret,
    label: Option<String>,
    permissions_too_open: bool,
}

impl KeyFile {
    /// The most bytes a key file may have. It is some ten times what is ever written, and small
    /// enough to read before looking.
    pub const MAX_LEN: usize = 4096;
    /// The most bytes a label may have.
    pub const MAX_LABEL_LEN: usize = 128;

    /// A key file to be written, without a label.
    pub fn new(secret: Secret) -> Self {
        Self { secret, label: None, permissions_too_open: false }
    }

    /// Sets a name for people, which is not secret: one line of 1 to 128 bytes, without control
    /// characters or blanks at its ends.
    ///
    /// # Errors
    /// [`Error::Label`] when it is not such a line.
    pub fn with_label(self, label: &str) -> Result<Self, Error> {
        if !is_label(label) {
            return Err(Error::Label { limit: Self::MAX_LABEL_LEN });
        }
        Ok(Self { label: Some(label.to_owned()), ..self })
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// Any of the errors of [`read_from`](Self::read_from), within [`Error::File`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let read = || {
            let file = File::open(path)?;
            let permissions_too_open = others_may_use(&file)?;
            Ok(Self { permissions_too_open, ..Self::read_from(file)? })
        };
        read().map_err(|error: Error| error.at(path))
    }

    /// Reads the text of a key file, for example from standard input.
    ///
    /// # Errors
    /// - [`Error::KeyFileTooLarge`], found before all is read;
    /// - [`Error::KeyFileLine`], [`Error::KeyFileVersion`], [`Error::KeyFileEmpty`] or
    ///   [`Error::KeyFileKeyId`] when the text is damaged;
    /// - [`Error::Io`].
    pub fn read_from(reader: impl Read) -> Result<Self, Error> {
        // One byte more than allowed tells a file of the largest size from a larger one, and all
        // room at once leaves no unwiped copies.
        let mut text = Zeroizing::new(vec![0; Self::MAX_LEN + 1]);
        let len = read_until_full(reader, &mut text)?;
        if len > Self::MAX_LEN {
            return Err(Error::KeyFileTooLarge { limit: Self::MAX_LEN });
        }
        format::parse(&text[..len])
    }

    /// Writes a new file of mode 0600, with the present time as its time of creation.
    ///
    /// The file appears with all its content or not at all, and is on the disk when this returns.
    ///
    /// # Errors
    /// [`Error::KeyFileExists`] or [`Error::Io`], within [`Error::File`].
    pub fn write_new(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        self.write_beside(path).map_err(|error| error.at(path))
    }

    /// Writes the text of the key file, for example to standard output.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write_to(&self, mut writer: impl Write) -> Result<(), Error> {
        let text = format::render(self, SystemTime::now());
        writer.write_all(text.as_bytes())?;
        Ok(writer.flush()?)
    }

    /// The secret.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The secret alone.
    pub fn into_secret(self) -> Secret {
        self.secret
    }

    /// The name for people.
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// Whether this was [read](Self::read) from a file that other users may read or write, of which
    /// a program should warn.
    ///
    /// Always false where files have no Unix permissions.
    pub fn permissions_too_open(&self) -> bool {
        self.permissions_too_open
    }

    fn write_beside(&self, path: &Path) -> Result<(), Error> {
        // The last step refuses too; asked here, so that no secret reaches the disk for nothing.
        if fs::symlink_metadata(path).is_ok() {
            return Err(Error::KeyFileExists);
        }
        let directory = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        // tempfile opens with mode 0600.
        let mut file = tempfile::Builder::new().prefix(".saligate-key-").tempfile_in(directory)?;
        self.write_to(&mut file)?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path).map_err(|refused| match refused.error.kind() {
            io::ErrorKind::AlreadyExists => Error::KeyFileExists,
            _ => refused.error.into(),
        })?;
        sync_directory(directory);
        Ok(())
    }
}

fn is_label(text: &str) -> bool {
    let fits = (1..=KeyFile::MAX_LABEL_LEN).contains(&text.len());
    fits && text.trim() == text && !text.contains(char::is_control)
}

/// Makes the new name durable where that is possible. The file is complete by now, and some file
/// systems refuse to sync a directory.
fn sync_directory(directory: &Path) {
    if let Ok(directory) = File::open(directory) {
        let _ = directory.sync_all();
    }
}

/// Reads to the end or until the buffer is full, and returns the number of bytes read.
fn read_until_full(mut reader: impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while len < buffer.len() {
        match reader.read(&mut buffer[len..]) {
            Ok(0) => break,
            Ok(read) => len += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}

#[cfg(unix)]
fn others_may_use(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    const GROUP_AND_WORLD: u32 = 0o077;
    Ok(file.metadata()?.permissions().mode() & GROUP_AND_WORLD != 0)
}

#[cfg(not(unix))]
fn others_may_use(_: &File) -> io::Result<bool> {
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some_file() -> KeyFile {
        KeyFile::new(Secret::from_bytes(&[7; Secret::LEN]))
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_written_file_reads_back_and_nothing_else_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("my.key");
        some_file().with_label("mine").unwrap().write_new(&path).unwrap();
        let file = KeyFile::read(&path).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(file.label(), Some("mine"));
        assert!(!file.permissions_too_open());
        assert_eq!(file.into_secret().expose(), &[7; Secret::LEN]);
        assert_eq!(names(directory.path()), ["my.key"]);
    }

    #[test]
    fn no_file_is_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("my.key");
        fs::write(&path, "precious").unwrap();
        let error = some_file().write_new(&path).unwrap_err();
        let Error::File { path: named, error } = error else { panic!("{error}") };
        assert_eq!(named, path);
        assert!(matches!(*error, Error::KeyFileExists));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        assert_eq!(names(directory.path()), ["my.key"]);
    }

    #[test]
    fn a_missing_directory_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("none").join("my.key");
        for error in
            [some_file().write_new(&path).unwrap_err(), KeyFile::read(&path).err().unwrap()]
        {
            assert!(error.to_string().starts_with(path.to_str().unwrap()));
            assert!(
                matches!(error, Error::File { error, .. } if matches!(*error, Error::Io { .. }))
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn files_are_made_private_and_open_ones_are_reported() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("my.key");
        some_file().write_new(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        for (mode, too_open) in [(0o400, false), (0o640, true), (0o604, true), (0o620, true)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let file = KeyFile::read(&path).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(file.permissions_too_open(), too_open, "{mode:o}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_dangling_link_is_not_written_through() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("my.key");
        std::os::unix::fs::symlink(directory.path().join("elsewhere"), &path).unwrap();
        assert!(some_file().write_new(&path).is_err());
        assert_eq!(names(directory.path()), ["my.key"]);
    }
}
