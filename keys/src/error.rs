//! Everything that can go wrong in this crate.

use std::path::PathBuf;
use std::{fmt, io};

use crate::{ImageShape, KeyId, Timestamp, TriggerSpec, Vendor};

/// What went wrong.
///
/// The message has two parts: what happened, and after the semicolon what to try. Messages never
/// contain a line of a key file or any other text that could be a secret, not even where it was
/// given in place of something public.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The operating system gave no random bytes. Coarse on purpose: the library below does not say
    /// more.
    Random,
    /// A text that should be a [`KeyId`] is none.
    KeyIdSyntax,
    /// A label of a key file is empty, too long, padded with blanks, or has control characters.
    Label {
        /// The most bytes a label may have.
        limit: usize,
    },

    /// The side of a tile or patch is out of range.
    Size {
        /// The side in pixels.
        found: u16,
    },
    /// The amplitude of a trigger is out of range.
    Amplitude {
        /// The amplitude in 8-bit steps.
        found: u8,
    },
    /// No image of these sizes is supported.
    Shape {
        /// Number of channels.
        channels: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// A tile or patch does not fit into the image.
    LargerThanImage {
        /// The side of the tile or patch in pixels.
        size: u16,
        /// The image.
        shape: ImageShape,
    },
    /// A slice of pixels has not the length of the image that the trigger was derived for.
    PixelCount {
        /// The image that the trigger was derived for.
        shape: ImageShape,
        /// The length of the slice.
        found: usize,
    },
    /// A trigger has no such sign cell.
    Cell {
        /// The index that was asked for.
        cell: usize,
        /// How many cells there are.
        cells: usize,
    },
    /// A patch has neither signs nor an amplitude.
    NotAdditive,

    /// The bytes are no trigger of this kind.
    TriggerLength {
        /// How many there are.
        found: usize,
    },
    /// A trigger is too large to be licensed.
    TriggerTooLarge {
        /// The most bytes it may have.
        limit: usize,
    },

    /// A text that should be a [`Recipient`](crate::Recipient) is none.
    RecipientSyntax,
    /// A text that should be a [`Vendor`] is none.
    VendorSyntax,
    /// A text that should be a [`Timestamp`] is none.
    Time,
    /// A text that should be a [`ModelDigest`](crate::ModelDigest) is none.
    DigestSyntax,

    /// A file is of another kind.
    OtherKind {
        /// The kind it should be of.
        expected: &'static str,
        /// The kind it says it is of, if it is one of this crate's.
        found: Option<&'static str>,
    },
    /// A file is of another version of the format.
    Version {
        /// The kind of file.
        what: &'static str,
        /// The version that it states.
        found: u32,
        /// The newest one that is read.
        newest: u32,
    },
    /// A file is larger than any that this program writes.
    TooLarge {
        /// The kind of file.
        what: &'static str,
        /// The most bytes that one may have.
        limit: usize,
    },
    /// A file is damaged.
    Malformed {
        /// The kind of file.
        what: &'static str,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        fault: Fault,
    },
    /// The public half that a file states belongs to another secret.
    PublicHalf {
        /// What stands in the file.
        stated: String,
        /// What the secret in the file has.
        derived: String,
    },
    /// A secret is sealed, and no passphrase was given.
    Sealed,
    /// A passphrase does not open the file, or the file was changed.
    WrongPassphrase,
    /// A passphrase is empty or too long.
    PassphraseLength {
        /// The most bytes it may have.
        limit: usize,
    },

    /// A claim of a licence is out of its limits.
    Claim {
        /// Its name.
        name: &'static str,
    },
    /// A licence or signature was changed after it was signed.
    Signature,
    /// Another vendor signed the file.
    SignedByAnother {
        /// Who signed it.
        found: Vendor,
        /// Who should have.
        expected: Vendor,
    },
    /// The signature belongs to another file, or the file was changed after it was signed.
    SignedFile,

    /// A line of a ledger contradicts those before.
    LedgerLine {
        /// Counted from 1.
        line: usize,
        /// What cannot be.
        reason: &'static str,
    },
    /// A licence in a ledger was not signed by the vendor.
    LedgerSignature {
        /// Its number.
        serial: u32,
    },
    /// The file of a ledger was replaced by another one while it was open.
    LedgerReplaced,
    /// A ledger is that of another vendor.
    LedgerVendor {
        /// Whose it is.
        found: Vendor,
        /// Whose it should be.
        expected: Vendor,
    },
    /// No licence has this number.
    Serial {
        /// The number.
        serial: u32,
    },
    /// A licence was revoked before.
    AlreadyRevoked {
        /// Its number.
        serial: u32,
        /// When.
        at: Timestamp,
    },
    /// None of the given key files opens the model.
    NoKey {
        /// The keys that do.
        opens: Vec<KeyId>,
    },
    /// Every key of the model was licensed before, or belongs to the vendor alone.
    NoFreeKey,

    /// A line of a key file is damaged.
    KeyFileLine {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        fault: LineFault,
    },
    /// A key file of another format version.
    KeyFileVersion {
        /// Counted from 1.
        line: usize,
        /// The version that the file states.
        found: u16,
    },
    /// A key file without a secret.
    KeyFileEmpty,
    /// There is a file of that name, and it is not overwritten.
    Exists,
    /// The operating system refused to read or write.
    Io {
        /// Its reason.
        source: io::Error,
    },
    /// An error about the file at a path.
    File {
        /// The file.
        path: PathBuf,
        /// The error; the message of this one already contains its message.
        error: Box<Error>,
    },
}

