//! What the program does to a vendor's and a user's files, on the shipped demo, whose one key all
//! licences share. What needs a trainer is tested in the crate `tests`.

mod compile;
mod demo;
mod explain;
mod folder;
mod inspect;
mod issue;
mod json;
mod ledger;
#[cfg(feature = "lock")]
mod lock;
mod outputs;
mod secrets;
mod several;
#[cfg(target_os = "linux")]
mod terminal;
