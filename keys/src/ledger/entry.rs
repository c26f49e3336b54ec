//! A line of a ledger.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::{Sha256, Timestamp, Vendor, hex};

/// Digits of a digest.
const DIGITS: usize = 64;

/// What happened and when, in the one spelling that serializing gives.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) at: Timestamp,
    #[serde(flatten)]
    pub(super) event: Event,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(super) enum Event {
    /// The ledger was begun.
    Opened { vendor: Vendor },
    /// A licence was issued; its whole text. Left out, it shares its key with no other holder.
    Issued {
        license: String,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        shared: bool,
    },
    /// A licence was revoked.
    Revoked { serial: u32 },
}

impl Entry {
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("an entry has string keys and no floats")
    }

    pub(super) fn from_json(text: &str) -> Option<Self> {
        let entry: Self = serde_json::from_str(text).ok()?;
        (entry.to_json() == text).then_some(entry)
    }
}

/// The digests of the lines: each is SHA-256 over the digits of the one before, a blank, and the
/// entry. The first one follows 64 zeros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chain(String);

impl Chain {
    pub(super) fn new() -> Self {
        Self("0".repeat(DIGITS))
    }

    /// The entry of the next line, if its digest is right.
    pub(super) fn next<'a>(&mut self, line: &'a str) -> Option<&'a str> {
        let (digest, entry) = line.split_once(' ')?;
        let mut next = self.clone();
        (next.append(entry) == line && next.0 == digest).then(|| {
            *self = next;
            entry
        })
    }

    /// Whether this is the whole next line, without its end.
    pub(super) fn fits(&self, line: &[u8]) -> bool {
        str::from_utf8(line).is_ok_and(|line| self.clone().next(line).is_some())
    }

    /// Whether the whole next line stands there and something else than its end behind it, which no
    /// crash leaves.
    pub(super) fn is_overwritten(&self, text: &[u8]) -> bool {
        let Some((_, entry)) = text.split_at_checked(DIGITS + 1) else { return false };
        let mut values = serde_json::Deserializer::from_slice(entry).into_iter::<IgnoredAny>();
        let is_whole = matches!(values.next(), Some(Ok(_)));
        let end = DIGITS + 1 + values.byte_offset();
        is_whole && end < text.len() && self.fits(&text[..end])
    }

    /// The line of the next entry, without its end.
    pub(super) fn append(&mut self, entry: &str) -> String {
        let mut hash = Sha256::new();
        for part in [&self.0, " ", entry] {
            hash.update(part.as_bytes());
        }
        self.0 = hex::encode(&hash.finish());
        format!("{} {entry}", self.0)
    }
}
