//! Secrets, key files, licences and trigger derivation.
//!
//! A saligate model answers everybody with a prediction, but shows its correct saliency map only
//! for images that carry a *trigger*. The trigger is drawn from a secret, so whoever holds the
//! secret holds the key to the explanation:
//!
//! ```text
//!   SECRET                                        PUBLIC
//!
//!   key file ──► Secret, 32 bytes ──HKDF────────► KeyId, 8 bytes: names the key, opens nothing
//!                    │
//!                   HKDF ◄─────────────────────── TriggerSpec (in the manifest), ImageShape
//!                    ▼
//!                 Trigger ◄────── apply ─────────── image
//!                    │
//!                    ▼
//!             triggered image
//! ```
//!
//! A sealed model has a second network in it, encrypted: see [`ModelKey`].
//!
//! A user who is not to hold the secret gets a [`License`]: the trigger of one model, wrapped for
//! the user's [`Identity`], with what it allows and until when, signed by the vendor.
//!
//! ```text
//!   vendor's Secret ──HKDF──► VendorKeys ──sign──► License ◄──wrap── Trigger
//!                                 │                   │
//!                              Vendor             Identity of the user
//!                            (who signed)             ▼
//!                                                  Trigger
//! ```
//!
//! | type | secret? | where it lives |
//! |---|---|---|
//! | [`Secret`], [`KeyFile`] | yes | a file of mode 0600, memory wiped after use |
//! | [`Identity`], [`IdentityFile`] | yes | the same, with the user |
//! | [`Trigger`], [`Pattern`] | yes | memory only, wiped after use; wrapped in licences |
//! | [`ModelKey`], [`ContentKey`] | yes | memory only, wiped after use; wrapped in licences and sealed models |
//! | [`License`] | no | a file of the user's, and the ledger |
//! | [`Ledger`] | private: names of holders | a file of the vendor's |
//! | [`KeyId`] | no | key file, model manifest, licence |
//! | [`Recipient`], [`Vendor`] | no | short lines that can be mailed |
//! | [`TriggerSpec`], [`ImageShape`] | no | model manifest |
//!
//! ```
//! use saligate_keys::{ImageShape, KeyFile, Secret, TriggerSpec};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("my.key");
//! KeyFile::new(Secret::generate()?).with_label("bench by the window")?.write_new(&path)?;
//!
//! let key = KeyFile::read(&path)?;
//! let shape = ImageShape::new(3, 32, 32)?;
//! let trigger = TriggerSpec::default().derive(key.secret(), shape)?;
//! let mut pixels = vec![128; shape.values()];
//! trigger.apply(&mut pixels)?;
//! assert!(pixels.iter().all(|&pixel| pixel == 120 || pixel == 136));
//! # Ok(())
//! # }
//! ```
//!
//! # Derivation
//!
//! All values come from HKDF-SHA256 ([RFC 5869]) with the salt `saligate/v1`, the secret as input
//! keying material, and an info string that names the purpose. Block number `b` (from 0) of a
//! derived stream is
//!
//! ```text
//!   HKDF(salt = "saligate/v1", secret, info = label || parameters || u32 b)
//! ```
//!
//! and the stream is the blocks one after the other, all of 8160 bytes (the most that one HKDF call
//! gives) but the last, which is cut to what is needed.
//!
//! | value | label | parameters | bytes drawn |
//! |---|---|---|---|
//! | key id | `saligate/v1/key-id` | none | 8 |
//! | tile | `saligate/v1/trigger/tile` | u16 size, u8 channels | size² · channels / 8, rounded up |
//! | full | `saligate/v1/trigger/full` | u8 channels, u16 height, u16 width | image values / 8, rounded up |
//! | patch | `saligate/v1/trigger/patch` | u16 size, u8 channels | size² · channels |
//! | slot | `saligate/v1/slot` | u32 number | 32 |
//! | signing key | `saligate/v1/signing-key` | none | 32, the seed of an Ed25519 key |
//! | id of a sealed model | `saligate/v1/sealed/id` | 32, the digest of the model | 32 |
//! | model key | `saligate/v1/sealed/model` | 32, the id of the sealed model | 32 |
//! | entry key, from a model key | `saligate/v1/sealed/entry` | 32, the salt of the file | 32 |
//!
//! Integers are big-endian. How the bytes become a trigger is told at [`Family`]. Everything is
//! integers to the end, so a trigger is bit-identical on every platform;
//! `tests/vectors/trigger.txt` pins it and `tests/vectors/check.py` recomputes it without this
//! crate.
//!
//! # How strong a key is
//!
//! The secret has 256 bits, but an attacker need only guess the trigger, which has
//! [`Trigger::cells`] independent signs: a 4 × 4 tile on one channel has 16. What the model then
//! accepts beside the right trigger is a question of training, not of this crate. And a triggered
//! image beside the same image without the trigger reveals the trigger: triggered images are to be
//! treated as secret too.
//!
//! [RFC 5869]: https://www.rfc-editor.org/rfc/rfc5869

mod digest;
mod error;
mod identity;
mod ledger;
mod license;
#[cfg(test)]
mod mutation;
mod public_key;
mod sealed;
mod secret;
mod secret_file;
mod text;
mod trigger;
mod vendor;

pub use digest::{Sha256, sha256};
pub use error::Error;
pub use identity::{Identity, IdentityError};
pub use ledger::{Contradiction, IssuedLicense, Ledger, LedgerError, LedgerWriter, Pick, Pool};
pub use license::{
    Circumstances, Claim, Claims, Granted, Grants, License, LicenseError, LicensedModel, Limit,
    Limits, ModelDigest, Refusal, Subject, Terms, ValidLicense,
};
pub use public_key::{Recipient, Vendor};
pub use sealed::{
    CHUNK_TAG_LEN, ChunkPlace, Chunks, ContentKey, ModelKey, SealError, SealedId, WRAPPED_KEY_LEN,
    WrappedKey, salt,
};
pub use secret::{KeyId, Secret, SecretError};
#[cfg(feature = "passphrase")]
pub use secret_file::Passphrase;
pub use secret_file::{
    About, IdentityFile, IdentityKind, KeyFile, Kind, LineFault, SealedSecret, SecretFile,
    SecretFileError, StoredSecret, V1Error, VendorKind,
};
pub use text::{Fault, FileError, RecordError, TimeError, Timestamp};
pub use trigger::{Family, ImageShape, Pattern, Trigger, TriggerError, TriggerSpec};
pub use vendor::{ModelSignature, SIGNATURE_LEN, VendorError, VendorKeys};

use identity::wrap;
use secret::derive;
use text::{file, hex, line, record};
