//! `saligate device`: what this machine is called in licences.

use std::fmt::Write;
use std::fs;

use saligate_keys::Sha256;

use crate::emit;
use crate::error::CliError;

/// Where systems keep a number of their own (machine-id(5), also written by D-Bus).
const MACHINE_ID: [&str; 2] = ["/etc/machine-id", "/var/lib/dbus/machine-id"];
/// Bytes of the digest that are shown.
const SHOWN: usize = 8;

pub(crate) fn run() -> Result<(), CliError> {
    let name = name().ok_or_else(|| {
        CliError::no("this system has no machine id, and so no name")
            .hint("any text of your own, the same in `license issue` and `explain --device`")
    })?;
    emit(&name)
}

/// The name of this device, or none where the system has no id.
///
/// The id itself should not leave the machine (machine-id(5)), so it is hashed.
pub(crate) fn name() -> Option<String> {
    let id = MACHINE_ID.iter().find_map(|path| fs::read_to_string(path).ok())?;
    let id = id.trim();
    if id.is_empty() || id == "uninitialized" {
        return None;
    }
    let mut hash = Sha256::new();
    hash.update(b"saligate/v1/device");
    hash.update(id.as_bytes());
    let mut name = String::new();
    for byte in &hash.finish()[..SHOWN] {
        write!(name, "{byte:02x}").ok()?;
    }
    Some(name)
}
