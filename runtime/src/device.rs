//! What this machine is called in licences.

use std::fs;

use saligate_keys::Sha256;

/// Where systems keep a number of their own (machine-id(5), also written by D-Bus).
///
/// The order is part of what a licence is bound to. The crate `machine-uid` reads the file of D-Bus
/// first, which on some systems has another number: licences for these devices would end.
const MACHINE_ID: [&str; 2] = ["/etc/machine-id", "/var/lib/dbus/machine-id"];
/// Bytes of the digest that are shown.
const SHOWN: usize = 8;

/// The name of this device, or none where the system has no id: the first 8 bytes of SHA-256 over
/// `saligate/v1/device` and the machine id, as hex digits.
///
/// The id itself should not leave the machine (machine-id(5)), so it is hashed.
pub fn device_name() -> Option<String> {
    let id = MACHINE_ID.iter().find_map(|path| fs::read_to_string(path).ok())?;
    named(id.trim())
}

fn named(id: &str) -> Option<String> {
    if id.is_empty() || id == "uninitialized" {
        return None;
    }
    let mut hash = Sha256::new();
    hash.update(b"saligate/v1/device");
    hash.update(id.as_bytes());
    Some(hash.finish()[..SHOWN].iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// printf saligate/v1/device0123456789abcdef0123456789abcdef | sha256sum
    #[test]
    fn names_are_digests_of_ids() {
        let name = named("0123456789abcdef0123456789abcdef").unwrap();
        assert_eq!(name, "c6efb906e06ea1b5");
        assert_eq!(named("uninitialized"), None);
        assert_eq!(named(""), None);
    }
}
