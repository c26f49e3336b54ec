//! Audits of the demo's models, side by side.

use std::path::Path;
use std::time::Duration;

use saligate_audit::{Event, Finding, Pictures, Settings, Subject, Verdict, audit};
use saligate_console::{Failure, emit, progress};

use super::data::{models_of_folder, models_shipped};
use crate::shared::running::threads;
use crate::shared::sources::Wanted;

/// Pictures of each audit, and seconds that it may take.
const PICTURES: usize = 40;
const BUDGET: Duration = Duration::from_secs(60);

/// Audits all models with the same pictures and prints one table.
pub(super) fn run(dir: Option<&Path>) -> Result<(), Failure> {
    let models = match dir {
        Some(dir) => models_of_folder(dir)?,
        None => models_shipped()?.into(),
    };
    let failure = |error: saligate_audit::AuditError| Failure::new(error.to_string());
    let mut columns: Vec<Vec<Finding>> = Vec::new();
    let bar = progress::bar("audits", models.len(), false);
    for (name, file) in &models {
        let subject = Subject::of_file(file, name).map_err(failure)?;
        let wanted = Wanted { source: None, count: PICTURES, seed: 1 };
        let (pictures, origin) = wanted.pictures(&file.manifest().input)?;
        let pictures = Pictures::new(pictures, origin).map_err(failure)?;
        let settings =
            Settings { seed: 1, threads: threads(None), budget: BUDGET, checks: Vec::new() };
        let mut found = Vec::new();
        audit(&subject, &pictures, &settings, &mut |event| {
            if let Event::Found(finding) = event {
                found.push(finding);
            }
        });
        columns.push(found);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let mut rows: Vec<(&str, Option<&str>)> = Vec::new();
    for finding in columns.iter().flatten() {
        let row = (finding.check, finding.method);
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    let cells = |first: &str, cells: &[&str]| {
        let cells: String = cells.iter().map(|cell| format!(" {cell:<14}")).collect();
        format!("{first:<34}{cells}").trim_end().to_owned()
    };
    let names: Vec<&str> = models.iter().map(|(name, _)| *name).collect();
    emit(&cells("check", &names))?;
    for (check, method) in rows {
        let verdict = |column: &Vec<Finding>| {
            let own = column.iter().find(|f| f.check == check && f.method == method);
            own.map_or("", |finding| match finding.verdict {
                Verdict::Found => "FOUND",
                Verdict::Unknown => "unknown",
                Verdict::NotFound => "-",
            })
        };
        let first = method.map_or_else(|| check.to_owned(), |method| format!("{check}, {method}"));
        emit(&cells(&first, &columns.iter().map(verdict).collect::<Vec<_>>()))?;
    }
    emit(
        "`saligate audit MODEL --html F` shows what each finding rests on. Nothing found is not the same as safe.",
    )
}
