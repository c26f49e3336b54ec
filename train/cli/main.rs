//! The `saligate-train` program.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("saligate-train: {error}");
            ExitCode::from(2)
        }
    }
}
