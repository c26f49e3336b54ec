//! The two kinds of secrets that stand in files.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use crate::{Identity, KeyId, Recipient, Secret};

/// A kind of secret. There are two, and no others can be made.
pub trait Kind: private::Sealed + Clone + Debug {
    /// What is public of it.
    type Public: Clone + Copy + Debug + Display + FromStr + PartialEq;
    /// Name of the kind in the first line of its file.
    const NAME: &'static str;
    /// The same while it is sealed.
    const SEALED: &'static str;
    /// Version of the files.
    const VERSION: u32;
    /// Name of the line with the public half.
    const PUBLIC: &'static str;

    /// The public half of a secret.
    fn public(secret: &Secret) -> Self::Public;
}

/// The secret of a vendor.
#[derive(Clone, Copy, Debug)]
pub enum VendorKind {}

/// The secret of a user or device.
#[derive(Clone, Copy, Debug)]
pub enum IdentityKind {}

impl Kind for VendorKind {
    type Public = KeyId;
    const NAME: &'static str = "key";
    const SEALED: &'static str = "sealed-key";
    // Version 1 was another format, see `v1`.
    const VERSION: u32 = 2;
    const PUBLIC: &'static str = "id";

    fn public(secret: &Secret) -> KeyId {
        secret.id()
    }
}

impl Kind for IdentityKind {
    type Public = Recipient;
    const NAME: &'static str = "identity";
    const SEALED: &'static str = "sealed-identity";
    const VERSION: u32 = 1;
    const PUBLIC: &'static str = "recipient";

    fn public(secret: &Secret) -> Recipient {
        Identity::from_secret(Secret::from_bytes(secret.expose())).recipient()
    }
}

mod private {
    pub trait Sealed {}
    impl Sealed for super::VendorKind {}
    impl Sealed for super::IdentityKind {}
}