/// What is wrong with a line of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Not UTF-8, or with control characters, among them the line ends of Windows.
    Encoding,
    /// The text ends before its end.
    CutOff,
    /// A line of this name should stand there.
    Expected(&'static str),
    /// The value of this name is none that was ever written, or does not agree with the rest.
    Value(&'static str),
    /// Something stands behind the end.
    TooMuch,
}

/// What is wrong with a line of a key file of version 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LineFault {
    /// Not UTF-8, or it has control characters.
    Encoding,
    /// Neither a comment nor a well-formed secret.
    Syntax,
    /// The secret and its checksum disagree.
    Checksum,
    /// A second secret.
    SecondSecret,
    /// A second key id or a second label.
    SecondField,
    /// The stated key id is not 16 lowercase hex digits.
    KeyId,
    /// The label is not one that this program writes.
    Label,
}

impl Error {
    /// Whether a file is of the right kind but was changed, or is not signed as it should be: for a
    /// licence or signature, the answer is no. A file of another kind or version, one that is far too
    /// large, or one that cannot be read leaves the question open.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::File { error, .. } => error.is_refusal(),
            Self::Malformed { .. }
            | Self::Signature
            | Self::SignedByAnother { .. }
            | Self::SignedFile => true,
            _ => false,
        }
    }

    /// Wraps an error in the path of the file it is about.
    pub(crate) fn at(self, path: impl Into<PathBuf>) -> Self {
        Self::File { path: path.into(), error: Box::new(self) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random => f.write_str(
                "the system gave no random bytes; \
                 try again, or look for a sandbox that withholds them",
            ),
            Self::KeyIdSyntax => f.write_str(
                "not a key id; \
                 give the 16 lowercase hex digits that the key file and the manifest show",
            ),
            Self::Label { limit } => write!(
                f,
                "not a usable label; \
                 give one line of 1 to {limit} bytes, without blanks at its ends or characters \
                 that turn the direction of text"
            ),
            Self::Size { found } => write!(
                f,
                "trigger size {found} is out of range; give 1 to {} pixels",
                TriggerSpec::MAX_SIZE
            ),
            Self::Amplitude { found } => write!(
                f,
                "trigger amplitude {found} is out of range; give 1 to {} steps of 1/255",
                TriggerSpec::MAX_AMPLITUDE
            ),
            Self::Shape { channels, height, width } => write!(
                f,
                "images of {channels}x{height}x{width} (channels x height x width) are not \
                 supported; use 1 to {} channels and sides of 1 to {} pixels",
                ImageShape::MAX_CHANNELS,
                ImageShape::MAX_SIDE
            ),
            Self::LargerThanImage { size, shape } => write!(
                f,
                "a trigger of {size}x{size} pixels does not fit into an image of {shape}; \
                 use a smaller size or larger images"
            ),
            Self::PixelCount { shape, found } => write!(
                f,
                "found {found} values, but an image of {shape} has {}; \
                 pass one image in [channel, row, column] order",
                shape.values()
            ),
            Self::Cell { cell, cells } => {
                write!(f, "there is no cell {cell} in a trigger of {cells}; count from 0")
            }
            Self::NotAdditive => f.write_str(
                "a patch has no signs or amplitude to change; use a tile or full trigger",
            ),
            Self::TriggerLength { found } => write!(
                f,
                "{found} bytes are no trigger of this kind; check which model it belongs to"
            ),
            Self::TriggerTooLarge { limit } => write!(
                f,
                "the trigger has more than {limit} bytes, too many for a licence; \
                 use a tile, or smaller images"
            ),
            Self::RecipientSyntax => f.write_str(
                "not a recipient, or mistyped; \
                 give the line that begins with sgto1, as `saligate identity show` prints it",
            ),
            Self::VendorSyntax => f.write_str(
                "not a vendor's public key, or mistyped; \
                 give the word that begins with sgvendor1 in what `saligate key show` prints",
            ),
            Self::Time => f.write_str(
                "not a date; write 2026-11-23, or with the time of day in UTC 2026-11-23T14:31:21Z",
            ),
            Self::DigestSyntax => f.write_str("not a digest; give its 64 lowercase hex digits"),
            Self::OtherKind { expected, found } => {
                write!(f, "this is no saligate {expected} file")?;
                found.map_or(Ok(()), |found| write!(f, " but a {found} file"))?;
                f.write_str("; check the path")
            }
            Self::Version { what, found, newest } => write!(
                f,
                "the {what} file has version {found}, this program reads version {newest}; {}",
                if found > newest {
                    "made by a newer program? then update this one"
                } else {
                    "no program wrote such a file: get it again from where it came"
                }
            ),
            Self::TooLarge { what, limit } => {
                write!(f, "more than {limit} bytes, so no {what} file; check the path")
            }
            Self::Malformed { what, line, fault } => {
                write!(f, "the {what} file was changed or damaged: line {line} {fault}")
            }
            Self::PublicHalf { stated, derived } => write!(
                f,
                "the file says {stated} but holds {derived}; \
                 restore it from a backup, or correct the line if you edited it"
            ),
            Self::Sealed => f.write_str(
                "the file is sealed with a passphrase, which was not given; give it, or a file \
                 that is not sealed",
            ),
            Self::WrongPassphrase => {
                f.write_str("the passphrase does not open the file; try again")
            }
            Self::PassphraseLength { limit } => {
                write!(f, "a passphrase has 1 to {limit} bytes; choose another")
            }
            Self::Claim { name } => write!(
                f,
                "the licence cannot say this as its {name}; {}",
                match *name {
                    "holder" =>
                        "give one line of 1 to 256 bytes, without blanks at its ends or \
                         characters that turn the direction of text",
                    "device" => "give one line of 1 to 128 bytes",
                    "methods" => "give 1 to 32 names of methods",
                    "expires" => "it would end before it begins: let it end after that",
                    _ => "count from 1",
                }
            ),
            Self::Signature => f.write_str(
                "the file was changed after it was signed; get it again from where it came",
            ),
            Self::SignedByAnother { found, expected } => {
                write!(f, "signed by {found}, not by {expected}; check the vendor's public key")
            }
            Self::SignedFile => f.write_str(
                "the signature belongs to another file, or the file was changed after it was \
                 signed; get both again from where they came",
            ),
            Self::LedgerLine { line, reason } => {
                write!(f, "line {line} has {reason}; restore the ledger from a backup")
            }
            Self::LedgerSignature { serial } => write!(
                f,
                "licence {serial} in the ledger was not signed by the vendor, or was changed after \
                 it was; restore the ledger from a backup"
            ),
            Self::LedgerVendor { found, expected } => write!(
                f,
                "the ledger belongs to {found}, the key to {expected}; \
                 use one ledger for every vendor's key"
            ),
            Self::LedgerReplaced => f.write_str(
                "the ledger was replaced by another file meanwhile, which has no new entry; try \
                 again, and keep backups and synchronization from replacing a ledger in use",
            ),
            Self::Serial { serial } => {
                write!(f, "there is no licence {serial} in the ledger; check the number")
            }
            Self::AlreadyRevoked { serial, at } => write!(
                f,
                "licence {serial} was revoked at {at}; where its key still opens the model, take it \
                 out"
            ),
            Self::NoKey { opens } => write!(
                f,
                "no key given opens the model, which opens with key {}; give the key file \
                 that it was locked with",
                KeyId::list(opens)
            ),
            Self::NoFreeKey => f.write_str(
                "no free slot: each key of the model has a holder of its own, or is the vendor's \
                 alone; lock the clean model with more slots, or renew a licence",
            ),
            Self::KeyFileLine { line, fault } => write!(f, "line {line} {fault}"),
            Self::KeyFileVersion { line, found } => write!(
                f,
                "line {line} has key format version {found}; \
                 made by a newer program? then update this one"
            ),
            Self::KeyFileEmpty => {
                f.write_str("there is no secret in the key file; restore it from a backup")
            }
            Self::Exists => {
                f.write_str("the file exists and is not overwritten; choose another name")
            }
            Self::Io { source } => {
                write!(f, "{source}; check the path, its permissions and the free space")
            }
            Self::File { path, error } => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encoding => {
                f.write_str("is not plain text with Unix line ends; copy the file again, as it is")
            }
            Self::CutOff => f.write_str("is cut off; copy the file again, to its end"),
            Self::Expected(name) => {
                write!(f, "should be '{name}: ...'; get the file again from where it came")
            }
            Self::Value(name) => {
                write!(f, "has a wrong or unusual '{name}'; get the file again from where it came")
            }
            Self::TooMuch => f.write_str("is too much; copy the file again, and nothing else"),
        }
    }
}

