//! Files that are written whole or not at all.

use std::io::{self, Write};
use std::path::Path;
use std::{env, fs};

/// Writes `bytes` to `path` so that the path holds either the old content or all of the new one, after a full disk
/// and after a power cut too: into a temporary file in the same folder, flushed to the disk, then renamed.
///
/// A file that is replaced hands on its permissions; a new one gets the usual ones under the umask. A symbolic link to
/// a file is followed. What is no file, such as a pipe or a device, is written to as it is.
///
/// # Errors
/// The error of the file system, for instance for a folder that is missing or not writable. A file is then as before
/// and no temporary file is left.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|about| !about.is_file() && !about.is_dir()) {
        return fs::OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let mut builder = tempfile::Builder::new();
    if let Some(permissions) = permissions_for(path) {
        builder.permissions(permissions);
    }
    write_with(builder, &path.canonicalize().unwrap_or_else(|_| path.to_owned()), bytes)
}

/// [`write_atomic`], with mode 0600 whatever stood at the path before: for what only the user should read. A symbolic
/// link is replaced.
///
/// # Errors
/// As there, and for a pipe or device, from which others might read.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|about| !about.is_file()) {
        let what = "it is no file, so others might read from it";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    // tempfile opens with mode 0600.
    write_with(tempfile::Builder::new(), path, bytes)
}

fn write_with(mut builder: tempfile::Builder<'_, '_>, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => env::current_dir()?,
    };
    fs::metadata(&folder)?;
    // Errors of tempfile name the temporary file, of which nobody has heard.
    let file = builder.prefix(".saligate-").tempfile_in(folder);
    let mut file = file.map_err(|error| io::Error::from(error.kind()))?;
    file.as_file_mut().write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Temporary files are private by default, which is too narrow for results that others should read.
#[cfg(unix)]
fn permissions_for(path: &Path) -> Option<fs::Permissions> {
    use std::os::unix::fs::PermissionsExt;

    let existing = fs::metadata(path).ok().filter(fs::Metadata::is_file);
    Some(existing.map_or_else(|| fs::Permissions::from_mode(0o666), |file| file.permissions()))
}

#[cfg(not(unix))]
fn permissions_for(_path: &Path) -> Option<fs::Permissions> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_created_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result.bin");
        for content in [&b"first"[..], b"", b"second, and longer"] {
            write_atomic(&path, content).unwrap();
            assert_eq!(fs::read(&path).unwrap(), content);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "a temporary file was left");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_pipes_are_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("result.bin"), folder.path().join("link"));
        write_atomic(&path, b"old").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write_atomic(&link, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());

        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| fs::read(&pipe).unwrap());
            write_atomic(&pipe, b"through").unwrap();
            assert_eq!(reader.join().unwrap(), b"through");
        });
        use std::os::unix::fs::FileTypeExt;
        assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
        // What is private does not go where others may wait for it.
        assert!(write_private(&pipe, b"secret").is_err());
        write_private(&link, b"secret").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = write_atomic(&folder.path().join("missing/result.bin"), b"x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_target_that_cannot_be_replaced_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("taken");
        fs::create_dir(&target).unwrap();
        fs::write(target.join("inside"), b"kept").unwrap();
        assert!(write_atomic(&target, b"x").is_err());
        assert_eq!(fs::read(target.join("inside")).unwrap(), b"kept");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "a temporary file was left");
    }

    #[cfg(unix)]
    #[test]
    fn a_private_file_stays_private() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("private");
        fs::write(&path, b"old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        write_atomic(&path, b"new").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    #[cfg(unix)]
    #[test]
    fn a_private_file_is_private_also_in_place_of_another() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("private");
        for content in ["new", "in place of a file that all can read"] {
            write_private(&path, content.as_bytes()).unwrap();
            assert_eq!(fs::read(&path).unwrap(), content.as_bytes());
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        }
    }
}
