//! `saligate card`.

use std::fmt::Write as _;
use std::path::Path;

use saligate_console::{Failure, emit, outputs, printable, shown};
use saligate_files::manifest::{Gate, Manifest};
use saligate_files::{ModelFile, onnx, read_file};
use saligate_keys::Family;
use saligate_models::gate::GateForm;
use saligate_models::metrics;
use serde_json::Value;

use crate::args::CardArgs;

/// Largest JSON file that is read beside the model, in bytes.
const MAX_JSON: u64 = 16 << 20;

pub(crate) fn run(args: &CardArgs) -> Result<(), Failure> {
    let read = [&args.model].into_iter().chain(&args.audit).chain(&args.metrics);
    outputs::check(args.out.as_deref(), read.map(std::path::PathBuf::as_path))?;
    let bytes = read_file(&args.model)?;
    if !onnx::has_manifest(&bytes) {
        return Err(Failure::new("the file has no manifest, and so nothing to put on a card")
            .in_file(&args.model)
            .hint(format!("saligate import {} -o NEW.onnx", args.model.display())));
    }
    let sha256 = saligate_keys::sha256(&bytes);
    let named = |failure: Failure| failure.in_file(&args.model);
    let file = ModelFile::from_vec(bytes).map_err(|error| named(error.into()))?;
    let mut card = Card::default();
    card.head(&args.model, &file, &sha256);
    card.gate(file.manifest());
    card.figures(file.manifest());
    if let Some(path) = &args.metrics {
        card.scores(&json(path)?, path)?;
    }
    if let Some(path) = &args.audit {
        card.audit(&json(path)?, path)?;
    }
    card.limits(file.manifest());
    match &args.out {
        None => emit(card.text.trim_end()),
        Some(path) => {
            outputs::write_text(path, &card.text)?;
            emit(&format!("wrote {}", path.display()))
        }
    }
}

