//! The command line.

use std::num::NonZero;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use saligate_keys::{Recipient, Timestamp, Vendor};
use saligate_models::archive::Precision;
use saligate_models::saliency::Method;

use crate::running::Engine;

/// Predicts, and explains predictions, with models whose explanations are locked to a key.
///
/// Exit codes: 0 done, 1 the answer is no (the key belongs to another model, the licence has
/// expired, the signature does not fit), 2 error.
#[derive(Parser)]
#[command(name = "saligate", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Say what pictures show
    Predict(PredictArgs),
    /// Show which pixels made the model decide
    Explain(Box<ExplainArgs>),
    /// Make a model file of a network from elsewhere: an ONNX classifier and what its pixels mean
    Import(Box<ImportArgs>),
    /// Turn a model into the form that small devices read, with weights of fewer bits if wanted
    Compile(CompileArgs),
    /// Measure how fast a model runs here
    Bench(Box<BenchArgs>),
    /// Show what a model file says of itself
    Inspect(InspectArgs),
    /// Show the shipped model without a key, with a wrong key and with the key
    Demo(DemoArgs),
    /// Make and read key files: the secret of a vendor, which opens a model and signs licences
    #[command(subcommand)]
    Key(KeyCommand),
    /// Make and read identities: the secret of a user or device, which opens licences
    #[command(subcommand)]
    Identity(IdentityCommand),
    /// Issue and check licences: the right to see a model's explanations
    #[command(subcommand)]
    License(LicenseCommand),
    /// Mark a licence as revoked, and say how its key is taken out of the model
    Revoke(RevokeArgs),
    /// Find whose trigger a leaked picture carries
    Trace(TraceArgs),
    /// Sign a model file
    Sign(SignArgs),
    /// Check who signed a model file
    Verify(VerifyArgs),
    /// Print the name of this device, for `license issue --device`
    Device,
}

/// How a model is run.
#[derive(Args)]
#[command(next_help_heading = "How the model is run")]
pub(crate) struct RunArgs {
    /// Threads that share the work on a picture
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) threads: NonZero<usize>,
    /// Weights as exact as a compiled model of this kind has them: f32, f16 or int8
    #[arg(long, value_name = "KIND", default_value = "f32")]
    pub(crate) precision: Precision,
    /// What computes
    #[arg(long, value_enum, default_value_t)]
    pub(crate) engine: Engine,
}

#[derive(Args)]
pub(crate) struct CompileArgs {
    /// Model file
    pub(crate) model: PathBuf,
    /// Compiled model to write
    #[arg(short, long, value_name = "NEW")]
    pub(crate) out: PathBuf,
    /// How weights are stored: f32 (as they are), f16 (half the size) or int8 (a quarter). Biases
    /// and all of a gate stay as they are; licences are issued for the compiled file if its weights
    /// change
    #[arg(long, value_name = "KIND", default_value = "f32")]
    pub(crate) precision: Precision,
    /// Pictures (PNG or JPEG) on which the maps before and after are compared
    #[arg(long, value_name = "PICTURES", num_args = 1..)]
    pub(crate) compare: Vec<PathBuf>,
    /// Key file, to compare the maps with the key as well
    #[arg(long, value_name = "FILE", requires = "compare")]
    pub(crate) key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) secrets: PassphraseArgs,
    /// Print a JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct BenchArgs {
    /// Model file, or an ONNX classifier from elsewhere
    pub(crate) model: PathBuf,
    /// Key file, to measure explanations with the key as well
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) secrets: PassphraseArgs,
    /// Times that everything is run
    #[arg(long, value_name = "N", default_value = "30")]
    pub(crate) rounds: NonZero<usize>,
    /// Show how long each step of one method takes instead; `predict` for those of a prediction
    #[arg(long, value_name = "METHOD")]
    pub(crate) steps: Option<String>,
    /// Print a JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) running: RunArgs,
    #[command(flatten)]
    pub(crate) foreign: ForeignArgs,
}

