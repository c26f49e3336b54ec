//! What results may replace, and where new files may stand.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use saligate_files::atomic::write_atomic;
use saligate_keys::{FileError, KeyFile};

use crate::Failure;

/// How keys, identities, licences, ledgers and signatures begin.
const RECORD: &[u8] = b"saligate ";

/// Refuses to replace a file that cannot be made again, or one of those that are read, asked before
/// anything is computed; then makes the folders that are missing.
pub fn check<'a>(
    written: impl IntoIterator<Item = &'a Path>,
    read: impl IntoIterator<Item = &'a Path>,
) -> Result<(), Failure> {
    let same = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let read: HashSet<PathBuf> = read.into_iter().map(same).collect();
    let written: Vec<&Path> = written.into_iter().collect();
    for path in &written {
        let what = if read.contains(&same(path)) {
            "this is one of the files that are read"
        } else if is_record(path) {
            "this is a key, licence or another file of saligate"
        } else {
            continue;
        };
        return Err(Failure::new(format!("{what}, and is not replaced"))
            .in_file(path)
            .hint("another name for the file to write"));
    }
    for folder in written.iter().filter_map(|path| path.parent()) {
        if folder != Path::new("") && !folder.exists() {
            std::fs::create_dir_all(folder).map_err(|error| {
                Failure::new(format!("cannot make the folder {}: {error}", folder.display()))
                    .hint("another place, or another name")
            })?;
        }
    }
    Ok(())
}

/// Refuses a path where no new file can stand, asked before a serial number is used up for nothing.
pub fn check_new(path: &Path) -> Result<(), Failure> {
    if path.symlink_metadata().is_ok() {
        return Err(Failure::from(FileError::Exists).in_file(path));
    }
    match path.parent() {
        Some(folder) if folder != Path::new("") && !folder.is_dir() => {
            Err(Failure::new(format!("there is no folder {}", folder.display()))
                .hint("make it first, or choose another name"))
        }
        _ => Ok(()),
    }
}

fn is_record(path: &Path) -> bool {
    // Whatever else stands there, such as a pipe, might keep a reader waiting.
    if !path.is_file() {
        return false;
    }
    let mut start = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(RECORD.len() as u64).read_to_end(&mut start));
    // Key files of version 1 begin with a comment.
    read.is_ok() && start == RECORD || KeyFile::read(path).is_ok()
}

/// Writes a text file, replacing an old one once the new one is complete.
///
/// # Errors
/// The file cannot be written; the error names it.
pub fn write_text(path: &Path, text: &str) -> Result<(), Failure> {
    write_atomic(path, text.as_bytes())
        .map_err(|error| Failure::new(error.to_string()).in_file(path))
}
