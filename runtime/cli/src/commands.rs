//! What each command does. What two of them do alike is in `shared`.

#[cfg(feature = "audit")]
mod audit;
mod bench;
#[cfg(feature = "audit")]
mod card;
mod compile;
mod demo;
mod device;
mod explain;
mod identity;
mod import;
mod inspect;
mod key;
mod license;
#[cfg(feature = "lock")]
mod lock;
#[cfg(feature = "audit")]
mod metrics;
mod predict;
mod revoke;
mod sign;
mod trace;
mod unseal;
mod verify;

use saligate_console::Failure;

use crate::args::Command;

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Predict(args) => predict::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Compile(args) => compile::run(&args),
        #[cfg(feature = "lock")]
        Command::Lock(args) => lock::run(&args),
        Command::Unseal(args) => unseal::run(&args),
        #[cfg(feature = "audit")]
        Command::Audit(args) => audit::run(&args),
        #[cfg(feature = "audit")]
        Command::Metrics(args) => metrics::run(&args),
        #[cfg(feature = "audit")]
        Command::Card(args) => card::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Key(command) => key::run(&command),
        Command::Identity(command) => identity::run(&command),
        Command::License(command) => license::run(&command),
        Command::Revoke(args) => revoke::run(&args),
        Command::Trace(args) => trace::run(&args),
        Command::Sign(args) => sign::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Device => device::run(),
    }
}