/// How a sealed file is opened or made.
#[derive(Args, Default)]
pub(crate) struct PassphraseArgs {
    /// File with the passphrase of sealed key and identity files; - is standard input [default: ask
    /// at the terminal]
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

/// Whether a new file is sealed.
#[derive(Args)]
pub(crate) struct SealArgs {
    /// Seal the file with a passphrase, which is asked for
    #[arg(long)]
    pub(crate) passphrase: bool,
    /// Seal the file with the passphrase in this file; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

impl SealArgs {
    pub(crate) fn is_wanted(&self) -> bool {
        self.passphrase || self.passphrase_file.is_some()
    }
}

#[derive(Args)]
pub(crate) struct PredictArgs {
    /// Model file, or an ONNX classifier from elsewhere
    pub(crate) model: PathBuf,
    /// Pictures (PNG or JPEG, any size and mode)
    #[arg(required = true)]
    pub(crate) images: Vec<PathBuf>,
    /// Classes to list per picture, likeliest first
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) top: usize,
    /// Print one JSON object per picture
    #[arg(long)]
    pub(crate) json: bool,
    /// Pictures that are worked on at once, each on a thread of its own
    #[arg(long, value_name = "N", default_value = "1", conflicts_with = "threads")]
    pub(crate) jobs: NonZero<usize>,
    #[command(flatten)]
    pub(crate) running: RunArgs,
    /// Only with a model that this vendor signed (MODEL.sig), checked before it is read
    #[arg(long, value_name = "PUB")]
    pub(crate) vendor: Option<Vendor>,
    #[command(flatten)]
    pub(crate) foreign: ForeignArgs,
}

#[derive(Args)]
pub(crate) struct ExplainArgs {
    /// Model file, or an ONNX classifier from elsewhere, which is explained without training
    pub(crate) model: PathBuf,
    /// Pictures (PNG or JPEG, any size and mode). In the names of files to write, {} stands for the
    /// name of the picture without its ending: -o 'maps/{}.png'
    #[arg(required = true)]
    pub(crate) images: Vec<PathBuf>,
    /// Key file; without one or a licence a locked model shows its decoy
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Licence, in place of a key
    #[arg(long, value_name = "FILE", requires = "identity", conflicts_with = "key")]
    pub(crate) license: Option<PathBuf>,
    /// Identity file that the licence was issued to
    #[arg(long, value_name = "FILE", requires = "license")]
    pub(crate) identity: Option<PathBuf>,
    /// Name of this device, for licences that ask for it [default: as `saligate device` prints]
    #[arg(long, value_name = "NAME", requires = "license")]
    pub(crate) device: Option<String>,
    /// Only with a model that this vendor signed (MODEL.sig), checked before it is read; licences
    /// must be signed by the same
    #[arg(long, value_name = "PUB")]
    pub(crate) vendor: Option<Vendor>,
    #[command(flatten)]
    pub(crate) secrets: PassphraseArgs,
    /// Class to explain, by number or label; the predicted one where absent
    #[arg(long, value_name = "CLASS")]
    pub(crate) class: Option<String>,
    /// Saliency method: one of the model's (see `inspect`; the first where absent; for a network
    /// from elsewhere gradient, input-x-gradient, guided-backprop, grad-cam or vbp), or smoothgrad,
    /// integrated-gradients, occlusion, rise, which run the model many times
    #[arg(long, value_name = "NAME")]
    pub(crate) method: Option<String>,
    /// Write the heat map (PNG)
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Write the heat map over the picture (PNG)
    #[arg(long, value_name = "FILE")]
    pub(crate) overlay: Option<PathBuf>,
    /// Write picture, heat map and overlay side by side (PNG)
    #[arg(long, value_name = "FILE")]
    pub(crate) panel: Option<PathBuf>,
    /// Write the map as it is, not scaled for display: 32-bit floats [row, column] (.npy)
    #[arg(long, value_name = "FILE")]
    pub(crate) raw: Option<PathBuf>,
    /// Write the raw attribution: 32-bit floats [channel, row, column], at the resolution of the
    /// method (.npy)
    #[arg(long, value_name = "FILE")]
    pub(crate) attribution: Option<PathBuf>,
    /// Write the picture with the trigger on it (PNG), for you alone to read. It is as secret as the
    /// key: beside the picture without it, it shows the trigger
    #[arg(long, value_name = "FILE")]
    pub(crate) triggered: Option<PathBuf>,
    /// Print one JSON object per picture
    #[arg(long)]
    pub(crate) json: bool,
    /// Pictures that are worked on at once, each on a thread of its own
    #[arg(long, value_name = "N", default_value = "1", conflicts_with = "threads")]
    pub(crate) jobs: NonZero<usize>,
    #[command(flatten)]
    pub(crate) running: RunArgs,
    #[command(flatten)]
    pub(crate) passes: PassArgs,
    #[command(flatten)]
    pub(crate) foreign: ForeignArgs,
    /// Feature map that grad-cam reads, by name, in a network from elsewhere [default: the last
    /// activation that the whole network passes through]
    #[arg(long, value_name = "NAME", help_heading = FOREIGN)]
    pub(crate) layer: Option<String>,
}

const FOREIGN: &str = "Networks from elsewhere (ONNX files without a manifest)";

/// What a network from elsewhere expects of its pixels, and what its classes are called.
#[derive(Args)]
#[command(next_help_heading = FOREIGN)]
pub(crate) struct ForeignArgs {
    /// Values of a black and a white pixel [default: 0,1]
    #[arg(long, value_name = "LOW,HIGH", value_delimiter = ',', allow_negative_numbers = true)]
    pub(crate) range: Vec<f32>,
    /// Mean that is taken off, per channel of the network [default: none; ImageNet networks of
    /// PyTorch: 0.485,0.456,0.406]
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', allow_negative_numbers = true)]
    pub(crate) mean: Vec<f32>,
    /// Standard deviation that is divided by, per channel [default: none; ImageNet networks of
    /// PyTorch: 0.229,0.224,0.225]
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',')]
    pub(crate) std: Vec<f32>,
    /// The network's channels are blue, green, red
    #[arg(long)]
    pub(crate) bgr: bool,
    /// Resize the shorter side of a picture to so many pixels and cut the middle out [default:
    /// stretch the whole picture]
    #[arg(long, value_name = "PIXELS")]
    pub(crate) resize: Option<usize>,
    /// Rows and columns of what is cut out [default: the size of the network's input; needed where
    /// that is not fixed]
    #[arg(long, value_name = "SIDE or HxW", value_parser = size)]
    pub(crate) crop: Option<[usize; 2]>,
    /// Output with the scores of the classes, by name [default: the only one, or the only one that
    /// is a row]
    #[arg(long, value_name = "NAME")]
    pub(crate) logits: Option<String>,
    /// Class names: a text file with one per line, in the order of the scores [default: numbers]
    #[arg(long, value_name = "FILE")]
    pub(crate) labels: Option<PathBuf>,
}

