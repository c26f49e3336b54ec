//! `saligate-train strength`: attacks on the file of a locked or sealed model.

use std::path::Path;
use std::time::Instant;

use clap::ValueEnum as _;
use saligate_console::{emit, secrets};
use saligate_files::ModelFile;
use saligate_files::sealed::SealedFile;
use saligate_keys::{KeyFile, Timestamp};
use saligate_measure::results::{self, Row};
use saligate_measure::strength::{Attack, Attacked, Made, Strength, put};
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
    let attacker =
        Attacker { session: &session, args, images: &images, shown: &shown, attacked: &attacked };
    for &kind in &args.attacks {
        let name = kind.to_possible_value().map_or_else(String::new, |v| v.get_name().to_owned());
        let found = attacker.attack(kind, key.as_ref())?;
        attacks.extend(found.into_iter().map(|attack| Attack { kind: name.clone(), ..attack }));
    }
    let config = session.config();
    let model = shown.licensing_digest().to_string();
    let mut strength = Strength { id: config.id.clone(), seed: config.seed, model, attacks };
    put(&mut strength, &args.table)?;
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

/// Whoever has the file and the training images.
struct Attacker<'a> {
    session: &'a Session,
    args: &'a StrengthArgs,
    images: &'a Images,
    shown: &'a ModelFile,
    attacked: &'a Attacked<'a>,
}

impl Attacker<'_> {
    fn attack(&self, kind: AttackKind, key: Option<&KeyFile>) -> Result<Vec<Attack>, TrainError> {
        let Self { args, attacked, .. } = self;
        let config = self.session.config();
        let spec = &config.trigger.spec;
        Ok(match kind {
            AttackKind::Maps => attacked.maps(args.images)?,
            AttackKind::InnerValues => vec![attacked.inner_values(args.few)?],
            AttackKind::Staircase => attacked.staircase(args.images)?,
            AttackKind::Tile => attacked.tiles(spec, args.images)?,
            AttackKind::Pair => match key {
                Some(key) => attacked.pair(key.secret(), spec, args.images)?,
                None => Vec::new(),
            },
            AttackKind::Searched => {
                attacked.searched(&config.lock.methods, spec, config.seed, args.images)?
            }
            AttackKind::FiniteDifferences => attacked.finite_differences(args.few)?,
            AttackKind::Occlusion => attacked.occlusion(args.few)?,
            AttackKind::FineTuned => self.copies(&[Recipe::FINE_TUNED])?,
            AttackKind::Retrained => self.copies(&Recipe::RETRAINED)?,
            AttackKind::Student => self.copies(&[Recipe::STUDENT])?,
            AttackKind::Independent => match &args.independent {
                Some(path) => self.elsewhere(path)?,
                None => self.copies(&[Recipe::INDEPENDENT])?,
            },
        })
    }

    /// A network that was trained without the file.
    fn elsewhere(&self, path: &Path) -> Result<Vec<Attack>, TrainError> {
        let network = ModelFile::open(path)?;
        let rate = accuracy(path, &self.images.test, self.session.options().quiet)?;
        let made = Made { accuracy: Some(rate.value), ..Made::default() };
        let name = "independent, trained elsewhere";
        Ok(self.attacked.network(name, &network, made, self.args.images)?)
    }

    /// Networks that are trained here.
    fn copies(&self, recipes: &[Recipe]) -> Result<Vec<Attack>, TrainError> {
        some(self.images.train.len())?;
        let mut attacks = Vec::new();
        for recipe in recipes {
            let (network, made) = copy(self.session, recipe, self.shown, self.images)?;
            attacks.extend(self.attacked.network(recipe.name, &network, made, self.args.images)?);
        }
        Ok(attacks)
    }
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
