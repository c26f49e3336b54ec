//! Licence files and their ledger.

use std::path::Path;

use saligate_console::Failure;
use saligate_keys::{LedgerWriter, License};

/// Reads a licence. One that was changed is no error of the program: the answer is no.
pub(crate) fn read(path: &Path) -> Result<License, Failure> {
    License::read(path).map_err(|error| match error.is_refusal() {
        true => Failure::no(error.to_string()),
        false => error.into(),
    })
}

/// Says what the first entry took the place of.
pub(crate) fn tell_of_torn(writer: &LedgerWriter, ledger: &Path) {
    if writer.torn() > 0 {
        eprintln!(
            "saligate: note: the last line of {} was not finished, as after a crash, and was no \
             entry; it is taken off",
            ledger.display()
        );
    }
}
