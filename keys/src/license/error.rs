//! What can go wrong with the making and reading of a licence.

use std::fmt;

use super::Claims;
use crate::{IdentityError, RecordError, TriggerError};

/// Why there is no such licence. Whether one that reads is good for something is told by a
/// [`Refusal`](crate::Refusal).
#[derive(Debug, thiserror::Error)]
pub enum LicenseError {
    /// The text is no licence, or a damaged one.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A licence was changed after it was signed. Coarse, because the check of a signature has one
    /// answer: how near a forgery came would help to improve it.
    #[error("the file was changed after it was signed; get it again from where it came")]
    Signature,
    /// A claim is out of its limits.
    #[error("the licence cannot say this as its {claim}; {}", .claim.limits())]
    Claim {
        /// Which one.
        claim: Claim,
    },
    /// A renewal would end when the earlier licence does, which is past.
    #[error(
        "licence {serial} expired at {at}, and a renewal would end there too; \
         say when the new licence expires"
    )]
    RenewsExpired {
        /// The number of the earlier licence.
        serial: u32,
        /// Its last second.
        at: crate::Timestamp,
    },
    /// The trigger has no place in the model's images.
    #[error(transparent)]
    Trigger(#[from] TriggerError),
    /// The trigger is too large to be licensed.
    #[error(
        "the trigger has more than {limit} bytes, too many for a licence; \
         use a tile, or smaller images"
    )]
    TriggerTooLarge {
        /// The most bytes it may have.
        limit: usize,
    },
    /// Predictions alone were to be licensed of a model that predicts for everybody.
    #[error(
        "everybody gets the predictions of this model; licence explanations, or seal the model"
    )]
    OpenPredictions,
    /// The trigger cannot be wrapped for the recipient.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A text that should be a [`ModelDigest`](crate::ModelDigest) is none.
    #[error("not a digest; give its 64 lowercase hex digits")]
    DigestSyntax,
}

/// A claim of a licence that has limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// To whom it is issued.
    Holder,
    /// The one device that may use it.
    Device,
    /// Its number.
    Serial,
    /// When it ends.
    Expires,
    /// The methods that it explains by.
    Methods,
}

impl Claim {
    /// What can be said.
    fn limits(self) -> String {
        match self {
            Self::Holder => format!(
                "give one line of 1 to {} bytes, without blanks at its ends or characters that turn \
                 the direction of text",
                Claims::MAX_HOLDER_LEN
            ),
            Self::Device => format!("give one line of 1 to {} bytes", Claims::MAX_DEVICE_LEN),
            Self::Methods => format!("give 1 to {} names of methods", Claims::MAX_METHODS),
            Self::Expires => "it would end before it begins: let it end after that".to_owned(),
            Self::Serial => "count from 1".to_owned(),
        }
    }
}

impl fmt::Display for Claim {
    /// The name of the claim in the licence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Holder => "holder",
            Self::Device => "device",
            Self::Serial => "serial",
            Self::Expires => "expires",
            Self::Methods => "methods",
        })
    }
}
