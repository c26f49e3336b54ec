//! Reading and writing whole files.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use zeroize::Zeroize;

use crate::{Error, FileError};

/// Reads to the end of a file or of the buffer, whichever comes first, and returns the number of
/// bytes read. A buffer one byte longer than the largest text allowed tells a text that is too long
/// without reading it all.
pub(crate) fn read_capped(mut reader: impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while len < buffer.len() {
        match reader.read(&mut buffer[len..]) {
            Ok(0) => return Ok(len),
            Ok(read) => len += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}

/// Takes off in place what mail and editors of Windows add to a text: a mark at its beginning, CR
/// before LF, and empty lines at its end. Returns its new length; what is behind it is wiped, since
/// the text may be a secret.
pub(crate) fn as_written(text: &mut [u8]) -> usize {
    let (mut from, mut to) = (if text.starts_with("\u{feff}".as_bytes()) { 3 } else { 0 }, 0);
    while from < text.len() {
        if text[from..].starts_with(b"\r\n") {
            from += 1;
        }
        text[to] = text[from];
        (from, to) = (from + 1, to + 1);
    }
    while text[..to].ends_with(b"\n\n") {
        to -= 1;
    }
    text[to..].zeroize();
    to
}

/// Writes a new file of mode 0600, which appears with all its content or not at all, and is on the
/// disk when this returns.
pub(crate) fn write_new(path: &Path, text: &str) -> Result<(), Error> {
    refuse_existing(path)?;
    write_beside(path, text).map_err(|error| Error::from(error).at(path))
}

/// Refuses a path that is taken. Writing refuses too; asked before, no secret reaches the disk for
/// nothing.
pub(crate) fn refuse_existing(path: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(path) {
        Ok(_) => Err(Error::from(FileError::Exists).at(path)),
        Err(_) => Ok(()),
    }
}

fn write_beside(path: &Path, text: &str) -> Result<(), FileError> {
    let folder = folder_of(path);
    if !unnamed::write(folder, path, text)? {
        // tempfile opens with mode 0600.
        fs::metadata(folder)?;
        // Errors of tempfile name the temporary file, of which nobody has heard.
        let file = tempfile::Builder::new().prefix(".saligate-new-").tempfile_in(folder);
        let mut file = file.map_err(|error| io::Error::from(error.kind()))?;
        file.as_file_mut().write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path).map_err(|refused| match refused.error.kind() {
            io::ErrorKind::AlreadyExists => FileError::Exists,
            _ => refused.error.into(),
        })?;
    }
    sync_folder(folder);
    Ok(())
}

/// A file that has no name before it is complete: a program that is killed leaves nothing behind.
#[cfg(target_os = "linux")]
mod unnamed {
    use std::fs::File;
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::path::Path;

    use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, openat};
    use rustix::io::Errno;

    use crate::FileError;

    /// Returns whether it was written: not every file system has such files, nor every process the
    /// folder that leads to them.
    pub(super) fn write(folder: &Path, path: &Path, text: &str) -> Result<bool, FileError> {
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        let Ok(file) = openat(CWD, folder, flags, Mode::RUSR | Mode::WUSR) else {
            return Ok(false);
        };
        let mut file = File::from(file);
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        // open(2) has this way to name the file.
        let opened = format!("/proc/self/fd/{}", file.as_raw_fd());
        match linkat(CWD, opened, CWD, path, AtFlags::SYMLINK_FOLLOW) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Err(FileError::Exists),
            Err(_) => Ok(false),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod unnamed {
    use std::path::Path;

    use crate::FileError;

    pub(super) fn write(_: &Path, _: &Path, _: &str) -> Result<bool, FileError> {
        Ok(false)
    }
}

/// The folder that a file stands in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Makes a new name durable where that is possible. The file is complete by now, and some file
/// systems refuse to sync a directory.
pub(crate) fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_windows_adds_is_taken_off() {
        for (text, wanted) in [
            ("a\nb\n", "a\nb\n"),
            ("\u{feff}a\r\nb\r\n", "a\nb\n"),
            ("a\n\n\n", "a\n"),
            ("a\r\n\r\n", "a\n"),
            ("a\rb\n\r", "a\rb\n\r"),
            ("", ""),
            ("\u{feff}", ""),
        ] {
            let mut bytes = text.as_bytes().to_vec();
            let length = as_written(&mut bytes);
            assert_eq!(&bytes[..length], wanted.as_bytes(), "{text:?}");
            assert!(bytes[length..].iter().all(|&b| b == 0));
        }
    }
}
