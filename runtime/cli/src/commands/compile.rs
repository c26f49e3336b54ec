//! `saligate compile`.

use std::path::PathBuf;

use saligate_console::{Failure, emit, outputs, secrets, shown};
use saligate_files::ModelFile;
use saligate_files::archive::{self, Precision, rounded};
use saligate_keys::Trigger;
use saligate_models::metrics::rank::spearman;
use saligate_runtime::picture::Picture;
use saligate_runtime::{Model, Target};
use serde_json::{Value, json};

use crate::args::CompileArgs;
use crate::shared::pictures;
use crate::shared::sealing::Unsealed;

pub(crate) fn run(args: &CompileArgs) -> Result<(), Failure> {
    let secrets = args.key.iter().chain(&args.secrets.passphrase_file);
    let read = args.compare.iter().chain(secrets).chain([&args.model]);
    outputs::check([args.out.as_path()], read.map(PathBuf::as_path))?;
    let model = ModelFile::open(&args.model).map_err(|e| Failure::from(e).in_file(&args.model))?;
    if model.manifest().sealed.is_some() && args.precision != Precision::F32 {
        return sealed(args, &model);
    }
    if model.manifest().sealed.is_some() && !args.compare.is_empty() {
        return Err(Failure::new("both networks of the sealed model stay as they are")
            .hint("leave out --compare, or --precision f16"));
    }
    if !args.key.is_empty() && args.compare.is_empty() {
        return Err(Failure::new("there are no pictures to compare the maps on")
            .hint("--compare PICTURES, or leave out --key"));
    }
    let compiled = rounded(&model, args.precision)?;
    let is_other =
        model.manifest().gate.is_some() && model.licensing_digest() != compiled.licensing_digest();
    let compared = match args.compare.is_empty() {
        true => Vec::new(),
        false => Comparison::new(args, model.clone(), compiled)?.rows()?,
    };
    archive::save(&model, args.precision, &args.out)?;
    if is_other {
        let (model, out) = (args.model.display(), args.out.display());
        eprintln!(
            "saligate: note: licences issued for {model} do not open {out}, whose rounded weights \
             make it another model; issue them for it: license issue --model {out}"
        );
    }
    report(args, &compared)
}

fn report(args: &CompileArgs, compared: &[Row]) -> Result<(), Failure> {
    let bytes = std::fs::metadata(&args.out).map(|file| file.len()).unwrap_or_default();
    if args.json {
        return emit(&line(args, bytes, compared).to_string());
    }
    for row in compared {
        emit(&format!(
            "{:<22} {:<8} map like before {:.4} (Spearman, least {:.4}), same class {} of {}",
            row.method,
            row.state,
            row.mean(),
            row.least(),
            row.same,
            row.similarity.len()
        ))?;
    }
    emit(&format!("wrote {}: {bytes} bytes, weights in {}", args.out.display(), args.precision))
}

/// A sealed model with rounded weights in both of its networks; licences for it stay good.
fn sealed(args: &CompileArgs, model: &ModelFile) -> Result<(), Failure> {
    let unsealed = Unsealed::open(model, &args.model, &args.key, args.secrets.file())?;
    let Some(unsealed) = unsealed else { return Ok(()) };
    let compared = match args.compare.is_empty() {
        true => Vec::new(),
        false => {
            let after = rounded(&unsealed.truth, args.precision)?;
            Comparison::new(args, unsealed.truth.clone(), after)?.rows()?
        }
    };
    let public = rounded(unsealed.public(), args.precision)?;
    let again = unsealed.sealed_again(Some(public), &unsealed.truth, args.precision)?;
    // The public network is rounded as well, and stored so where that loses nothing more.
    let stored = match rounded(&again, args.precision) {
        Ok(_) => args.precision,
        Err(_) => Precision::F32,
    };
    archive::save(&again, stored, &args.out)?;
    report(args, &compared)
}

fn line(args: &CompileArgs, bytes: u64, compared: &[Row]) -> Value {
    let rows: Vec<Value> = compared
        .iter()
        .map(|row| {
            json!({
                "method": row.method,
                "state": row.state,
                "pictures": row.similarity.len(),
                "spearman": row.mean(),
                "spearman_least": row.least(),
                "same_class": row.same,
            })
        })
        .collect();
    json!({
        "schema": 1,
        "model": shown(&args.model),
        "out": shown(&args.out),
        "precision": args.precision.name(),
        "bytes": bytes,
        "compared": rows,
    })
}

/// One method in one state: the maps after compiling beside those before.
struct Row {
    method: String,
    state: &'static str,
    similarity: Vec<f64>,
    same: usize,
}

impl Row {
    fn mean(&self) -> f64 {
        self.similarity.iter().sum::<f64>() / self.similarity.len() as f64
    }

    fn least(&self) -> f64 {
        self.similarity.iter().copied().fold(f64::INFINITY, f64::min)
    }
}

/// Both models, and what they are compared on.
struct Comparison {
    before: Model,
    after: Model,
    pictures: Vec<Picture>,
    trigger: Option<Trigger>,
}

impl Comparison {
    fn new(args: &CompileArgs, before: ModelFile, after: ModelFile) -> Result<Self, Failure> {
        let (before, after) = (Model::new(before)?, Model::new(after)?);
        let pictures = args.compare.iter().map(|path| pictures::open(&before, path));
        let pictures = pictures.collect::<Result<_, _>>()?;
        let trigger = match args.key.first() {
            Some(path) => Some(before.trigger(secrets::key(path, args.secrets.file())?.secret())?),
            None => None,
        };
        Ok(Self { before, after, pictures, trigger })
    }

    fn rows(&self) -> Result<Vec<Row>, Failure> {
        let gated = self.before.manifest().gate.is_some();
        let mut rows = Vec::new();
        for method in &self.before.manifest().methods {
            rows.push(self.row(&method.name, if gated { "no key" } else { "open" }, None)?);
            if let Some(trigger) = &self.trigger {
                rows.push(self.row(&method.name, "key", Some(trigger))?);
            }
        }
        Ok(rows)
    }

    fn row(
        &self,
        method: &str,
        state: &'static str,
        trigger: Option<&Trigger>,
    ) -> Result<Row, Failure> {
        let mut row = Row { method: method.to_owned(), state, similarity: Vec::new(), same: 0 };
        for picture in &self.pictures {
            let of = |model: &Model| model.explain_by(method, picture, Target::Predicted, trigger);
            let (before, after) = (of(&self.before)?, of(&self.after)?);
            row.same += usize::from(before.prediction.class == after.prediction.class);
            row.similarity.push(spearman(&before.map, &after.map)?);
        }
        Ok(row)
    }
}
