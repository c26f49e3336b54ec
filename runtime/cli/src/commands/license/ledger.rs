//! Which ledger a licence is entered in.

use std::fs;
use std::path::{Path, PathBuf};

use saligate_console::Failure;
use saligate_keys::{Ledger, Vendor};

use crate::args::IssueArgs;

/// The ledger that was named, or `KEY.ledger`.
///
/// None is begun where another ledger of the same vendor is beside it or beside the key: most likely
/// its name was mistyped, or the key file is a copy under another name, and numbers and slots would
/// be given out again.
pub(super) fn of(args: &IssueArgs, vendor: Vendor) -> Result<PathBuf, Failure> {
    let path = args.ledger.clone().unwrap_or_else(|| beside(&args.key[0]));
    // What is something else is told by whoever opens it.
    if path.exists() && !matches!(Ledger::vendor_of(&path), Ok(None)) {
        return Ok(path);
    }
    let beside_key = args.key[0].with_file_name("");
    let mut others = others(&path.with_file_name(""), vendor);
    others.extend(self::others(&beside_key, vendor));
    // Another issuer may have begun this one meanwhile.
    let Some(other) = others.iter().find(|other| **other != path) else { return Ok(path) };
    let what = format!(
        "{} has no licences, but {} has licences of the same vendor",
        path.display(),
        other.display()
    );
    Err(Failure::new(what).hint(format!("--ledger {}", other.display())))
}

/// `KEY.ledger`.
fn beside(key: &Path) -> PathBuf {
    let mut name = key.as_os_str().to_owned();
    name.push(".ledger");
    name.into()
}

/// The ledgers of a vendor in a folder.
fn others(folder: &Path, vendor: Vendor) -> Vec<PathBuf> {
    let read = if folder == Path::new("") { Path::new(".") } else { folder };
    let Ok(entries) = fs::read_dir(read) else { return Vec::new() };
    let files = entries.flatten().map(|entry| folder.join(entry.file_name()));
    let mut found: Vec<_> = files.filter(|file| belongs_to(file, vendor)).collect();
    found.sort();
    found
}

fn belongs_to(path: &Path, vendor: Vendor) -> bool {
    path.is_file() && Ledger::vendor_of(path).is_ok_and(|found| found == Some(vendor))
}
