//! An audit from its first check to its last.

use crate::bench::{Bench, Settings};
use crate::check::{CHECKS, CheckInfo};
use crate::deadline::Deadline;
use crate::error::Stop;
use crate::finding::{Finding, Verdict};
use crate::pictures::Pictures;
use crate::subject::Subject;

/// Part of the time that explaining the pictures may take.
const EXPLAINING: f64 = 0.3;

/// What is told while an audit runs.
#[derive(Clone, Debug)]
pub enum Event {
    /// A check begins, with its position among those that are made.
    Begins(&'static CheckInfo, usize),
    /// A check has an answer.
    Found(Finding),
}

/// Makes the checks that the settings name, and tells each answer as soon as it is there. Every check that is
/// made has one, *unknown* where its time ran out or it does not apply.
pub fn audit(
    subject: &Subject,
    pictures: &Pictures,
    settings: &Settings,
    tell: &mut dyn FnMut(Event),
) {
    let deadline = Deadline::after(settings.budget);
    let named = |check: &&CheckInfo| {
        settings.checks.is_empty() || settings.checks.iter().any(|name| name == check.name)
    };
    let bench = Bench::new(subject, pictures, settings, deadline.share(EXPLAINING));
    for (at, check) in CHECKS.iter().filter(named).enumerate() {
        tell(Event::Begins(check, at));
        let found = match &bench {
            Ok(bench) => (check.run)(bench, deadline.share(check.share)),
            Err(Stop::Time) => Err(Stop::Time),
            Err(stop) => Err(Stop::Inapplicable(stop.to_string())),
        };
        match found {
            Ok(findings) => findings.into_iter().for_each(|finding| tell(Event::Found(finding))),
            Err(stop) => {
                let says = stop.to_string();
                tell(Event::Found(Finding::new(check.name, Verdict::Unknown, says)));
            }
        }
    }
}
