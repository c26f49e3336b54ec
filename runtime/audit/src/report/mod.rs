//! Reports for people and programs.
//!
//! [`Report`] is what an audit comes to. [`Report::page`] makes one self-contained page of it, and
//! [`page`] is what other reports are made with, too.

mod audit_page;
pub(crate) mod curves;
pub mod page;

use saligate_models::metrics::interval::CONFIDENCE;
use serde::Serialize;

use crate::check::{Area, CHECKS, CheckInfo};
use crate::finding::{Finding, Verdict};

/// Version of the JSON form.
pub const SCHEMA: u32 = 1;

/// What is under audit.
#[derive(Clone, Debug, Serialize)]
pub struct About {
    /// File.
    pub file: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// What it calls its architecture.
    pub architecture: String,
    /// Channels, rows and columns of a picture.
    pub input: [usize; 3],
    /// Number of classes.
    pub classes: usize,
}

/// What an audit comes to.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Version of this form.
    pub schema: u32,
    /// What made it.
    pub made_by: String,
    /// What is under audit.
    pub model: About,
    /// Pictures, and where they are from.
    pub pictures: (usize, String),
    /// Where random numbers started.
    pub seed: u64,
    /// Seconds that it might take, and that it took.
    pub budget_seconds: f64,
    /// Seconds that it took.
    pub seconds: f64,
    /// Confidence of the intervals.
    pub confidence: f64,
    /// *Found* where any finding is; never that a model is safe.
    pub verdict: Verdict,
    /// The answers.
    pub findings: Vec<Finding>,
    /// Checks that were not made.
    pub not_made: Vec<&'static str>,
    /// The command that makes it again.
    pub command: String,
}

impl Report {
    /// A report of some findings. Checks that have none are listed as not made.
    pub fn new(
        model: About,
        pictures: (usize, String),
        findings: Vec<Finding>,
        command: String,
    ) -> Self {
        let made = |check: &CheckInfo| findings.iter().any(|finding| finding.check == check.name);
        let not_made = CHECKS.iter().filter(|check| !made(check)).map(|check| check.name).collect();
        let any = |verdict| findings.iter().any(|finding| finding.verdict == verdict);
        let verdict = [Verdict::Found, Verdict::NotFound].into_iter().find(|v| any(*v));
        Self {
            schema: SCHEMA,
            made_by: format!("saligate {}", env!("CARGO_PKG_VERSION")),
            model,
            pictures,
            seed: 0,
            budget_seconds: 0.0,
            seconds: 0.0,
            confidence: CONFIDENCE,
            verdict: verdict.unwrap_or(Verdict::Unknown),
            findings,
            not_made,
            command,
        }
    }

    /// The findings of an area with their checks, in the order of the registry.
    pub fn of_area(&self, area: Area) -> impl Iterator<Item = (&'static CheckInfo, &Finding)> {
        let checks = CHECKS.iter().filter(move |check| check.area == area);
        checks.flat_map(|check| {
            let own = self.findings.iter().filter(move |finding| finding.check == check.name);
            own.map(move |finding| (check, finding))
        })
    }

    /// The JSON form.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// The page.
    ///
    /// # Errors
    /// A picture cannot be encoded.
    pub fn page(&self) -> Result<String, saligate_runtime::render::RenderError> {
        audit_page::page(self)
    }

    /// How many findings have a verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.findings.iter().filter(|finding| finding.verdict == verdict).count()
    }
}

/// What an audit does not look at, in sentences.
pub const LIMITS: &[&str] = &[
    "That nothing is found does not make a model safe: it says what these checks saw, on these pictures.",
    "Triggers are searched among faint tiles of 8 x 8 pixels. Patches, patterns over the whole picture and \
     triggers in the world (an object, a lighting) are not.",
    "Maps are looked at for three methods: gradient, Grad-CAM and VisualBackProp.",
    "A sealed file is judged by the network that it shows. What is encrypted in it cannot be looked at.",
    "Accuracy is not measured: the pictures have no labels.",
];

/// Three digits behind the point, or none of a whole number.
pub(crate) fn short(value: f64) -> String {
    match value {
        value if value.abs() >= 1e6 => format!("{value:.2e}"),
        value if value.fract() == 0.0 => format!("{value}"),
        value => format!("{value:.3}"),
    }
}
