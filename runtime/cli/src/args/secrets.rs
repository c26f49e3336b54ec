//! Key and identity files, and their passphrases.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use saligate_console::secrets::{Resealing, Seal};

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

impl PassphraseArgs {
    pub(crate) fn file(&self) -> Option<&Path> {
        self.passphrase_file.as_deref()
    }
}

impl SealArgs {
    pub(crate) fn seal(&self) -> Seal {
        match &self.passphrase_file {
            Some(file) => Seal::FromFile(file.clone()),
            None if self.passphrase => Seal::Ask,
            None => Seal::No,
        }
    }
}

impl ProtectArgs {
    pub(crate) fn resealing(&self) -> Resealing<'_> {
        Resealing {
            file: &self.file,
            new: &self.new,
            passphrase_file: self.passphrase_file.as_deref(),
            old_passphrase_file: self.old_passphrase_file.as_deref(),
        }
    }
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
