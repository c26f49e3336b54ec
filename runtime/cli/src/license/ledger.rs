//! Which ledger a licence is entered in.

use std::fs;
use std::path::{Path, PathBuf};

use saligate_keys::{Ledger, Vendor};

use crate::args::IssueArgs;
use crate::error::CliError;

/// The ledger that was named, or `KEY.ledger`.
///
/// That one is not begun beside another ledger of the same vendor: the key file is then most likely
/// a copy under another name, and numbers and slots would be given out again.
pub(super) fn of(args: &IssueArgs, vendor: Vendor) -> Result<PathBuf, CliError> {
    if let Some(path) = &args.ledger {
        return Ok(path.clone());
    }
    let path = beside(&args.key[0]);
    if belongs_to(&path, vendor) {
        return Ok(path);
    }
    match others(&path, vendor).first() {
        None => Ok(path),
        Some(other) => {
            let what = format!(
                "there is no {}, but {} has licences of the same vendor",
                path.display(),
                other.display()
            );
            Err(CliError::new(what).hint(format!("--ledger {}", other.display())))
        }
    }
}

/// `KEY.ledger`.
fn beside(key: &Path) -> PathBuf {
    let mut name = key.as_os_str().to_owned();
    name.push(".ledger");
    name.into()
}

/// The ledgers of a vendor in the folder of this one, which somebody else may have begun meanwhile.
fn others(path: &Path, vendor: Vendor) -> Vec<PathBuf> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let Ok(entries) = fs::read_dir(folder.unwrap_or(Path::new("."))) else { return Vec::new() };
    let files = entries.flatten().map(|entry| path.with_file_name(entry.file_name()));
    let is_ledger = |file: &PathBuf| file.extension().is_some_and(|end| end == "ledger");
    let others = files.filter(|file| is_ledger(file) && file != path);
    let mut found: Vec<_> = others.filter(|file| belongs_to(file, vendor)).collect();
    found.sort();
    found
}

fn belongs_to(path: &Path, vendor: Vendor) -> bool {
    path.is_file() && Ledger::vendor_of(path).is_ok_and(|found| found == Some(vendor))
}
