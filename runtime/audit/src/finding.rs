//! What an audit finds.

use saligate_models::metrics::interval::Mean;
use saligate_runtime::render::Canvas;
use serde::{Deserialize, Serialize};

use crate::check::CheckInfo;
use crate::error::Stop;

/// The answer of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Verdict {
    /// What the check looks for is there.
    #[serde(rename = "found")]
    Found,
    /// It could not be told.
    #[serde(rename = "unknown")]
    Unknown,
    /// The check saw nothing of it. Something else may be there.
    #[serde(rename = "not found")]
    NotFound,
}

impl Verdict {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Unknown => "unknown",
            Self::NotFound => "not found",
        }
    }

    /// Found or not found.
    pub(crate) fn of(found: bool) -> Self {
        if found { Self::Found } else { Self::NotFound }
    }
}

/// A measured number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Number {
    /// What it is, in words.
    pub name: String,
    /// The number.
    pub value: f64,
    /// Its 95 % interval, where it is a mean.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    /// The smallest and largest one of ordinary networks, where the same was measured on some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ordinary: Option<[f64; 2]>,
    /// Where the verdict turns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound: Option<f64>,
}

impl Number {
    /// A number that is no mean.
    pub(crate) fn new(name: &str, value: f64) -> Self {
        Self { name: name.to_owned(), value, interval: None, ordinary: None, bound: None }
    }

    /// A mean.
    pub(crate) fn mean(name: &str, mean: &Mean) -> Self {
        Self { interval: Some([mean.low, mean.high]), ..Self::new(name, mean.value) }
    }

    /// The same with where the verdict turns.
    pub(crate) fn bound(self, bound: f64) -> Self {
        Self { bound: Some(bound), ..self }
    }

    /// The same with those of ordinary networks.
    pub(crate) fn ordinary(self, ordinary: Option<[f64; 2]>) -> Self {
        Self { ordinary, ..self }
    }
}

/// A picture of the report.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// What it shows.
    pub caption: String,
    /// The drawing.
    pub canvas: Canvas,
}

/// The answer of a check, and what it rests on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The check.
    pub check: &'static str,
    /// The saliency method it is about, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<&'static str>,
    /// The answer.
    pub verdict: Verdict,
    /// The answer in words.
    pub says: String,
    /// The numbers it rests on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<Number>,
    /// Values of the network it is about, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// Pictures for people.
    #[serde(skip)]
    pub pictures: Vec<Shown>,
}

impl Finding {
    /// An answer without numbers yet.
    pub(crate) fn new(check: &'static str, verdict: Verdict, says: impl Into<String>) -> Self {
        Self {
            check,
            method: None,
            verdict,
            says: says.into(),
            numbers: Vec::new(),
            values: Vec::new(),
            pictures: Vec::new(),
        }
    }

    /// That a check was not reached within the time of the audit.
    pub fn unmade(check: &CheckInfo) -> Self {
        Self::new(check.name, Verdict::Unknown, Stop::Time.to_string())
    }

    /// The same about a method.
    pub(crate) fn of_method(self, method: &'static str) -> Self {
        Self { method: Some(method), ..self }
    }

    /// The same with numbers.
    pub(crate) fn numbers(self, numbers: impl IntoIterator<Item = Number>) -> Self {
        Self { numbers: numbers.into_iter().collect(), ..self }
    }

    /// The same with the names of values.
    pub(crate) fn values(self, values: Vec<String>) -> Self {
        Self { values, ..self }
    }

    /// The same with pictures.
    pub(crate) fn pictures(self, pictures: Vec<Shown>) -> Self {
        Self { pictures, ..self }
    }
}
