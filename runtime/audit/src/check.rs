//! The registry of checks: a file and a line here for each.

use serde::Serialize;

use crate::bench::Bench;
use crate::deadline::Deadline;
use crate::error::Stop;
use crate::finding::Finding;
use crate::{behaviour, labels, structure, triggers};

/// What a check looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Area {
    /// Operations and constants.
    Structure,
    /// Maps where pictures, classes and weights change.
    Behaviour,
    /// Patterns that change maps.
    Triggers,
    /// Patterns that change predictions.
    Labels,
}

impl Area {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Structure => "structure",
            Self::Behaviour => "behaviour",
            Self::Triggers => "triggers",
            Self::Labels => "labels",
        }
    }
}

/// What a check is.
#[derive(Clone, Copy, Debug)]
pub struct CheckInfo {
    /// Its name, for `--check`.
    pub name: &'static str,
    /// What it looks at.
    pub area: Area,
    /// What it asks, in a sentence.
    pub about: &'static str,
    /// Part of the time that is left when it begins which it may take.
    pub(crate) share: f64,
    pub(crate) run: fn(&Bench<'_>, Deadline) -> Result<Vec<Finding>, Stop>,
}

/// All checks, in the order in which they are made: the quick ones first.
pub const CHECKS: &[CheckInfo] = &[
    structure::FLAT,
    structure::CONSTANTS,
    structure::SILENT,
    structure::ADDED,
    structure::CLAIMS,
    behaviour::DIFFERENCES,
    behaviour::SAME,
    behaviour::AGREEMENT,
    behaviour::EVIDENCE,
    behaviour::CLASSES,
    behaviour::WEIGHTS,
    behaviour::NOISE,
    triggers::SEARCH,
    labels::STRIP,
    labels::NEURAL_CLEANSE,
];
