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
    Explain(ExplainArgs),
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
    /// Saliency method; the model's first where absent
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
