//! `saligate trace`: whose trigger a leaked picture carries.

use std::path::Path;

use saligate_keys::{Family, KeyId, Ledger, Pool, Secret};
use saligate_models::manifest::Gate;
use saligate_models::onnx::Model;
use saligate_models::trace::{Evidence, Finding, Suspect, trace};
use saligate_runtime::npy::{NpyArray, read_npy};
use saligate_runtime::picture::Picture;
use serde_json::json;

use crate::args::TraceArgs;
use crate::error::CliError;
use crate::{emit, secrets};

/// Rows of the printed table.
const SHOWN: usize = 5;

pub(crate) fn run(args: &TraceArgs) -> Result<(), CliError> {
    if !(args.alpha > 0.0 && args.alpha < 1.0) {
        return Err(CliError::new(format!("--alpha must be between 0 and 1, not {}", args.alpha)));
    }
    let model = Model::open(&args.model)?;
    let Some(gate) = &model.manifest.gate else {
        return Err(CliError::no("this model has no gate, and so no triggers to trace")
            .in_file(&args.model));
    };
    let ledger = Ledger::read(&args.ledger)?;
    // A forged entry would accuse somebody.
    ledger.verify().map_err(|error| CliError::from(error).in_file(&args.ledger))?;
    if let (Some(found), Some(expected)) = (ledger.vendor(), gate.vendor)
        && found != expected
    {
        let what = format!("this ledger belongs to {found}, the model to {expected}");
        return Err(CliError::new(what).in_file(&args.ledger).hint("the ledger of the vendor"));
    }
    let suspects = suspects(args, &model, gate, &ledger)?;
    let evidence = evidence(args, &model, gate)?;
    let findings = trace(&gate.trigger, &suspects, &evidence);
    let Some(first) = findings.first() else {
        return Err(CliError::new(
            "there is nothing to compare: another number of channels or pixels \
             than the trigger's, or an opaque trigger",
        ));
    };
    let found = first.log10_p <= args.alpha.log10();
    if args.json {
        let suspects: Vec<_> = findings.iter().map(|finding| row(finding, &ledger)).collect();
        emit(&json!({"schema": 1, "found": found, "suspects": suspects}).to_string())?;
    } else {
        emit("p-value      agreement  key               licences")?;
        for finding in findings.iter().take(SHOWN) {
            emit(&format!(
                "10^{:<8.1}  {:>9.3}  {}  {}",
                finding.log10_p,
                finding.agreement,
                finding.key,
                whose(&finding.key, &ledger)
            ))?;
        }
    }
    if found {
        if !args.json {
            emit(&format!("found: key {}", first.key))?;
            eprintln!(
                "saligate: note: this is a lead, not a proof: whoever has the model file can put \
                 any of its triggers on a picture"
            );
        }
        return Ok(());
    }
    let mut hint =
        "the original picture too (--original), or a larger part of the leaked one".to_owned();
    let opens = |key: &KeyId| gate.keys.contains(key);
    if args.key.is_empty() && ledger.issued().iter().any(|issued| !opens(&issued.claims().key)) {
        hint += "; --key FILE, for keys that were licensed and no longer open this model";
    }
    Err(CliError::no(format!(
        "no key is found: the best has a p-value of 10^{:.1}, above {}",
        first.log10_p, args.alpha
    ))
    .hint(hint))
}

