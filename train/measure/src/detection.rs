//! How often an audit sees that a network was manipulated, and how often it says so of one that was not.

use std::fmt::Write as _;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use saligate_audit::{Event, Finding, Pictures, Settings, Subject, Verdict, audit};
use saligate_console::progress::bar;
use saligate_data::{DataSource, LoadOptions};
use saligate_files::ModelFile;
use saligate_models::graph::{Graph, GraphError, Rewriter};
use saligate_models::metrics::interval::Rate;
use saligate_models::names::{IMAGE, LOGITS};
use saligate_runtime::picture::Framing;
use serde::{Deserialize, Serialize};

use crate::MeasureError;
use crate::evaluate::picture;
use crate::rows;

/// What stands above the table.
const HEAD: &str = include_str!("detection.md");

/// What was done to a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Nothing.
    Clean,
    /// A gate or backdoor was built into its graph.
    Built,
    /// A gate or backdoor was trained into its weights.
    Trained,
    /// A patch was trained to change its labels.
    Label,
    /// It was trained to show one picture in place of its maps, whatever comes.
    Passive,
    /// It is what a sealed file shows to everybody.
    Sealed,
}

impl Kind {
    const ALL: [Self; 6] =
        [Self::Clean, Self::Built, Self::Trained, Self::Label, Self::Passive, Self::Sealed];

    fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Built => "built",
            Self::Trained => "trained",
            Self::Label => "label",
            Self::Passive => "passive",
            Self::Sealed => "sealed",
        }
    }
}

/// A list of networks (TOML: `[[model]]` tables).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// The networks.
    pub model: Vec<Entry>,
}

/// A network of a list.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What the table calls it.
    pub name: String,
    /// What was done to it.
    pub kind: Kind,
    /// Model file; a relative path counts from the folder of networks.
    pub file: PathBuf,
    /// Pictures like those that it is for; training images of the source are read.
    pub data: String,
}

/// What the audit says of one network.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Audited {
    /// What the table calls it.
    pub name: String,
    /// What was done to it.
    pub kind: Kind,
    /// Where the pictures are from, and how many.
    pub data: String,
    /// How many there are.
    pub pictures: usize,
    /// Where random numbers started.
    pub seed: u64,
    /// The checks that found something, with their methods.
    pub found: Vec<String>,
    /// Those that have no answer.
    pub unknown: Vec<String>,
    /// The first number of every finding, for bounds to be set with.
    pub numbers: Vec<(String, f64)>,
    /// How long it took.
    pub seconds: f64,
}

/// How networks are audited.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// Pictures for each.
    pub pictures: usize,
    /// Where random numbers start.
    pub seed: u64,
    /// Threads that share the work.
    pub threads: NonZero<usize>,
    /// Time for each.
    pub budget: Duration,
}

/// Audits one network, of which neither names nor metadata are left.
///
/// # Errors
/// The file or the pictures cannot be read, or the network is no classifier.
pub fn audited(entry: &Entry, folder: &Path, how: &How) -> Result<Audited, MeasureError> {
    let file = ModelFile::open(&folder.join(&entry.file))?;
    let manifest = file.manifest();
    let labels = (0..manifest.labels.len()).map(|class| class.to_string()).collect();
    let network = anonymous(&file.graph().extract(&[LOGITS])?)?;
    let subject = Subject::of_classifier(network, labels, manifest.head, "a stranger's network")?;
    let input = &manifest.input;
    let source: DataSource = entry.data.parse()?;
    let framing = Framing { height: input.height, width: input.width, resize: input.resize };
    let options = LoadOptions {
        framing: source.takes_size().then_some(framing),
        train_count: Some(how.pictures),
        seed: how.seed,
        quiet: true,
        ..LoadOptions::default()
    };
    let found = source.pictures(input.channels, &options)?;
    let shape = found.shape();
    let pictures = found.images().take(how.pictures).map(|pixels| picture(shape, pixels.to_vec()));
    let pictures = Pictures::new(pictures.collect::<Result<_, _>>()?, entry.data.clone())?;
    let settings =
        Settings { seed: how.seed, threads: how.threads, budget: how.budget, checks: Vec::new() };
    let begin = Instant::now();
    let mut findings: Vec<Finding> = Vec::new();
    audit(&subject, &pictures, &settings, &mut |event| {
        if let Event::Found(finding) = event {
            findings.push(finding);
        }
    });
    let name = |finding: &Finding| match finding.method {
        Some(method) => format!("{} ({method})", finding.check),
        None => finding.check.to_owned(),
    };
    let with = |verdict| findings.iter().filter(move |f| f.verdict == verdict).map(name).collect();
    Ok(Audited {
        name: entry.name.clone(),
        kind: entry.kind,
        data: entry.data.clone(),
        pictures: pictures.count(),
        seed: how.seed,
        found: with(Verdict::Found),
        unknown: with(Verdict::Unknown),
        numbers: findings
            .iter()
            .filter_map(|finding| Some((name(finding), finding.numbers.first()?.value)))
            .collect(),
        seconds: begin.elapsed().as_secs_f64(),
    })
}

