//! The page of an audit.

use saligate_runtime::render::RenderError;

use super::page::{Mark, Page};
use super::{LIMITS, Report, short};
use crate::check::{Area, CHECKS};
use crate::finding::{Finding, Number, Verdict};

const AREAS: [Area; 4] = [Area::Structure, Area::Behaviour, Area::Triggers, Area::Labels];

pub(super) fn page(report: &Report) -> Result<String, RenderError> {
    let mut page = Page::new(&format!("Audit of {}", report.model.file));
    let counts = [Verdict::Found, Verdict::Unknown, Verdict::NotFound]
        .map(|verdict| format!("{} {}", report.count(verdict), verdict.name()));
    let word = match report.verdict {
        Verdict::Found => "something was found",
        Verdict::NotFound => "nothing was found",
        Verdict::Unknown => "nothing is known",
    };
    page.marked(mark(report.verdict), word, &format!("({}).", counts.join(", ")));
    page.paragraph(LIMITS[0]);
    let row = |(check, finding): (&crate::CheckInfo, &Finding)| {
        let method = finding.method.map(|method| format!(", {method}")).unwrap_or_default();
        let name = format!("{}{method}", check.name);
        (name, mark(finding.verdict), finding.verdict.name().to_owned(), finding.says.clone())
    };
    let mut all: Vec<_> = AREAS.into_iter().flat_map(|area| report.of_area(area)).collect();
    all.sort_by_key(|(_, finding)| finding.verdict);
    let rows: Vec<_> = all.into_iter().map(row).collect();
    page.verdicts(["check", "verdict", "what it says"], &rows);
    for area in AREAS {
        page.heading(2, &capitalized(area.name()));
        let mut last = "";
        for (check, finding) in report.of_area(area) {
            if check.name != last {
                page.heading(3, check.name);
                page.paragraph(&format!("Asked: {}", check.about));
                last = check.name;
            }
            let method = finding.method.map(|method| format!("{method}: ")).unwrap_or_default();
            page.marked(
                mark(finding.verdict),
                finding.verdict.name(),
                &format!("{method}{}", finding.says),
            );
            evidence(&mut page, finding)?;
        }
    }
    page.heading(2, "What was not checked");
    page.list(LIMITS);
    if !report.not_made.is_empty() {
        let about = |name: &&str| {
            let check = CHECKS.iter().find(|check| check.name == *name);
            format!("{name}: {}", check.map_or("", |check| check.about))
        };
        page.paragraph("Checks that were not made:");
        page.list(&report.not_made.iter().map(about).collect::<Vec<_>>());
    }
    page.heading(2, "How it was made");
    let model = &report.model;
    let [channels, rows, columns] = model.input;
    page.table(
        &["", ""],
        &[
            vec!["made by".to_owned(), report.made_by.clone()],
            vec!["SHA-256 of the file".to_owned(), model.sha256.clone()],
            vec!["calls itself".to_owned(), model.architecture.clone()],
            vec!["input".to_owned(), format!("{channels} x {rows} x {columns}")],
            vec!["classes".to_owned(), model.classes.to_string()],
            vec!["pictures".to_owned(), format!("{}, {}", report.pictures.0, report.pictures.1)],
            vec!["seed".to_owned(), report.seed.to_string()],
            vec![
                "time".to_owned(),
                format!("{:.0} of {:.0} seconds", report.seconds, report.budget_seconds),
            ],
        ],
    );
    page.code(&report.command);
    Ok(page.finished())
}

fn evidence(page: &mut Page, finding: &Finding) -> Result<(), RenderError> {
    if !finding.numbers.is_empty() {
        let rows: Vec<Vec<String>> = finding.numbers.iter().map(cells).collect();
        page.table(&["number", "value", "95 % interval", "ordinary networks", "bound"], &rows);
    }
    if !finding.values.is_empty() {
        page.paragraph(&format!("Values of the network: {}", finding.values.join(", ")));
    }
    for shown in &finding.pictures {
        page.figure(&shown.canvas, &shown.caption)?;
    }
    Ok(())
}

fn cells(number: &Number) -> Vec<String> {
    let range = |ends: Option<[f64; 2]>| {
        ends.map_or_else(String::new, |[low, high]| format!("{} to {}", short(low), short(high)))
    };
    vec![
        number.name.clone(),
        short(number.value),
        range(number.interval),
        range(number.ordinary),
        number.bound.map_or_else(String::new, short),
    ]
}

fn mark(verdict: Verdict) -> Mark {
    match verdict {
        Verdict::Found => Mark::Bad,
        Verdict::Unknown => Mark::Open,
        Verdict::NotFound => Mark::Good,
    }
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
