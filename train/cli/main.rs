//! The `saligate-train` program: parse, resolve, do, report.

mod args;
mod commands;
mod session;

use std::process::ExitCode;

use clap::Parser;
use saligate_console::exit_code;

use args::Cli;

fn main() -> ExitCode {
    match commands::run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit_code("saligate-train", &error.into()),
    }
}
