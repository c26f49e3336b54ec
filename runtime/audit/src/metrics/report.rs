//! Scores of all methods, for people and programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use saligate_models::metrics::interval::{CONFIDENCE, Mean, Rate};
use saligate_models::metrics::{Direction, MAP_METRICS, MapMetric};
use saligate_runtime::render::RenderError;
use serde::{Deserialize, Serialize};

use super::measured::Figures;
use super::{MapSettings, MetricsError, RANDOM};
use crate::report::page::{Mark, Page};
use crate::report::{curves, short};

/// Version of the JSON form.
pub const SCHEMA: u32 = 1;

/// A mean with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Mean over the pictures.
    pub value: f64,
    /// Its 95 % interval.
    pub interval: [f64; 2],
}

impl From<Mean> for Score {
    fn from(mean: Mean) -> Self {
        Self { value: mean.value, interval: [mean.low, mean.high] }
    }
}

/// What was measured of a method.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MethodScores {
    /// Its name.
    pub method: String,
    /// By the names of [`MAP_METRICS`]; those that do not apply are absent.
    pub scores: BTreeMap<String, Score>,
    /// How much each score is better than that of a random map, picture by picture, for those that are
    /// to tell faith; positive is better.
    pub beyond_random: BTreeMap<String, Score>,
    /// Mean curves, from none of the pixels to all.
    pub insertion_curve: Vec<f64>,
    /// Likewise.
    pub deletion_curve: Vec<f64>,
}

/// Scores of all methods on some pictures.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MapReport {
    /// Version of this form.
    pub schema: u32,
    /// What made it.
    pub made_by: String,
    /// The model's file.
    pub model: String,
    /// Where the pictures are from.
    pub data: String,
    /// How many they are.
    pub pictures: usize,
    /// Where random numbers started.
    pub seed: u64,
    /// Confidence of the intervals.
    pub confidence: f64,
    /// One for every method, and the control behind them.
    pub methods: Vec<MethodScores>,
}

impl MapReport {
    pub(super) fn new<'a>(
        names: impl Iterator<Item = &'a str>,
        all: &[Vec<Figures>],
        settings: &MapSettings,
    ) -> Result<Self, MetricsError> {
        let methods = names.enumerate().map(|(at, name)| method(name, at, all));
        Ok(Self {
            schema: SCHEMA,
            made_by: format!("saligate {}", env!("CARGO_PKG_VERSION")),
            model: String::new(),
            data: String::new(),
            pictures: all.len(),
            seed: settings.seed,
            confidence: CONFIDENCE,
            methods: methods.collect::<Result<_, _>>()?,
        })
    }

    /// The same with what was measured, and on what.
    pub fn of(self, model: &str, data: &str) -> Self {
        Self { model: model.to_owned(), data: data.to_owned(), ..self }
    }

    /// The JSON form.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// A row for each metric and a column for each method.
    pub fn text(&self) -> String {
        let mut rows = vec![vec!["metric".to_owned(), "direction".to_owned()]];
        rows[0].extend(self.methods.iter().map(|method| method.method.clone()));
        rows.extend(self.measured().map(|metric| self.row(metric)));
        let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
        let mut text = String::new();
        for row in &rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
        for told in self.told_apart() {
            let _ = writeln!(text, "{told}");
        }
        text
    }

    /// The same in Markdown.
    pub fn markdown(&self) -> String {
        let names: Vec<&str> = self.methods.iter().map(|m| m.method.as_str()).collect();
        let mut text = format!("| metric | direction | {} |\n", names.join(" | "));
        let _ = writeln!(text, "|---|---|{}", "---|".repeat(names.len()));
        for metric in self.measured() {
            let _ = writeln!(text, "| {} |", self.row(metric).join(" | "));
        }
        text.push('\n');
        for told in self.told_apart() {
            let _ = writeln!(text, "- {told}");
        }
        text
    }

    /// The page.
    ///
    /// # Errors
    /// A drawing cannot be encoded.
    pub fn page(&self) -> Result<String, RenderError> {
        let mut page = Page::new(&format!("Saliency methods on {}", self.model));
        page.paragraph(&format!(
            "Means over {} pictures ({}) with {:.0} % intervals. The column '{RANDOM}' is a control: maps that \
             are random numbers.",
            self.pictures,
            self.data,
            100.0 * self.confidence
        ));
        page.heading(2, "Scores");
        let names = self.methods.iter().map(|m| m.method.as_str());
        let head: Vec<&str> = ["metric", "direction"].into_iter().chain(names).collect();
        let rows: Vec<Vec<String>> = self.measured().map(|metric| self.row(metric)).collect();
        page.table(&head, &rows);
        page.heading(2, "Right maps and random ones");
        for told in self.told_apart() {
            let mark = if told.not_by.is_empty() { Mark::Good } else { Mark::Open };
            let word = match (told.by.len(), told.not_by.len()) {
                (0, _) => "not told apart",
                (_, 0) => "told apart",
                _ => "partly",
            };
            page.marked(mark, word, &told.to_string());
        }
        page.heading(2, "Curves");
        page.curves("probability of the class while pixels appear (insertion)", &self.curves(true));
        page.curves("probability of the class while pixels go (deletion)", &self.curves(false));
        page.heading(2, "What the scores are");
        let rows: Vec<Vec<&str>> = self
            .measured()
            .map(|metric| vec![metric.name, metric.about, metric.direction.words(), metric.source])
            .collect();
        page.table(&["metric", "what", "direction", "source"], &rows);
        page.paragraph(&format!("Made by {} with seed {}.", self.made_by, self.seed));
        Ok(page.finished())
    }

    /// Both curves of all methods, as a drawing of its own (SVG).
    pub fn plot(&self) -> String {
        curves::sheet(&[
            ("insertion: probability while pixels appear", &self.curves(true)),
            ("deletion: probability while pixels go", &self.curves(false)),
        ])
    }

    fn curves(&self, insertion: bool) -> Vec<(&str, &[f64])> {
        self.methods
            .iter()
            .map(|m| {
                let values = if insertion { &m.insertion_curve } else { &m.deletion_curve };
                (m.method.as_str(), values.as_slice())
            })
            .collect()
    }

    /// The metrics that any method has.
    fn measured(&self) -> impl Iterator<Item = &'static MapMetric> {
        MAP_METRICS.iter().filter(|metric| {
            self.methods.iter().any(|method| method.scores.contains_key(metric.name))
        })
    }

    fn row(&self, metric: &MapMetric) -> Vec<String> {
        let cell = |method: &MethodScores| {
            method.scores.get(metric.name).map_or_else(String::new, |score| {
                let [low, high] = score.interval.map(short);
                format!("{} ({low} to {high})", short(score.value))
            })
        };
        let first = [metric.name.to_owned(), metric.direction.words().to_owned()];
        first.into_iter().chain(self.methods.iter().map(cell)).collect()
    }

    /// Which metrics tell the maps of each method from random ones.
    fn told_apart(&self) -> Vec<Told<'_>> {
        let methods = self.methods.iter().filter(|method| method.method != RANDOM);
        methods
            .map(|method| {
                let names = |told: bool| -> Vec<&str> {
                    let all = method.beyond_random.iter();
                    let own = all.filter(|(_, score)| (score.interval[0] > 0.0) == told);
                    own.map(|(name, _)| name.as_str()).collect()
                };
                Told { method: &method.method, by: names(true), not_by: names(false) }
            })
            .collect()
    }
}

