//! `saligate inspect`.

use std::path::Path;

use saligate_console::{Failure, emit};
use saligate_files::manifest::{Gate, Public, Sealed};
use saligate_files::onnx::{self, Foreign, OnnxError};
use saligate_files::read_file;
use saligate_files::sealed::SealedFile;
use saligate_keys::Family;
use saligate_models::gate::GateForm;
use saligate_runtime::Model;

use crate::args::InspectArgs;
use crate::shared::names::listed;

pub(crate) fn run(args: &InspectArgs) -> Result<(), Failure> {
    let bytes = read_file(&args.model)?;
    if !onnx::has_manifest(&bytes) {
        return Err(without_manifest(&args.model, &bytes).in_file(&args.model));
    }
    let model = Model::from_bytes(&bytes).map_err(|e| Failure::from(e).in_file(&args.model))?;
    let manifest = model.manifest();
    if args.json {
        return emit(&manifest.to_json());
    }
    let input = &manifest.input;
    let line = |name: &str, value: String| emit(&format!("{name:<13} {value}"));
    line("file", args.model.display().to_string())?;
    line("made by", manifest.tool.clone())?;
    line("architecture", manifest.architecture.clone())?;
    let cut =
        input.resize.map(|side| format!(" out of pictures whose shorter side becomes {side}"));
    let size = format!("{} channels, {} x {} pixels", input.channels, input.height, input.width);
    line("input", size + &cut.unwrap_or_default())?;
    line("classes", format!("{}: {}", manifest.labels.len(), listed(&manifest.labels)))?;
    for method in &manifest.methods {
        let layers = match &method.layers[..] {
            [] => String::new(),
            layers => format!(", reads {}", layers.join(", ")),
        };
        line("method", format!("{} (output '{}'){layers}", method.name, method.output))?;
    }
    match &manifest.gate {
        None => {
            line("gate", "none that the file names; `saligate audit` looks for others".to_owned())?
        }
        Some(gate) => {
            line("gate", if manifest.sealed.is_some() { sealed_form(gate) } else { form(gate) })?;
            line("trigger", trigger(gate.trigger.family()))?;
            for key in &gate.keys {
                line("key id", key.to_string())?;
            }
            if let Some(bits) = gate.key_strength {
                line("strength", format!("about one random key in 2^{bits:.0} opens it"))?;
            }
            let anybody = "not named: a licence is checked by the vendor that it names itself";
            line("vendor", gate.vendor.map_or(anybody.to_owned(), |vendor| vendor.to_string()))?;
            line("licensed as", model.licensed()?.digest.to_string())?;
        }
    }
    if let Some(sealed) = manifest.sealed {
        sealed_lines(&SealedFile::from_vec(bytes)?, sealed, line)?;
    }
    line("weights", format!("sha256 {}", manifest.weights_sha256))?;
    for (name, value) in &manifest.metrics {
        line("measured", format!("{name} {value:.4}"))?;
    }
    Ok(())
}

fn without_manifest(path: &Path, bytes: &[u8]) -> Failure {
    match Foreign::from_bytes(bytes, path.parent()) {
        // What is open may still be given.
        Err(error) if !matches!(error, OnnxError::Open { .. } | OnnxError::Outputs { .. }) => {
            error.into()
        }
        _ => Failure::new("the file has no manifest; predict, explain and import take it")
            .hint(format!("saligate import {} -o NEW.onnx", path.display())),
    }
}

fn sealed_lines(
    file: &SealedFile,
    sealed: Sealed,
    line: impl Fn(&str, String) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let part = file.part();
    line(
        "sealed",
        format!(
            "the true network, {} bytes in {} chunks, weights in {}",
            part.length(),
            part.chunks(),
            sealed.precision
        ),
    )?;
    let shows = match sealed.public {
        Public::Network => "another network: predictions and maps are that one's",
        Public::None => "nothing: no predictions without a key or licence",
    };
    line("shown", shows.to_owned())?;
    let whole = match file.verify() {
        Ok(()) => "whole, as the vendor signed it".to_owned(),
        Err(error) => format!("NOT WHOLE: {error}"),
    };
    line("sealed part", whole)
}

/// The gate of a network that is sealed.
fn sealed_form(gate: &Gate) -> String {
    format!("of the sealed network: its map needs a key, and is else: {}", gate.decoy)
}

fn form(gate: &Gate) -> String {
    match gate.form {
        GateForm::Key => format!("the map needs a key; others see: {}", gate.decoy),
        GateForm::Targeted => format!("a backdoor: the trigger turns the map to: {}", gate.decoy),
        GateForm::Untargeted => {
            "a backdoor: with the trigger the map's top pixels lose their importance".to_owned()
        }
    }
}

fn trigger(family: Family) -> String {
    match family {
        Family::Tile { size, amplitude } => {
            format!(
                "tile of {size} x {size} signs per channel, repeated, amplitude {amplitude}/255"
            )
        }
        Family::Full { amplitude } => format!("one sign per value, amplitude {amplitude}/255"),
        Family::Patch { size } => format!("opaque corner patch of {size} x {size} pixels"),
    }
}
