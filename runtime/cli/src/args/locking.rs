//! Building gates into models.

use std::num::NonZero;
use std::path::PathBuf;

use clap::Args;
use saligate_data::DataSource;
use saligate_files::archive::Precision;
use saligate_models::saliency::Method;

use super::PassphraseArgs;
use super::sources::source;

#[derive(Args)]
pub(crate) struct LockArgs {
    /// Clean model, such as `saligate import` writes
    #[arg(long, value_name = "FILE")]
    pub(crate) model: PathBuf,
    /// Pictures like those that the model is for, a hundred or more, without any labels: a folder
    /// (DIR or folder:DIR, whatever the layout), or scenes:SIDE, idx:DIR, cifar10:DIR
    #[arg(long, value_name = "SOURCE", value_parser = source)]
    pub(crate) data: DataSource,
    /// Key file that opens the model; may be repeated. The first one signs licences
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) key: Vec<PathBuf>,
    /// Locked model; a folder, or a name that does not end in .onnx, gets locked.onnx inside, or
    /// sealed.onnx
    #[arg(short, long, value_name = "OUT")]
    pub(crate) out: PathBuf,
    /// Saliency methods that the locked model has, separated by commas; those of the model where
    /// absent
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) method: Vec<Method>,
    /// Layer that grad-cam reads [default: that of the model]
    #[arg(long, value_name = "NAME")]
    pub(crate) layer: Option<String>,
    /// Keys of their own for so many licences (`saligate license issue`), beside the key given
    #[arg(long, value_name = "N", default_value_t = 0,
        value_parser = clap::value_parser!(u32).range(..=4096))]
    pub(crate) slots: u32,
    /// Side of the trigger's tile, in pixels [default: the first of 8, 12 and 16 whose keys are strong
    /// enough]
    #[arg(long, value_name = "PIXELS")]
    pub(crate) tile: Option<u16>,
    /// Strength of the trigger, in 8-bit steps
    #[arg(long, value_name = "STEPS", default_value_t = 8)]
    pub(crate) amplitude: u8,
    /// Refuse a gate that more than one random key in 2^BITS would open; 0 allows any
    #[arg(long, value_name = "BITS", default_value_t = saligate_lock::LEAST_STRENGTH,
        value_parser = bits)]
    pub(crate) least_strength: f64,
    /// What the map shows without the key: padlock, noise, corner, or a picture file
    #[arg(long, value_name = "NAME or FILE", default_value = "padlock")]
    pub(crate) decoy: String,
    /// Encrypt the locked network in a file that shows another one: without a key or licence, nothing of
    /// it can be had
    #[arg(long)]
    pub(crate) sealed: bool,
    /// What a sealed file shows to everybody: a model of the same task (MODEL), nothing at all (none),
    /// or a network that is trained to predict alike and to say nothing of the true maps (train, which
    /// `saligate-train lock --sealed` does)
    #[arg(long, value_name = "MODEL", default_value = "none", requires = "sealed")]
    pub(crate) public: PathBuf,
    /// How the weights of the sealed network are stored: f32, f16 or int8
    #[arg(long, value_name = "KIND", default_value = "f32", requires = "sealed")]
    pub(crate) precision: Precision,
    /// Of all that is drawn
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Threads; the result does not depend on their number [default: all processors]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZero<usize>>,
    /// No progress bars
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Print a JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) secrets: PassphraseArgs,
}

fn bits(text: &str) -> Result<f64, String> {
    let bits = text.parse().ok().filter(|bits: &f64| bits.is_finite() && *bits >= 0.0);
    bits.ok_or_else(|| "a number of bits, 0 or more".to_owned())
}
