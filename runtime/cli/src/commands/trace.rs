//! `saligate trace`: whose trigger leaked pictures carry.

mod evidence;
mod suspects;

use saligate_console::{Failure, emit};
use saligate_files::ModelFile;
use saligate_files::manifest::Gate;
use saligate_keys::{KeyId, Ledger};
use saligate_models::trace::{Finding, trace};
use serde_json::{Value, json};

use crate::args::TraceArgs;
use crate::shared::names::listed;

/// Rows of the printed table.
const SHOWN: usize = 5;

pub(crate) fn run(args: &TraceArgs) -> Result<(), Failure> {
    if !(args.alpha > 0.0 && args.alpha < 1.0) {
        return Err(Failure::new(format!("--alpha must be between 0 and 1, not {}", args.alpha)));
    }
    let model = ModelFile::open(&args.model)?;
    let Some(gate) = &model.manifest().gate else {
        return Err(
            Failure::no("this model has no gate, and so no triggers to trace").in_file(&args.model)
        );
    };
    let ledger = Ledger::read(&args.ledger)?;
    // A forged entry would accuse somebody.
    ledger.verify().map_err(|error| Failure::from(error).in_file(&args.ledger))?;
    if let (Some(found), Some(expected)) = (ledger.vendor(), gate.vendor)
        && found != expected
    {
        let what = format!("this ledger belongs to {found}, the model to {expected}");
        return Err(Failure::new(what).in_file(&args.ledger).hint("the ledger of the vendor"));
    }
    let suspects = suspects::of(args, &model, gate, &ledger)?;
    let evidence = evidence::of(args, &model, gate)?;
    let findings = trace(&gate.trigger, &suspects, &evidence);
    let Some(first) = findings.first() else {
        return Err(Failure::new(
            "there is nothing to compare: another number of channels or pixels \
             than the trigger's, or an opaque trigger",
        ));
    };
    let alpha = args.alpha.log10();
    let found = findings.iter().take_while(|finding| finding.log10_p <= alpha).count();
    if args.json {
        let suspects: Vec<_> =
            findings.iter().map(|finding| row(finding, alpha, &ledger)).collect();
        emit(&json!({"schema": 1, "found": found > 0, "suspects": suspects}).to_string())?;
    } else {
        table(&findings[..findings.len().min(SHOWN.max(found))], &ledger)?;
        for Finding { key, .. } in &findings[..found] {
            emit(&format!("found: key {key}, licence {}", whose(key, &ledger)))?;
        }
    }
    if found == 0 {
        return Err(nobody(args, gate, &ledger, first));
    }
    if !args.json {
        let whose = match model.manifest().sealed {
            None => "whoever has the model file can put any of its triggers on a picture",
            Some(_) => "whoever has a licence can read all triggers of the network that it opens",
        };
        eprintln!("saligate: note: this is a lead, not a proof: {whose}");
    }
    Ok(())
}

fn nobody(args: &TraceArgs, gate: &Gate, ledger: &Ledger, best: &Finding) -> Failure {
    let what = format!(
        "no key is found: the best has a p-value of {}, above {}",
        p_value(best.log10_p),
        p_value(args.alpha.log10())
    );
    let gone = ledger.issued().iter().map(|issued| issued.claims());
    let gone = gone.filter(|claims| !gate.keys.contains(&claims.key));
    let gone: Vec<_> = gone.map(|claims| claims.serial.to_string()).collect();
    if args.key.is_empty() && !gone.is_empty() {
        let gone = listed(&gone);
        let what = format!("{what}; not compared, since their keys are not in the model: {gone}");
        return Failure::no(what).hint("--key FILE, or the model that these were issued for");
    }
    let more = match args.original.is_empty() && args.trigger.is_none() {
        true => "the original pictures too (--original), or more pictures",
        false => "more pictures",
    };
    Failure::no(what).hint(format!("{more}; JPEG, resizing and mirroring hide a trigger"))
}

fn table(findings: &[Finding], ledger: &Ledger) -> Result<(), Failure> {
    emit("p-value   agreement  key               licences")?;
    findings.iter().try_for_each(|finding| {
        emit(&format!(
            "{:<8}  {:>9.3}  {}  {}",
            p_value(finding.log10_p),
            finding.agreement,
            finding.key,
            whose(&finding.key, ledger)
        ))
    })
}

/// A p-value, which may be far below the least number.
fn p_value(log10: f64) -> String {
    if log10 >= -2.0 {
        return format!("{:.2}", 10_f64.powf(log10));
    }
    let exponent = log10.floor();
    match format!("{:.1}", 10_f64.powf(log10 - exponent)).as_str() {
        "10.0" => format!("1.0e{}", exponent + 1.0),
        digits => format!("{digits}e{exponent}"),
    }
}

fn row(finding: &Finding, alpha: f64, ledger: &Ledger) -> Value {
    let licenses = ledger.of_key(&finding.key).map(|issued| {
        let claims = issued.claims();
        json!({"serial": claims.serial, "holder": claims.holder, "revoked": issued.revoked})
    });
    json!({
        "key": finding.key,
        "found": finding.log10_p <= alpha,
        "log10_p": finding.log10_p,
        "agreement": finding.agreement,
        "shift": finding.shift,
        "licenses": licenses.collect::<Vec<_>>(),
    })
}

fn whose(key: &KeyId, ledger: &Ledger) -> String {
    let names = ledger.of_key(key).map(|issued| {
        let claims = issued.claims();
        let revoked = if issued.revoked.is_some() { ", revoked" } else { "" };
        format!("{} ({}{revoked})", claims.serial, claims.holder)
    });
    let names: Vec<_> = names.collect();
    if names.is_empty() { "none was issued for it".to_owned() } else { names.join(", ") }
}
