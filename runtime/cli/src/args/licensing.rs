//! Licences, their ledger, revoking, tracing, and signatures.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use saligate_keys::{Limit, Recipient, TimeError, Timestamp, Vendor};

use super::PassphraseArgs;

#[derive(Subcommand)]
pub(crate) enum LicenseCommand {
    /// Issue a licence for a model, and enter it in the ledger
    Issue(Box<IssueArgs>),
    /// Print what a licence says
    Show {
        /// Licence
        license: PathBuf,
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Check whether a licence is good: its signature and dates, and what else is given
    Verify(Box<CheckArgs>),
    /// Print what was issued: every licence of a ledger, with what became of it
    List {
        /// Ledger
        #[arg(long, value_name = "FILE")]
        ledger: PathBuf,
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Write a licence of the ledger to a file once more
    Export {
        /// Serial number of the licence
        serial: u32,
        /// Ledger
        #[arg(long, value_name = "FILE")]
        ledger: PathBuf,
        /// File to write; must not exist
        #[arg(short, long, value_name = "FILE")]
        out: PathBuf,
    },
}

#[derive(Args)]
pub(crate) struct IssueArgs {
    /// Key file that the model was locked with; may be repeated where it was locked with several.
    /// The first one signs
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) key: Vec<PathBuf>,
    /// Locked model
    #[arg(long, value_name = "FILE")]
    pub(crate) model: PathBuf,
    /// Who can open it: the line that `identity new` printed
    #[arg(long, value_name = "RECIPIENT")]
    pub(crate) to: Recipient,
    /// To whom it is issued, for people
    #[arg(long, value_name = "TEXT")]
    pub(crate) holder: String,
    /// Last day, to its end in UTC (2027-01-31), or last second (2027-01-31T12:00:00Z), or never
    /// [default: never; with --renew, that of the earlier licence, which must not be past]
    #[arg(long, value_name = "DATE", value_parser = end)]
    pub(crate) expires: Option<Limit<Timestamp>>,
    /// First day, from its beginning in UTC, or first second [default: now]
    #[arg(long, value_name = "DATE", value_parser = Timestamp::start_of)]
    pub(crate) not_before: Option<Timestamp>,
    /// Methods that it explains by, separated by commas, or all [default: all; with --renew, those
    /// of the earlier licence]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) methods: Option<Vec<String>>,
    /// The one device that may use it, by name (`saligate device` prints one), or any [default:
    /// any; with --renew, that of the earlier licence]
    #[arg(long, value_name = "ID")]
    pub(crate) device: Option<String>,
    /// For a sealed model: allow the predictions of its true network, and no explanations
    #[arg(long, conflicts_with = "methods")]
    pub(crate) predictions_only: bool,
    /// Issue it for the key of an earlier licence of the same holder, in place of a free one, with
    /// the limits of that licence: --expires, --methods and --device set others or lift them. The
    /// recipient may be another: a new device, for instance. Revoking one ends both
    #[arg(long, value_name = "SERIAL")]
    pub(crate) renew: Option<u32>,
    /// Ledger; begun where it is missing. All licences of a key must be in one, whatever its copies
    /// are called [default: the first key file's name with .ledger]
    #[arg(long, value_name = "FILE")]
    pub(crate) ledger: Option<PathBuf>,
    /// File to write; must not exist [default: SERIAL.license]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Print a JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) secrets: PassphraseArgs,
}

impl IssueArgs {
    /// What stands in place of the names of methods where all are allowed.
    pub(crate) const ALL_METHODS: &str = "all";
    /// What stands in place of the name of a device where all are allowed.
    pub(crate) const ANY_DEVICE: &str = "any";
}

/// The end of a licence, which may have none.
fn end(text: &str) -> Result<Limit<Timestamp>, TimeError> {
    match text {
        "never" => Ok(Limit::Unlimited),
        date => Timestamp::end_of(date).map(Limit::To),
    }
}

#[derive(Args)]
pub(crate) struct CheckArgs {
    /// Licence
    pub(crate) license: PathBuf,
    /// Model that it must be for
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// Identity file that must open it; with a model, it is opened
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,
    /// Vendor who must have signed it [default: that of the model]
    #[arg(long, value_name = "PUB")]
    pub(crate) vendor: Option<Vendor>,
    /// Method that it must allow
    #[arg(long, value_name = "NAME")]
    pub(crate) method: Option<String>,
    /// Device that it must be for [default: this one]
    #[arg(long, value_name = "NAME")]
    pub(crate) device: Option<String>,
    /// Ledger that it must stand in, not revoked: for the vendor
    #[arg(long, value_name = "FILE")]
    pub(crate) ledger: Option<PathBuf>,
    /// Day or second to check it for [default: now]
    #[arg(long, value_name = "DATE", value_parser = Timestamp::start_of)]
    pub(crate) at: Option<Timestamp>,
    /// Print a JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) secrets: PassphraseArgs,
}

#[derive(Args)]
pub(crate) struct RevokeArgs {
    /// Serial number of the licence
    pub(crate) serial: u32,
    /// Ledger [default: the only one in the working folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) ledger: Option<PathBuf>,
    /// Model that the licence was issued for: checks whether the key still opens it
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// Write the model without the key of the licence: it stays closed for it, and opens for all
    /// others as before
    #[cfg(feature = "lock")]
    #[arg(short, long, value_name = "NEW", requires = "model")]
    pub(crate) out: Option<PathBuf>,
    /// Key file that a sealed model was locked with, to seal the new one; may be repeated
    #[cfg(feature = "lock")]
    #[arg(long, value_name = "FILE", requires = "out")]
    pub(crate) key: Vec<PathBuf>,
    #[cfg(feature = "lock")]
    #[command(flatten)]
    pub(crate) secrets: PassphraseArgs,
    /// Print a JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
#[command(group = clap::ArgGroup::new("leak").required(true))]
pub(crate) struct TraceArgs {
    /// Leaked pictures with a trigger on them (PNG, as they were: not resized; cut-outs are fine).
    /// Several from one hand say more together, where they are whole or cut out at one place
    #[arg(long, value_name = "FILE", num_args = 1.., group = "leak")]
    pub(crate) image: Vec<PathBuf>,
    /// Leaked trigger: numbers [channel, row, column] (.npy), or a picture of it
    #[arg(long, value_name = "FILE", group = "leak")]
    pub(crate) trigger: Option<PathBuf>,
    /// The same pictures without the trigger, in the same order, if they are known: makes the trace
    /// all but certain. They may have the size in which they were given to `explain`
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "image", conflicts_with = "trigger")]
    pub(crate) original: Vec<PathBuf>,
    /// Model that the licences were issued for
    #[arg(long, value_name = "FILE")]
    pub(crate) model: PathBuf,
    /// Ledger
    #[arg(long, value_name = "FILE")]
    pub(crate) ledger: PathBuf,
    /// Key file of the vendor, may be repeated: to trace keys that were revoked in the model, and
    /// for models whose gate was trained
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Vec<PathBuf>,
    /// Largest p-value at which a key counts as found
    #[arg(long, value_name = "P", default_value_t = 1e-6)]
    pub(crate) alpha: f64,
    /// Print a JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) secrets: PassphraseArgs,
}

#[derive(Args)]
pub(crate) struct SignArgs {
    /// Model file, or any other file
    pub(crate) model: PathBuf,
    /// Key file of the vendor
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Signature to write; replaces a signature, and nothing else [default: MODEL.sig]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) secrets: PassphraseArgs,
}

#[derive(Args)]
pub(crate) struct UnsealArgs {
    /// Sealed model
    pub(crate) model: PathBuf,
    /// Key file that the model was locked with
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Locked model to write, for you alone to read
    #[arg(short, long, value_name = "NEW")]
    pub(crate) out: PathBuf,
    /// Print a JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) secrets: PassphraseArgs,
}

#[derive(Args)]
pub(crate) struct VerifyArgs {
    /// Model file
    pub(crate) model: PathBuf,
    /// The vendor's public key: the line that `key show` prints
    #[arg(long, value_name = "PUB")]
    pub(crate) vendor: Vendor,
    /// Signature [default: MODEL.sig; a sealed model that has none is checked by the signature of its
    /// sealed part]
    #[arg(long, value_name = "FILE")]
    pub(crate) signature: Option<PathBuf>,
    /// Print a JSON object
    #[arg(long)]
    pub(crate) json: bool,
}
