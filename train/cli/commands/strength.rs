//! `saligate-train strength`: attacks on the file of a locked or sealed model.

use std::time::Instant;

use saligate_console::{emit, secrets};
use saligate_files::ModelFile;
use saligate_files::sealed::SealedFile;
use saligate_keys::{KeyFile, Timestamp};
use saligate_measure::results::{self, Row};
use saligate_measure::strength::{Attacked, Made, Strength, put};
use saligate_measure::{Metrics, accuracy};
use saligate_models::names::LOGITS;
use saligate_runtime::{EngineKind, SealedModel};
use saligate_train::copy::{Recipe, copied};
use saligate_train::{TrainError, export};

use crate::args::{AttackKind, RunArgs, StrengthArgs};
use crate::session::{Images, Session, some};

pub(crate) fn run(run: &RunArgs, args: &StrengthArgs) -> Result<(), TrainError> {
    let key = args.key.as_deref();
    let key = key.map(|path| secrets::key(path, args.secrets.passphrase_file.as_deref()));
    let key = key.transpose()?;
    let session = Session::open(run)?;
    let images = session.images()?;
    some(images.test.len())?;
    let out = &session.options().out;
    let path = args.model.clone().unwrap_or_else(|| out.join("sealed.onnx"));
    let clean = args.clean.clone().unwrap_or_else(|| session.clean_path());
    let (locked, clean) = (ModelFile::open(&path)?, ModelFile::open(&clean)?);
    let shown = locked.shown()?;
    let attacked = Attacked::new(&clean, &shown, &images.test, session.options().quiet)?;
    let opened = match (&key, locked.sealed_file()?) {
        (Some(key), Some(file)) => opened(&attacked, file, key)?,
        _ => Metrics::new(),
    };
    let mut attacks = Vec::new();
    let wanted = |kind| args.attacks.contains(&kind);
    if wanted(AttackKind::Maps) {
        attacks.extend(attacked.maps(args.images)?);
    }
    if wanted(AttackKind::InnerValues) {
        attacks.push(attacked.inner_values(args.few)?);
    }
    if wanted(AttackKind::FiniteDifferences) {
        attacks.push(attacked.finite_differences(args.few)?);
    }
    if wanted(AttackKind::Occlusion) {
        attacks.push(attacked.occlusion(args.few)?);
    }
    for (kind, recipes) in [
        (AttackKind::FineTuned, &[Recipe::FINE_TUNED][..]),
        (AttackKind::Retrained, &Recipe::RETRAINED),
        (AttackKind::Student, &[Recipe::STUDENT]),
        (AttackKind::Independent, &[Recipe::INDEPENDENT]),
    ] {
        let given = kind == AttackKind::Independent && args.independent.is_some();
        if !wanted(kind) || given {
            continue;
        }
        some(images.train.len())?;
        for recipe in recipes {
            let (network, made) = copy(&session, recipe, &shown, &images)?;
            attacks.extend(attacked.network(recipe.name, &network, made, args.images)?);
        }
    }
    if let Some(path) = &args.independent {
        let network = ModelFile::open(path)?;
        let rate = accuracy(path, &images.test, session.options().quiet)?;
        let made = Made { accuracy: Some(rate.value), ..Made::default() };
        attacks.extend(attacked.network(
            "independent, trained elsewhere",
            &network,
            made,
            args.images,
        )?);
    }
    let config = session.config();
    let strength = Strength { id: config.id.clone(), seed: config.seed, attacks };
    put(&strength, &args.table)?;
    let mut metrics = strength.metrics();
    metrics.extend(opened);
    let method = &locked.manifest().method().name;
    let row = Row::new(&session.described(&args.commit), method, false, metrics);
    emit(row.table().trim_end())?;
    if let Some(path) = &args.results {
        results::put(path, row)?;
    }
    Ok(emit(&args.table.display().to_string())?)
}

/// What the open model is, beside what its file shows.
fn opened(attacked: &Attacked<'_>, file: SealedFile, key: &KeyFile) -> Result<Metrics, TrainError> {
    let (model, access) = SealedModel::new(file).open_with_key(key.secret(), EngineKind::Native)?;
    let method = model.manifest().method().name.clone();
    let trigger = access.trigger(&model, &method, Timestamp::now())?;
    Ok(attacked.open(&model, trigger)?)
}

/// A network that is trained by a recipe from what a file shows.
fn copy(
    session: &Session,
    recipe: &Recipe,
    shown: &ModelFile,
    images: &Images,
) -> Result<(ModelFile, Made), TrainError> {
    let (config, options) = (session.config(), session.options());
    let start = Instant::now();
    let classifier = shown.graph().extract(&[LOGITS])?;
    let graph = copied(config, recipe, &classifier, &images.train, options)?;
    let seconds = start.elapsed().as_secs_f64();
    let model = export::clean(config, &graph, &shown.manifest().labels)?;
    let path = options.out.join("copy.onnx");
    model.save(&path)?;
    let rate = accuracy(&path, &images.test, options.quiet)?;
    let made = Made { steps: recipe.steps, seconds, accuracy: Some(rate.value) };
    Ok((model, made))
}