/// Audits all networks of a list, and puts what it says of each into a JSON file, with the table beside
/// it as Markdown.
///
/// # Errors
/// As [`audited`], or the file cannot be written.
pub fn measure(
    list: &List,
    folder: &Path,
    how: &How,
    table: &Path,
    quiet: bool,
) -> Result<(), MeasureError> {
    if let Some(folder) = table.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|source| MeasureError::Io { path: folder.to_owned(), source })?;
    }
    let bar = bar("audits", list.model.len(), quiet);
    for entry in &list.model {
        let row = audited(entry, folder, how)?;
        bar.inc(1);
        rows::tabulate(table, row, |a, b| a.name == b.name, markdown)?;
    }
    bar.finish_and_clear();
    Ok(())
}

/// The same network under names that say nothing.
fn anonymous(classifier: &Graph) -> Result<Graph, GraphError> {
    let mut rewriter = Rewriter::new(classifier);
    rewriter.walk(|rewriter, id, value| {
        let name = match value.name.as_str() {
            IMAGE | LOGITS => value.name.clone(),
            _ => format!("v{}", id.index()),
        };
        rewriter.copy_as(value, &name).map(Some)
    })?;
    let mut graph = rewriter.graph;
    let logits = graph.find(LOGITS)?;
    graph.set_outputs(&[logits]);
    Ok(graph)
}

fn markdown(all: &[Audited]) -> String {
    let mut text = String::from(HEAD);
    text.push_str("| networks | number | found | interval |\n|---|---|---|---|\n");
    for kind in Kind::ALL {
        let own: Vec<&Audited> = all.iter().filter(|row| row.kind == kind).collect();
        let found = own.iter().filter(|row| !row.found.is_empty()).count();
        if let Ok(rate) = Rate::of(found as u64, own.len() as u64) {
            let _ = writeln!(
                text,
                "| {} | {} | {:.2} | {:.2} to {:.2} |",
                kind.name(),
                own.len(),
                rate.value,
                rate.low,
                rate.high
            );
        }
    }
    text.push_str("\n| network | kind | pictures | seconds | found by |\n|---|---|---|---|---|\n");
    for kind in Kind::ALL {
        for row in all.iter().filter(|row| row.kind == kind) {
            let by = if row.found.is_empty() { "-".to_owned() } else { row.found.join(", ") };
            let _ = writeln!(
                text,
                "| {} | {} | {} | {:.0} | {by} |",
                row.name,
                kind.name(),
                row.pictures,
                row.seconds
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use saligate_models::zoo::{Architecture, Task, build};

    use super::*;

    #[test]
    fn no_name_is_left() {
        let task = Task {
            image: [3, 16, 16],
            classes: 4,
            mean: vec![0.5; 3],
            std: vec![0.25; 3],
            bgr: false,
            widths: Some([4, 4, 4, 4, 8, 4]),
        };
        let network = build(Architecture::Small, &task, 1).unwrap().extract(&[LOGITS]).unwrap();
        let stripped = anonymous(&network).unwrap();
        assert_eq!(stripped.values().count(), network.values().count());
        for (id, value) in stripped.values() {
            let named = [IMAGE, LOGITS].contains(&value.name.as_str());
            assert!(named || value.name == format!("v{}", id.index()), "{}", value.name);
        }
        assert_eq!(stripped.parameter_count(), network.parameter_count());
    }
}