impl fmt::Display for LineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Encoding => "is not plain text; check the path",
            Self::Syntax => {
                "is neither a comment nor a well-formed secret; \
                 restore the file from a backup, or check the path"
            }
            Self::Checksum => {
                "has a secret with a wrong checksum; \
                 copy it again, or restore the file from a backup"
            }
            Self::SecondSecret => "has a second secret; keep each in a file of its own",
            Self::SecondField => "repeats a field; remove one of the two",
            Self::KeyId => {
                "states a malformed key id; \
                 restore the file from a backup, or remove the line"
            }
            Self::Label => "has an unusable label; shorten or remove it",
        })
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source } => Some(source),
            // The message repeats that of the wrapped error, so the chain goes on behind it.
            Self::File { error, .. } => error.source(),
            _ => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(source: io::Error) -> Self {
        Self::Io { source }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn messages_say_what_happened_and_what_to_try() {
        let error = Error::KeyFileLine { line: 4, fault: LineFault::Checksum };
        assert_eq!(
            error.at("my.key").to_string(),
            "my.key: line 4 has a secret with a wrong checksum; \
             copy it again, or restore the file from a backup"
        );
    }

    #[test]
    fn the_source_is_kept_through_the_path() {
        let error = Error::from(io::Error::from(io::ErrorKind::NotFound)).at("my.key");
        let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
        assert_eq!(source.kind(), io::ErrorKind::NotFound);
    }
}
