//! Audits: is this model's explanation to be trusted?
//!
//! [`audit`] runs the [`CHECKS`] on a classifier and some pictures, without training and without a word
//! of whoever made it, and gives [`Finding`]s with their evidence. A finding is *found*, *not found* or
//! *unknown*; that nothing was found does not make a model safe.
//!
//! | area | what it looks at | module |
//! |---|---|---|
//! | structure | the operations and constants of the network | `structure` |
//! | behaviour | what maps do where pictures, classes and weights change | `behaviour` |
//! | triggers | patterns that change maps while predictions stay | `triggers` |
//! | labels | patterns that change predictions | `labels` |
//!
//! [`metrics`] scores saliency methods on a model's pictures.
//!
//! A check is one file and one line in the registry. [`report`] turns findings into text, JSON and a
//! page for a browser. [`search`] is the search for a tile that the trigger checks, and the evaluation of
//! gates, are made of.

mod behaviour;
mod bench;

mod check;
mod deadline;
mod error;
mod explainer;
mod finding;
pub mod hats;
mod labels;
pub mod metrics;
pub mod moments;
mod ordinary;
mod pictures;
pub mod report;
mod run;
pub mod search;
mod similarity;
mod structure;
mod subject;
mod triggers;

pub use bench::Settings;
pub use check::{Area, CHECKS, CheckInfo};
pub use error::AuditError;
pub use finding::{Finding, Number, Shown, Verdict};
pub use pictures::Pictures;
pub use run::{Event, audit};
pub use structure::flat_operations;
pub use subject::Subject;
