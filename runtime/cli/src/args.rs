//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Predicts, and explains predictions, with models whose explanations are locked to a key.
///
/// Exit codes: 0 done, 1 the answer is no (the key belongs to another model), 2 error.
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
    /// Show what a model file says of itself
    Inspect(InspectArgs),
    /// Show the shipped model without a key, with a wrong key and with the key
    Demo(DemoArgs),
    /// Make and read key files
    #[command(subcommand)]
    Key(KeyCommand),
}

#[derive(Args)]
pub(crate) struct PredictArgs {
    /// Model file (ONNX)
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
}

#[derive(Args)]
pub(crate) struct ExplainArgs {
    /// Model file (ONNX)
    pub(crate) model: PathBuf,
    /// Picture (PNG or JPEG, any size and mode)
    pub(crate) image: PathBuf,
    /// Key file; without one a locked model shows its decoy
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Class to explain, by number or label; the predicted one where absent
    #[arg(long, value_name = "CLASS")]
    pub(crate) class: Option<String>,
    /// Saliency method: one of the model's (see `inspect`; the first where absent), or smoothgrad,
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
    /// Print a JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) passes: PassArgs,
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
    /// Pictures that are run at once, 1 to 256 [default: 1]
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
    },
    /// Print the public id of a key file
    Show {
        /// Key file
        file: PathBuf,
    },
}