/// Which metrics tell a method from random maps.
struct Told<'a> {
    method: &'a str,
    by: Vec<&'a str>,
    not_by: Vec<&'a str>,
}

impl std::fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { method, by, not_by, .. } = self;
        match (&by[..], &not_by[..]) {
            ([], _) => write!(f, "{method} is not told from a random map by {}", not_by.join(", ")),
            (_, []) => write!(f, "{method} is told from a random map by {}", by.join(", ")),
            _ => write!(
                f,
                "{method} is told from a random map by {}, and not by {}",
                by.join(", "),
                not_by.join(", ")
            ),
        }
    }
}

/// A mean, or the share of pictures where each is a hit or a miss.
fn score(metric: &MapMetric, values: &[f64]) -> Result<Score, MetricsError> {
    if metric.name != "pointing_game" {
        return Ok(Mean::of(values)?.into());
    }
    let hits = values.iter().filter(|value| **value > 0.0).count();
    let rate = Rate::of(hits as u64, values.len() as u64)?;
    Ok(Score { value: rate.value, interval: [rate.low, rate.high] })
}

fn method(name: &str, at: usize, all: &[Vec<Figures>]) -> Result<MethodScores, MetricsError> {
    let own: Vec<&Figures> = all.iter().map(|picture| &picture[at]).collect();
    let control: Vec<&Figures> = all.iter().filter_map(|picture| picture.last()).collect();
    let (mut scores, mut beyond_random) = (BTreeMap::new(), BTreeMap::new());
    for metric in MAP_METRICS {
        let values: Vec<f64> =
            own.iter().filter_map(|figures| figures.scores.get(metric.name).copied()).collect();
        if values.is_empty() {
            continue;
        }
        scores.insert(metric.name.to_owned(), score(metric, &values)?);
        if metric.tells_faith && name != RANDOM {
            let sign = if metric.direction == Direction::LowerIsBetter { -1.0 } else { 1.0 };
            let pairs = own.iter().zip(&control);
            let better: Vec<f64> = pairs
                .map(|(own, other)| sign * (own.scores[metric.name] - other.scores[metric.name]))
                .collect();
            beyond_random.insert(metric.name.to_owned(), Mean::of(&better)?.into());
        }
    }
    let mean = |curve: fn(&Figures) -> &[f64]| -> Vec<f64> {
        let points = curve(own[0]).len();
        let point = |at: usize| own.iter().map(|f| curve(f)[at]).sum::<f64>() / own.len() as f64;
        (0..points).map(point).collect()
    };
    Ok(MethodScores {
        method: name.to_owned(),
        scores,
        beyond_random,
        insertion_curve: mean(|figures| &figures.insertion),
        deletion_curve: mean(|figures| &figures.deletion),
    })
}
