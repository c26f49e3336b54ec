//! The `saligate` program: what a device or a licence holder runs.

mod args;
mod bench;
mod compile;
mod demo;
mod device;
mod error;
mod explain;
mod foreign;
mod identity;
mod import;
mod inspect;
mod jobs;
mod key;
mod license;
mod outputs;
mod passes;
mod predict;
mod revoke;
mod running;
mod secrets;
mod sign;
mod trace;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use error::{CliError, Outcome};

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        // A reader that has seen enough is no error.
        Err(CliError { outcome: Outcome::ReaderGone, .. }) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("saligate: {}", printable(&error.to_string()));
            ExitCode::from(if error.outcome == Outcome::No { 1 } else { 2 })
        }
    }
}

fn run(command: Command) -> Result<(), CliError> {
    match command {
        Command::Predict(args) => predict::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Compile(args) => compile::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Key(command) => key::run(&command),
        Command::Identity(command) => identity::run(&command),
        Command::License(command) => license::run(&command),
        Command::Revoke(args) => revoke::run(&args),
        Command::Trace(args) => trace::run(&args),
        Command::Sign(args) => sign::sign(&args),
        Command::Verify(args) => sign::verify(&args),
        Command::Device => device::run(),
    }
}

/// Writes one line to standard output.
fn emit(line: &str) -> Result<(), CliError> {
    Ok(writeln!(std::io::stdout(), "{}", printable(line))?)
}

/// A path as it stands in JSON, which has no place for bytes that are not UTF-8.
fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The text without control characters, those of the direction of text among them, which names in a
/// file may hold.
fn printable(text: &str) -> String {
    let control = |c: char| match c {
        '\n' | '\t' => false,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        _ => c.is_control(),
    };
    text.chars().map(|c| if control(c) { '\u{fffd}' } else { c }).collect()
}
