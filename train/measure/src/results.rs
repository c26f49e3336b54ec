//! Results as data: one JSON file of rows, and a Markdown table made from it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use saligate_audit::report::page::Page;
use saligate_models::metrics::{self, Direction};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::MeasureError;
use crate::evaluate::Metrics;
use crate::rows;

/// One measured run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// form-method-net-data.
    pub id: String,
    /// The method that the maps were made with.
    pub method: String,
    /// The whole configuration.
    pub config: Value,
    /// Its seed.
    pub seed: u64,
    /// Its data source.
    pub data: String,
    /// Commit of the program that made the row.
    pub commit: String,
    /// Values by metric name, and intervals `[low, high]` by that name with `_ci`.
    pub metrics: Map<String, Value>,
}

/// What a row says of the run that made the model.
pub struct Run<'a> {
    /// form-method-net-data.
    pub id: &'a str,
    /// The whole configuration.
    pub config: Value,
    /// Its seed.
    pub seed: u64,
    /// Its data source.
    pub data: &'a str,
    /// Commit of the program that measures.
    pub commit: &'a str,
}

impl Row {
    /// A row of figures measured with a method, which the id names where there are several.
    pub fn new(run: &Run<'_>, method: &str, several: bool, measured: Metrics) -> Self {
        let mut metrics = Map::new();
        for (name, (value, interval)) in measured {
            if interval != [value; 2] {
                metrics.insert(format!("{name}_ci"), rounded(interval).into());
            }
            metrics.insert(name, rounded([value])[0].into());
        }
        Self {
            id: if several { format!("{}/{method}", run.id) } else { run.id.to_owned() },
            method: method.to_owned(),
            config: run.config.clone(),
            seed: run.seed,
            data: run.data.to_owned(),
            commit: run.commit.to_owned(),
            metrics,
        }
    }

    /// The row as one line of JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The figures as text, one a line.
    pub fn table(&self) -> String {
        let mut text = format!("{} (seed {})\n", self.id, self.seed);
        for (name, value) in self.figures() {
            let _ = writeln!(text, "  {name:<26} {value}");
        }
        text
    }

    fn figures(&self) -> impl Iterator<Item = (&str, String)> {
        let values = self.metrics.iter().filter(|(name, _)| !name.ends_with("_ci"));
        values.map(|(name, value)| (name.as_str(), self.cell(name, value)))
    }

    fn cell(&self, name: &str, value: &Value) -> String {
        let number = |v: &Value| v.as_f64().map_or_else(String::new, |v| short(name, v));
        match self.metrics.get(&format!("{name}_ci")).and_then(Value::as_array).map(Vec::as_slice) {
            Some([low, high]) => format!("{} ({} to {})", number(value), number(low), number(high)),
            _ => number(value),
        }
    }
}

/// A page of some rows for a browser: what was measured, which way is better, and of what.
pub fn page(rows: &[Row]) -> String {
    let mut page = Page::new("Evaluation of a gated model");
    page.paragraph(
        "Values are means over test images, with 95 % intervals in brackets. Similarities compare a map with \
         that of the clean model for the image without trigger.",
    );
    for row in rows {
        page.heading(2, &row.id);
        let figures: Vec<Vec<String>> = row
            .figures()
            .map(|(name, value)| {
                let info = metrics::info(name);
                let about = info.map_or("", |info| info.about);
                let better = info.map_or("", |info| info.direction.words());
                vec![name.to_owned(), value, better.to_owned(), about.to_owned()]
            })
            .collect();
        page.table(&["metric", "value", "direction", "what"], &figures);
        page.table(
            &["", ""],
            &[
                vec!["method".to_owned(), row.method.clone()],
                vec!["data".to_owned(), row.data.clone()],
                vec!["seed".to_owned(), row.seed.to_string()],
                vec!["made by".to_owned(), format!("saligate {}", env!("CARGO_PKG_VERSION"))],
            ],
        );
        page.heading(3, "configuration");
        page.code(&serde_json::to_string_pretty(&row.config).unwrap_or_default());
    }
    page.finished()
}

/// Writes the page of some rows.
///
/// # Errors
/// The file cannot be written.
pub fn write_page(path: &Path, all: &[Row]) -> Result<(), MeasureError> {
    rows::write(path, &page(all))
}

/// Puts a row into a results file, in the place of the row with its id if there is one.
///
/// # Errors
/// The file is no results file, or cannot be written.
pub fn put(path: &Path, row: Row) -> Result<(), MeasureError> {
    rows::put(path, row, |a, b| a.id == b.id).map(drop)
}

/// Writes the table of a results file beside it, with the ending `.md`.
///
/// # Errors
/// The file is no results file, or the table cannot be written.
pub fn write_table(path: &Path) -> Result<PathBuf, MeasureError> {
    let table = path.with_extension("md");
    rows::write(&table, &markdown(&rows::read(path)?))?;
    Ok(table)
}

