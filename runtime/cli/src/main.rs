//! The `saligate` program: what vendors, licence holders and devices run.
//!
//! | room | what it holds |
//! |---|---|
//! | `args` | the command line |
//! | `commands` | what each command does; none uses another |
//! | `shared` | what several commands do alike |

mod args;
mod commands;
mod shared;

use std::process::ExitCode;

use clap::Parser;
use saligate_runtime::WipingAllocator;

/// Nothing of a sealed network is left in memory when it is closed.
#[global_allocator]
static ALLOCATOR: WipingAllocator = WipingAllocator;

fn main() -> ExitCode {
    match commands::run(args::Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => saligate_console::exit_code("saligate", &failure),
    }
}