/// `224` or `192x256`: rows and columns.
fn size(text: &str) -> Result<[usize; 2], String> {
    let (rows, columns) = text.split_once('x').unwrap_or((text, text));
    match (rows.parse(), columns.parse()) {
        (Ok(rows @ 1..), Ok(columns @ 1..)) => Ok([rows, columns]),
        _ => Err("a number of pixels, or rows x columns such as 192x256".to_owned()),
    }
}

#[derive(Args)]
pub(crate) struct ImportArgs {
    /// ONNX classifier
    pub(crate) network: PathBuf,
    /// Model file to write
    #[arg(short, long, value_name = "NEW")]
    pub(crate) out: PathBuf,
    /// Saliency methods to put into the file, the default one first [default: all that the network
    /// allows]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) method: Vec<Method>,
    /// Name of the architecture, for people [default: that of the file]
    #[arg(long, value_name = "TEXT")]
    pub(crate) name: Option<String>,
    /// Print the new manifest as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) foreign: ForeignArgs,
    /// Feature map that grad-cam reads, by name [default: the last activation that the whole network
    /// passes through]
    #[arg(long, value_name = "NAME")]
    pub(crate) layer: Option<String>,
}

/// Parameters of the methods that run the model many times.
#[derive(Args)]
#[command(next_help_heading = "Methods that run the model many times")]
pub(crate) struct PassArgs {
    /// smoothgrad: noisy copies of the picture [default: 16]
    #[arg(long, value_name = "N")]
    pub(crate) samples: Option<usize>,
    /// smoothgrad: standard deviation of the noise as a share of the pixel range, 0 to 1 [default:
    /// 0.15]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    pub(crate) noise: Option<f32>,
    /// integrated-gradients: steps from black to the picture [default: 32]
    #[arg(long, value_name = "N")]
    pub(crate) steps: Option<usize>,
    /// occlusion: side of the square that is covered, in pixels [default: an eighth of the shorter
    /// side]
    #[arg(long, value_name = "PIXELS")]
    pub(crate) window: Option<usize>,
    /// occlusion: distance from one square to the next, in pixels [default: half the window]
    #[arg(long, value_name = "PIXELS")]
    pub(crate) stride: Option<usize>,
    /// occlusion: value of covered pixels, 0 (black) to 1 (white) [default: 0.5]
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    pub(crate) baseline: Option<f32>,
    /// rise: random masks [default: 500]
    #[arg(long, value_name = "N")]
    pub(crate) masks: Option<usize>,
    /// rise: cells of a mask along a side of the picture [default: 8]
    #[arg(long, value_name = "N")]
    pub(crate) cells: Option<usize>,
    /// rise: probability that a cell is seen, above 0 and at most 1 [default: 0.5]
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    pub(crate) probability: Option<f32>,
    /// smoothgrad, rise: seed of the random numbers [default: 0]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Pictures that are kept in memory at once, 1 to 256 [default: one per thread]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) batch: Option<u16>,
}

