//! Audits, metrics and model cards.

use std::num::NonZero;
use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use saligate_data::DataSource;

use super::sources::source;
use super::{AccessArgs, ForeignArgs, PassArgs};

#[derive(Args)]
pub(crate) struct AuditArgs {
    /// Model file, or an ONNX classifier from elsewhere
    pub(crate) model: PathBuf,
    /// Pictures like those that the model is for, a few dozen, without any labels: a folder (DIR or
    /// folder:DIR, whatever the layout), or scenes:SIDE, idx:DIR, cifar10:DIR [default: drawn scenes,
    /// which say less about most models]
    #[arg(long, value_name = "SOURCE", value_parser = source)]
    pub(crate) data: Option<DataSource>,
    /// How many of the pictures are used
    #[arg(long, value_name = "N", default_value = "40")]
    pub(crate) pictures: NonZero<usize>,
    /// Write the findings as JSON; - for standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write a page for a browser, with all pictures in it
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Seconds after which the audit ends, whatever is left to do
    #[arg(long, value_name = "SECONDS", default_value = "240")]
    pub(crate) budget: NonZero<u32>,
    /// Make these checks only, separated by commas [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = checks())]
    pub(crate) check: Vec<String>,
    /// Where random numbers start
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) seed: u64,
    /// Threads that share the work [default: all]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZero<usize>>,
    #[command(flatten)]
    pub(crate) foreign: ForeignArgs,
}

fn checks() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(saligate_audit::CHECKS.iter().map(|check| check.name))
}

#[derive(Args)]
pub(crate) struct MetricsArgs {
    /// Model file, or an ONNX classifier from elsewhere
    pub(crate) model: PathBuf,
    /// Pictures: a folder (DIR or folder:DIR; with train/CLASS and val/CLASS and boxes.csv, the objects
    /// are known), or scenes:SIDE, idx:DIR, cifar10:DIR [default: drawn scenes]
    #[arg(long, value_name = "SOURCE", value_parser = source)]
    pub(crate) data: Option<DataSource>,
    /// Methods to compare, separated by commas, by their names in `explain` [default: those of the
    /// file; of a network from elsewhere gradient, input-x-gradient, guided-backprop, grad-cam, vbp]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) method: Vec<String>,
    /// How many of the pictures are used
    #[arg(long, value_name = "N", default_value = "40")]
    pub(crate) pictures: NonZero<usize>,
    /// Write the scores as JSON; - for standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Draw the curves of insertion and deletion (SVG)
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
    /// Write a page for a browser
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Where random numbers start
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) seed: u64,
    /// Threads, each with a picture of its own [default: all]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZero<usize>>,
    #[command(flatten)]
    pub(crate) passes: PassArgs,
    #[command(flatten)]
    pub(crate) access: AccessArgs,
    #[command(flatten)]
    pub(crate) foreign: ForeignArgs,
}

#[derive(Args)]
pub(crate) struct CardArgs {
    /// Model file
    pub(crate) model: PathBuf,
    /// Write the card (Markdown) [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Findings to put on it, as `audit --json` writes them
    #[arg(long, value_name = "FILE")]
    pub(crate) audit: Option<PathBuf>,
    /// Scores to put on it, as `metrics --json` writes them
    #[arg(long, value_name = "FILE")]
    pub(crate) metrics: Option<PathBuf>,
}