/// The table of some rows as Markdown.
pub fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "# Results\n\n\
         Made from results.json by `saligate-train results docs/results.json`.\n\n\
         Values are means over test images, with 95 % intervals. Similarities compare a map with \
         that of the clean\nmodel for the image without trigger. `unlocked` counts the wrong keys \
         whose mean Spearman correlation lies\nabove the midpoint of locked and keyed.\n\n\
         All gates are built into the graph ([gate.md](gate.md)), except in rows whose id begins \
         with `trained`. Those whose id begins with `sealed` are encrypted in a file that\nshows \
         another network: `rho` is what an attacker makes of that file ([strength.md](strength.md)).\n",
    );
    for columns in [KEY_FORM, BACKDOORED, SEALED] {
        text.push_str(&glance(rows, columns));
    }
    for row in rows {
        let _ = write!(
            text,
            "\n## {}\n\nData `{}`, seed {}, commit {}.\n\n\
             | metric | value (95 % interval) | better |\n|---|---|---|\n",
            row.id,
            row.data,
            row.seed,
            if row.commit.is_empty() { "not named" } else { &row.commit },
        );
        for (name, value) in row.figures() {
            let _ = writeln!(text, "| {name} | {value} | {} |", better(name));
        }
    }
    text
}

/// What is shown of each row at a glance: a heading, and metrics by the heading of their column.
type Columns = (&'static str, &'static [(&'static str, &'static str)]);

const KEY_FORM: Columns = (
    "Key form",
    &[
        ("accuracy clean", "accuracy_clean"),
        ("without key", "accuracy_locked"),
        ("with key", "accuracy_keyed"),
        ("Spearman keyed", "spearman_keyed"),
        ("top 10 % keyed", "top10_keyed"),
        ("Spearman locked", "spearman_locked"),
        ("wrong keys, mean", "spearman_wrong_mean"),
        ("wrong keys", "wrong_keys"),
        ("of which unlock", "unlocked"),
    ],
);

const BACKDOORED: Columns = (
    "Backdoored forms",
    &[
        ("accuracy clean", "accuracy_clean"),
        ("without trigger", "accuracy_plain"),
        ("with trigger", "accuracy_triggered"),
        ("Spearman without trigger", "spearman_plain"),
        ("MSE to the picture with trigger", "mse_decoy"),
        ("importance kept with trigger", "importance_kept"),
    ],
);

const SEALED: Columns = (
    "Sealed",
    &[
        ("accuracy shown", "accuracy_public"),
        ("with key", "accuracy_keyed"),
        ("agreement", "agreement"),
        ("Spearman keyed", "spearman_keyed"),
        ("shown: gradient", "rho_gradient"),
        ("finite differences", "rho_finite_differences"),
        ("SmoothGrad", "rho_smoothgrad"),
        ("integrated gradients", "rho_integrated_gradients"),
        ("Grad-CAM", "rho_grad_cam"),
        ("VisualBackProp", "rho_vbp"),
    ],
);

/// A table of the rows that have all of some metrics; empty where there are none.
fn glance(rows: &[Row], (heading, columns): Columns) -> String {
    let has = |row: &&Row| columns.iter().all(|(_, name)| row.metrics.contains_key(*name));
    let rows: Vec<&Row> = rows.iter().filter(has).collect();
    if rows.is_empty() {
        return String::new();
    }
    let heads: Vec<&str> = columns.iter().map(|(head, _)| *head).collect();
    let mut text = format!("\n## {heading}\n\n| row | {} |\n", heads.join(" | "));
    let _ = writeln!(text, "|---{}|", "|---".repeat(columns.len()));
    for row in rows {
        let value =
            |name: &str| row.metrics[name].as_f64().map_or_else(String::new, |v| short(name, v));
        let cells: Vec<String> = columns.iter().map(|(_, name)| value(name)).collect();
        let _ = writeln!(text, "| {} | {} |", row.id, cells.join(" | "));
    }
    text
}

fn better(name: &str) -> &'static str {
    match metrics::info(name).map(|info| info.direction) {
        Some(Direction::HigherIsBetter) => "higher",
        Some(Direction::LowerIsBetter) => "lower",
        Some(Direction::NearZeroIsBetter) => "near 0",
        Some(Direction::Neutral) | None => "",
    }
}

/// Six decimals: beyond what any of the figures can tell.
fn rounded<const N: usize>(values: [f64; N]) -> Vec<f64> {
    values.iter().map(|v| (v * 1e6).round() / 1e6).collect()
}

fn short(name: &str, value: f64) -> String {
    if metrics::info(name).is_some_and(|info| info.is_count) {
        format!("{value:.0}")
    } else if value.abs() >= 10.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.4}")
    }
}
