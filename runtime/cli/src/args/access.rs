//! What a model is opened with: a key, or a licence.

use std::path::PathBuf;

use clap::Args;

use super::PassphraseArgs;

/// The right to what a model withholds.
#[derive(Args)]
#[command(next_help_heading = "Keys and licences")]
pub(crate) struct AccessArgs {
    /// Key file; without one or a licence a locked model shows its decoy, and a sealed one what its
    /// file shows to everybody
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
    #[command(flatten)]
    pub(crate) secrets: PassphraseArgs,
}

impl AccessArgs {
    /// Whether a key or licence is given.
    pub(crate) fn any(&self) -> bool {
        self.key.is_some() || self.license.is_some()
    }
}
