//! The command line.

mod access;
#[cfg(feature = "audit")]
mod auditing;
mod explaining;
mod licensing;
#[cfg(feature = "lock")]
mod locking;
mod models;
mod secrets;
#[cfg(any(feature = "audit", feature = "lock"))]
mod sources;

use clap::{Parser, Subcommand};

pub(crate) use access::AccessArgs;
#[cfg(feature = "audit")]
pub(crate) use auditing::{AuditArgs, CardArgs, MetricsArgs};
#[cfg(feature = "audit")]
pub(crate) use explaining::PassArgs;
pub(crate) use explaining::{ExplainArgs, ForeignArgs, PredictArgs};
pub(crate) use licensing::{
    CheckArgs, IssueArgs, LicenseCommand, RevokeArgs, SignArgs, TraceArgs, UnsealArgs, VerifyArgs,
};
#[cfg(feature = "lock")]
pub(crate) use locking::LockArgs;
pub(crate) use models::{BenchArgs, CompileArgs, DemoArgs, ImportArgs, InspectArgs, RunArgs};
pub(crate) use secrets::{IdentityCommand, KeyCommand, PassphraseArgs};

/// Predicts, and explains predictions, with models whose explanations are locked to a key.
///
/// Exit codes: 0 done, 1 the answer is no (the key belongs to another model, the licence has
/// expired, the signature does not fit, an audit found something), 2 error.
#[derive(Parser)]
#[command(name = "saligate", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Say what pictures show
    Predict(Box<PredictArgs>),
    /// Show which pixels made the model decide
    Explain(Box<ExplainArgs>),
    /// Make a model file of a network from elsewhere: an ONNX classifier and what its pixels mean
    Import(Box<ImportArgs>),
    /// Turn a model into the form that small devices read, with weights of fewer bits if wanted
    Compile(CompileArgs),
    /// Build a gate into a model: its maps become right with a key only, its predictions stay
    #[cfg(feature = "lock")]
    Lock(Box<LockArgs>),
    /// Give the vendor of a sealed model its true network back
    Unseal(UnsealArgs),
    /// Look for signs that the explanations of a model cannot be trusted
    #[cfg(feature = "audit")]
    Audit(Box<AuditArgs>),
    /// Compare saliency methods on pictures: do their maps show what predictions rest on?
    #[cfg(feature = "audit")]
    Metrics(Box<MetricsArgs>),
    /// Write a model card: what a file is, its gate, its figures and its limits (Markdown)
    #[cfg(feature = "audit")]
    Card(CardArgs),
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
    /// Mark a licence as revoked, and take its key out of the model
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
