//! What results may replace, and where new files may stand.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use saligate_keys::{Error, KeyFile};

use crate::error::CliError;

/// How keys, identities, licences, ledgers and signatures begin.
const RECORD: &[u8] = b"saligate ";

/// Refuses to replace a file that cannot be made again, asked before anything is computed.
pub(crate) fn refuse_record<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<(), CliError> {
    match paths.into_iter().find(|path| is_record(path)) {
        None => Ok(()),
        Some(path) => Err(CliError::new(
            "this is a key, licence or another file of saligate, and is not replaced",
        )
        .in_file(path)
        .hint("another name, or remove the file first")),
    }
}

/// Refuses a path where no new file can stand, asked before a serial number is used up for nothing.
pub(crate) fn check_new(path: &Path) -> Result<(), CliError> {
    if path.symlink_metadata().is_ok() {
        return Err(CliError::from(Error::Exists).in_file(path));
    }
    match path.parent() {
        Some(folder) if folder != Path::new("") && !folder.is_dir() => {
            Err(CliError::new(format!("there is no folder {}", folder.display()))
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