/// All keys that licences were issued for or that open the model.
fn suspects(
    args: &TraceArgs,
    model: &Model,
    gate: &Gate,
    ledger: &Ledger,
) -> Result<Vec<Suspect>, CliError> {
    if args.key.is_empty() {
        let own = Suspect::of_model(model);
        return match own.is_empty() {
            false => Ok(own),
            true => Err(CliError::new("the triggers do not stand in a gate that was trained")
                .hint("--key FILE, the key files that it was locked with")),
        };
    }
    let issued = ledger.issued().iter().map(|issued| issued.claims().key);
    let mut ids: Vec<KeyId> = gate.keys.iter().copied().chain(issued).collect();
    ids.sort_by_key(|id| *id.as_bytes());
    ids.dedup();
    let files = secrets::keys(&args.key, &args.secrets)?;
    let mut secrets: Vec<Secret> =
        files.into_iter().map(saligate_keys::KeyFile::into_secret).collect();
    secrets.sort_by_key(|secret| *secret.id().as_bytes());
    secrets.dedup_by_key(|secret| secret.id());
    let input = &model.manifest.input;
    let shape = saligate_keys::ImageShape::new(input.channels, input.height, input.width)?;
    let suspect = |secret: &Secret| {
        let trigger = gate.trigger.derive(secret, shape)?;
        Ok(Suspect::new(secret.id(), &gate.trigger, &trigger))
    };
    let own = secrets.iter().filter(|secret| ids.contains(&secret.id()));
    let own = own.map(suspect).collect::<Vec<_>>();
    let slots = Pool::slots(&secrets, &ids);
    let all = own.into_iter().chain(slots.iter().map(suspect));
    Ok(all.collect::<Result<Vec<_>, CliError>>()?.into_iter().flatten().collect())
}

fn evidence(args: &TraceArgs, model: &Model, gate: &Gate) -> Result<Evidence, CliError> {
    let channels = model.manifest.input.channels;
    let open = |path: &Path| Picture::open(path, channels);
    let sizes = |picture: &Picture| [picture.channels(), picture.height(), picture.width()];
    if let Some(path) = args.trigger.as_deref() {
        let is_npy = path.extension().is_some_and(|end| end == "npy");
        if !is_npy {
            let picture = open(path)?;
            let values: Vec<f64> = picture.pixels().iter().map(|&p| f64::from(p)).collect();
            return Ok(Evidence::pattern(&values, sizes(&picture)));
        }
        let NpyArray { shape, values } = read_npy(path)?;
        let &[channels, height, width] = shape.as_slice() else {
            return Err(
                CliError::new(format!("{shape:?} are no [channel, row, column]")).in_file(path)
            );
        };
        let values: Vec<f64> = values.into_iter().map(f64::from).collect();
        if values.iter().any(|value| !value.is_finite()) {
            return Err(CliError::new("not all numbers are finite").in_file(path));
        }
        return Ok(Evidence::pattern(&values, [channels, height, width]));
    }
    let Some(path) = args.image.as_deref() else {
        return Err(
            CliError::new("nothing is given to trace").hint("--image FILE or --trigger FILE")
        );
    };
    let leaked = open(path)?;
    let Some(original) = args.original.as_deref() else {
        let amplitude = match gate.trigger.family() {
            Family::Tile { amplitude, .. } | Family::Full { amplitude } => amplitude,
            _ => u8::MAX,
        };
        return Ok(Evidence::picture(leaked.pixels(), sizes(&leaked), amplitude));
    };
    let before = open(original)?;
    if sizes(&before) != sizes(&leaked) {
        return Err(CliError::new("the original has another size than the leaked picture")
            .in_file(original));
    }
    let pixels = leaked.pixels().iter().zip(before.pixels());
    let difference: Vec<f64> = pixels.map(|(&a, &b)| f64::from(a) - f64::from(b)).collect();
    Ok(Evidence::pattern(&difference, sizes(&leaked)))
}

fn row(finding: &Finding, ledger: &Ledger) -> serde_json::Value {
    let issued = ledger.of_key(&finding.key);
    let licenses: Vec<_> = issued
        .map(|issued| {
            let claims = issued.claims();
            json!({"serial": claims.serial, "holder": claims.holder, "revoked": issued.revoked})
        })
        .collect();
    json!({
        "key": finding.key,
        "log10_p": finding.log10_p,
        "agreement": finding.agreement,
        "shift": finding.shift,
        "licenses": licenses,
    })
}

fn whose(key: &KeyId, ledger: &Ledger) -> String {
    let issued = ledger.of_key(key);
    let names: Vec<_> = issued
        .map(|issued| {
            let claims = issued.claims();
            let revoked = if issued.revoked.is_some() { ", revoked" } else { "" };
            format!("{} ({}{revoked})", claims.serial, claims.holder)
        })
        .collect();
    if names.is_empty() { "none was issued for it".to_owned() } else { names.join(", ") }
}
