//! What the programs `saligate` and `saligate-train` share at a terminal.
//!
//! | module | what it holds |
//! |---|---|
//! | [`Failure`] | the one error of a program: what happened, what to try, and the exit code |
//! | [`print`](mod@print) | lines of standard output |
//! | [`secrets`] | key and identity files, and their passphrases |
//! | [`outputs`] | what results may replace |
//! | [`progress`] | bars on standard error |

mod error;
pub mod outputs;
pub mod print;
pub mod progress;
pub mod secrets;

pub use error::{Failure, Outcome, exit_code};
pub use print::{emit, printable, shown};
