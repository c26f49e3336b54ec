//! What can go wrong with a ledger and the keys that are licensed by it.

use std::fmt;

use crate::{KeyId, RecordError, Timestamp, Vendor};

/// Why a ledger cannot be read or added to, or has no key to license.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The text is no ledger, or a damaged one.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A line contradicts those before.
    #[error("line {line} has {contradiction}; restore the ledger from a backup")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What cannot be.
        contradiction: Contradiction,
    },
    /// A licence in the ledger was not signed by the vendor. Coarse, because the check of a
    /// signature has one answer.
    #[error(
        "licence {serial} in the ledger was not signed by the vendor, or was changed after it was; \
         restore the ledger from a backup"
    )]
    Signature {
        /// Its number.
        serial: u32,
    },
    /// The file was replaced by another one while it was open.
    #[error(
        "the ledger was replaced by another file meanwhile, which has no new entry; \
         try again, and keep backups and synchronization from replacing a ledger in use"
    )]
    Replaced,
    /// The ledger is that of another vendor.
    #[error(
        "the ledger belongs to {found}, the key to {expected}; \
         use one ledger for every vendor's key"
    )]
    OtherVendor {
        /// Whose it is.
        found: Vendor,
        /// Whose it should be.
        expected: Vendor,
    },
    /// No licence has this number.
    #[error("there is no licence {serial} in the ledger; check the number")]
    Serial {
        /// The number.
        serial: u32,
    },
    /// A licence was revoked before.
    #[error(
        "licence {serial} was revoked at {at}; where its key still opens the model, take it out"
    )]
    AlreadyRevoked {
        /// Its number.
        serial: u32,
        /// When.
        at: Timestamp,
    },
    /// None of the given key files opens the model.
    #[error(
        "no key given opens the model, which opens with key {}; \
         give the key file that it was locked with",
        KeyId::list(.opens)
    )]
    NoKey {
        /// The keys that do.
        opens: Vec<KeyId>,
    },
    /// Every key of the model was licensed before, or belongs to the vendor alone.
    #[error(
        "no free slot: each key of the model has a holder of its own, or is the vendor's alone; \
         lock the clean model with more slots, or renew a licence"
    )]
    NoFreeKey,
}

/// What cannot stand in a ledger after the lines before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contradiction {
    /// The ledger begins once more.
    SecondBeginning,
    /// Something happened before the vendor is named.
    NoVendor,
    /// What was issued is no licence.
    NoLicense,
    /// What was issued is a licence of another vendor.
    OtherVendor,
    /// The serial number is not the next one.
    SerialOrder,
    /// What was revoked was not issued.
    UnknownSerial,
    /// What was revoked was revoked before.
    RevokedTwice,
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SecondBeginning => "a second beginning",
            Self::NoVendor => "an entry before the vendor is named",
            Self::NoLicense => "a licence that is none",
            Self::OtherVendor => "a licence of another vendor",
            Self::SerialOrder => "a serial number out of order",
            Self::UnknownSerial => "an unknown serial number",
            Self::RevokedTwice => "a licence that was revoked twice",
        })
    }
}