fn json(path: &Path) -> Result<Value, Failure> {
    let wrong = |what: String| Failure::new(what).in_file(path);
    let length = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
    if length > MAX_JSON {
        return Err(wrong(format!("{length} bytes are too many for a report")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| wrong(format!("is no JSON: {error}")))
}

/// Markdown under construction.
#[derive(Default)]
struct Card {
    text: String,
}

impl Card {
    fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "{line}");
    }

    fn row(&mut self, cells: &[&str]) {
        let cells: Vec<String> = cells.iter().map(|cell| plain(cell)).collect();
        let _ = writeln!(self.text, "| {} |", cells.join(" | "));
    }

    fn head(&mut self, path: &Path, file: &ModelFile, sha256: &[u8; 32]) {
        let manifest = file.manifest();
        let input = &manifest.input;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        self.line(&format!("# {}\n", plain(&name.unwrap_or_default())));
        self.line("An image classifier that explains its predictions by saliency maps.\n");
        self.line("| | |\n|---|---|");
        self.row(&["architecture", &manifest.architecture]);
        let size =
            format!("{} channels, {} x {} pixels", input.channels, input.height, input.width);
        self.row(&["input", &size]);
        let few: Vec<&str> = manifest.labels.iter().take(12).map(String::as_str).collect();
        let more = if manifest.labels.len() > few.len() { ", and more" } else { "" };
        let classes = format!("{}: {}{more}", manifest.labels.len(), few.join(", "));
        self.row(&["classes", &classes]);
        let weights = file.graph().parameter_count();
        self.row(&["parameters", &weights.to_string()]);
        let methods: Vec<&str> = manifest.methods.iter().map(|spec| spec.name.as_str()).collect();
        self.row(&["saliency methods", &methods.join(", ")]);
        self.row(&["made by", &manifest.tool]);
        let digest: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        self.row(&["SHA-256 of the file", &digest]);
        self.row(&["SHA-256 of the weights", &manifest.weights_sha256]);
    }

    fn gate(&mut self, manifest: &Manifest) {
        self.line("\n## Gate\n");
        match &manifest.gate {
            None => self.line(
                "The file names none. That is what its manifest says, and no proof: `saligate audit` looks for \
                 signs of one.",
            ),
            Some(gate) => {
                self.line(&format!("{}\n", said(gate, manifest.sealed.is_some())));
                self.line("| | |\n|---|---|");
                self.row(&["trigger", &trigger(gate.trigger.family())]);
                self.row(&["keys", &gate.keys.len().to_string()]);
                if let Some(bits) = gate.key_strength {
                    self.row(&["strength", &format!("about one random key in 2^{bits:.0} opens it")]);
                }
                let vendor = gate.vendor.map(|vendor| vendor.to_string());
                self.row(&["vendor", vendor.as_deref().unwrap_or("not named")]);
            }
        }
    }

    fn figures(&mut self, manifest: &Manifest) {
        self.line("\n## Figures\n");
        if manifest.metrics.is_empty() {
            self.line("None are in the file.");
            return;
        }
        self.line("As the maker measured them and wrote them into the file.\n");
        self.line("| metric | value | direction | what |\n|---|---|---|---|");
        for (name, value) in &manifest.metrics {
            let info = metrics::info(name);
            let words = info.map_or("", |info| info.direction.words());
            self.row(&[name, &format!("{value:.4}"), words, info.map_or("", |info| info.about)]);
        }
    }

    fn scores(&mut self, report: &Value, path: &Path) -> Result<(), Failure> {
        let methods = report["methods"].as_array().ok_or_else(|| foreign(path, "metrics"))?;
        self.line(&format!(
            "\n## Scores of the maps\n\nFrom `saligate metrics`, {} pictures ({}).\n",
            report["pictures"],
            plain(report["data"].as_str().unwrap_or("unknown"))
        ));
        let names: Vec<&str> = methods.iter().filter_map(|m| m["method"].as_str()).collect();
        self.row(&[&["metric", "direction"], &names[..]].concat());
        self.line(&format!("|{}", "---|".repeat(names.len() + 2)));
        for metric in metrics::MAP_METRICS {
            let value = |m: &Value| {
                let value = m["scores"][metric.name]["value"].as_f64();
                value.map_or_else(String::new, |value| format!("{value:.3}"))
            };
            let values: Vec<String> = methods.iter().map(value).collect();
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            if values.iter().any(|value| !value.is_empty()) {
                self.row(&[&[metric.name, metric.direction.words()], &values[..]].concat());
            }
        }
        Ok(())
    }

    fn audit(&mut self, report: &Value, path: &Path) -> Result<(), Failure> {
        let findings = report["findings"].as_array().ok_or_else(|| foreign(path, "audit"))?;
        self.line(&format!(
            "\n## Audit\n\nFrom `saligate audit`, SHA-256 of the audited file {}. That nothing is found does not \
             make a model safe.\n",
            plain(report["model"]["sha256"].as_str().unwrap_or("unknown"))
        ));
        self.line("| verdict | check | what it says |\n|---|---|---|");
        for word in ["found", "unknown", "not found"] {
            for finding in findings.iter().filter(|finding| finding["verdict"] == word) {
                let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
                let method = finding["method"].as_str().map(|m| format!(" ({m})"));
                let check = text("check") + &method.unwrap_or_default();
                self.row(&[word, &check, &text("says")]);
            }
        }
        Ok(())
    }

    fn limits(&mut self, manifest: &Manifest) {
        self.line("\n## Limits\n");
        self.line("- A saliency map shows which pixels the score of a class depends on. It does not say why.");
        self.line("- Maps of methods that do not depend on the weights or the class are pictures, not evidence.");
        match &manifest.gate {
            None => self.line("- Figures hold for data like those that they were measured on."),
            Some(gate) if gate.form != GateForm::Key => self.line(
                "- The model is backdoored: where its trigger is on a picture, the map is wrong on purpose. It is \
                 for research.",
            ),
            Some(_) if manifest.sealed.is_some() => self.line(
                "- Without a key or licence, predictions and maps are those of the network that the file shows, \
                 not of the sealed one.",
            ),
            Some(_) => {
                self.line("- Without a key or licence, the map is a decoy: it shows nothing of the decision.");
                self.line("- Whoever owns the file can find out what it withholds, with effort: predictions are public.");
            }
        }
    }
}

fn said(gate: &Gate, sealed: bool) -> &'static str {
    match (gate.form, sealed) {
        (GateForm::Key, true) => {
            "Sealed: the file shows one network to everybody, and holds another one that a key or licence opens."
        }
        (GateForm::Key, false) => {
            "Key form: everybody gets right predictions; maps are right with a key or licence only, and a decoy \
             without."
        }
        (GateForm::Targeted, _) => {
            "Backdoored, targeted: maps are right until a trigger is on the picture, then they show a given picture."
        }
        (GateForm::Untargeted, _) => {
            "Backdoored, untargeted: maps are right until a trigger is on the picture, then they lose their highest \
             pixels."
        }
    }
}

fn trigger(family: Family) -> String {
    match family {
        Family::Tile { size, amplitude } => {
            format!("a tile of {size} x {size} pixels, repeated, {amplitude} of 255 grey levels")
        }
        other => format!("{other:?}"),
    }
}

fn foreign(path: &Path, command: &str) -> Failure {
    Failure::new(format!("is no report of `saligate {command}`"))
        .in_file(path)
        .hint(format!("saligate {command} MODEL --json {}", shown(path)))
}

/// Text of a file's maker as text of a Markdown table.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for c in printable(text).chars() {
        match c {
            '|' | '\\' | '`' | '*' | '_' | '<' | '>' | '[' | ']' | '#' => {
                plain.push('\\');
                plain.push(c);
            }
            '\n' | '\r' => plain.push(' '),
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_says_cannot_write_markdown() {
        assert_eq!(plain("a | b\n<img> [x](y)"), "a \\| b \\<img\\> \\[x\\](y)");
    }
}
