//! What makes, measures and shows model files.

use std::num::NonZero;
use std::path::PathBuf;

use clap::Args;
use saligate_files::archive::Precision;
use saligate_models::saliency::Method;

use super::explaining::formats;
use super::{AccessArgs, ForeignArgs, PassphraseArgs};
use crate::shared::running::Engine;

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

impl Default for RunArgs {
    fn default() -> Self {
        let engine = Engine::default();
        Self { threads: NonZero::<usize>::MIN, precision: Precision::F32, engine }
    }
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
    /// change, but for sealed models, whose licences stay good
    #[arg(long, value_name = "KIND", default_value = "f32")]
    pub(crate) precision: Precision,
    #[arg(
        long,
        value_name = "PICTURES",
        num_args = 1..,
        help = format!("Pictures ({}) on which the maps before and after are compared", formats())
    )]
    pub(crate) compare: Vec<PathBuf>,
    /// Key file, to compare the maps with the key as well, and to seal the rounded weights of a sealed
    /// model; may be repeated where that was locked with several
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Vec<PathBuf>,
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
    #[command(flatten)]
    pub(crate) access: AccessArgs,
    /// Times that everything is run
    #[arg(long, value_name = "N", default_value = "30")]
    pub(crate) rounds: NonZero<usize>,
    /// Show how long each step of one method takes instead; `predict` for those of a prediction
    #[arg(long, value_name = "METHOD")]
    pub(crate) steps: Option<String>,
    /// Print a JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Write a page for a browser
    #[cfg(feature = "audit")]
    #[arg(long, value_name = "FILE", conflicts_with = "steps")]
    pub(crate) html: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) running: RunArgs,
    #[command(flatten)]
    pub(crate) foreign: ForeignArgs,
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
    /// Feature map that grad-cam reads, by the name of a node or of its output [default: the last
    /// feature map that the whole network passes through]
    #[arg(long, value_name = "NAME")]
    pub(crate) layer: Option<String>,
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
    /// Folder with clean.onnx, locked.onnx, demo.key and pictures in samples/ [default: the demo
    /// that ships in the program]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Audit the models instead, side by side
    #[cfg(feature = "audit")]
    #[arg(long, conflicts_with_all = ["out", "json"])]
    pub(crate) audit: bool,
    /// Where to write the panel (PNG)
    #[arg(short, long, value_name = "FILE", default_value = "saligate-demo.png")]
    pub(crate) out: PathBuf,
    /// Print one JSON object per picture
    #[arg(long)]
    pub(crate) json: bool,
}