#[derive(Args)]
pub(crate) struct InspectArgs {
    /// Model file (ONNX)
    pub(crate) model: PathBuf,
    /// Print the manifest as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct DemoArgs {
    /// Folder with the shipped model, its key and its sample pictures
    #[arg(long, value_name = "DIR", default_value = "models/artifacts/demo")]
    pub(crate) dir: PathBuf,
    /// Where to write the panel (PNG)
    #[arg(short, long, value_name = "FILE", default_value = "saligate-demo.png")]
    pub(crate) out: PathBuf,
    /// Print one JSON object per picture
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a new secret and write it to a file that only you can read
    New {
        /// Key file; must not exist
        file: PathBuf,
        /// A note for people, kept in the file
        #[arg(long, value_name = "TEXT")]
        label: Option<String>,
        /// Print a JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        seal: SealArgs,
    },
    /// Print what is public of a key file: its id, and the vendor's public key
    Show {
        /// Key file
        file: PathBuf,
        /// Print a JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        secrets: PassphraseArgs,
    },
    /// Write a copy of a key file that is sealed with a passphrase
    Protect(ProtectArgs),
}

#[derive(Args)]
pub(crate) struct ProtectArgs {
    /// File to copy; one that is sealed gets another passphrase
    pub(crate) file: PathBuf,
    /// Sealed file; must not exist
    pub(crate) new: PathBuf,
    /// File with the new passphrase; - is standard input [default: ask at the terminal]
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// File with the passphrase of a file that is sealed already [default: ask at the terminal]
    #[arg(long, value_name = "FILE")]
    pub(crate) old_passphrase_file: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(crate) enum IdentityCommand {
    /// Make a new identity, write it to a file that only you can read, and print its public half
    New {
        /// Identity file; must not exist
        file: PathBuf,
        /// A note for people, kept in the file
        #[arg(long, value_name = "TEXT")]
        label: Option<String>,
        /// Print a JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        seal: SealArgs,
    },
    /// Write a copy of an identity file that is sealed with a passphrase
    Protect(ProtectArgs),
    /// Print the public half, which is what a vendor needs to issue a licence
    Show {
        /// Identity file
        file: PathBuf,
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
}

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
    /// Last day, to its end in UTC (2027-01-31), or last second (2027-01-31T12:00:00Z) [default:
    /// none]
    #[arg(long, value_name = "DATE", value_parser = Timestamp::end_of)]
    pub(crate) expires: Option<Timestamp>,
    /// First day, from its beginning in UTC, or first second [default: now]
    #[arg(long, value_name = "DATE", value_parser = Timestamp::start_of)]
    pub(crate) not_before: Option<Timestamp>,
    /// Methods that it explains by, separated by commas [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) methods: Option<Vec<String>>,
    /// The one device that may use it, by name (`saligate device` prints one) [default: any]
    #[arg(long, value_name = "ID")]
    pub(crate) device: Option<String>,
    /// Issue it for the key of an earlier licence of the same holder, in place of a free one. The
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
    /// Ledger
    #[arg(long, value_name = "FILE")]
    pub(crate) ledger: PathBuf,
    /// Model that the licence was issued for: it is looked whether the key opens it still
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// Print a JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
#[command(group = clap::ArgGroup::new("leak").required(true))]
pub(crate) struct TraceArgs {
    /// Leaked pictures with a trigger on them (PNG, as they were: not resized; cut-outs are fine).
    /// Several from one hand say more together; they must have one size
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
pub(crate) struct VerifyArgs {
    /// Model file
    pub(crate) model: PathBuf,
    /// The vendor's public key: the line that `key show` prints
    #[arg(long, value_name = "PUB")]
    pub(crate) vendor: Vendor,
    /// Signature [default: MODEL.sig]
    #[arg(long, value_name = "FILE")]
    pub(crate) signature: Option<PathBuf>,
    /// Print a JSON object
    #[arg(long)]
    pub(crate) json: bool,
}
