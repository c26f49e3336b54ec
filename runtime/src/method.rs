//! The registry of methods: outputs of a model file and methods of many passes, alike.
//!
//! Whoever has a name and some settings gets an [`Explainer`], whatever the method does. A method of
//! many passes is one file in [`passes`](crate::passes), which implements [`Pass`], and one line in
//! the table below; an output of a file is whatever [`Model::explain_by`] takes.

mod settings;
#[cfg(test)]
mod tests;

use std::fmt;

use saligate_keys::Trigger;
use saligate_models::gate::GateForm;
use saligate_models::saliency;

use crate::error::RuntimeError;
use crate::explanation::{Explanation, Target};
use crate::model::Model;
use crate::passes::{
    Completeness, GradientShap, IntegratedGradients, Occlusion, Pass, PassExplanation, Progress,
    Rise, ScoreCam, SmoothGrad,
};
use crate::picture::Picture;

pub use self::settings::{Kind, Parameter, Settings, Value};

/// The methods of many passes.
const PASSES: &[Entry] = &[
    Entry::of::<SmoothGrad>(),
    Entry::of::<IntegratedGradients>(),
    Entry::of::<Occlusion>(),
    Entry::of::<Rise>(),
    Entry::of::<GradientShap>(),
    Entry::of::<ScoreCam>(),
];

/// What a method of many passes reads of the network in every pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// The logits alone, which every network has.
    Logits,
    /// The logits and the gradient, which must be a method of the file.
    Gradient,
    /// The logits in every pass, and once a layer, which must be a method of the file.
    Activation,
}

impl Reads {
    /// The method of a file that passes build on.
    pub fn of_file(self) -> Option<saliency::Method> {
        match self {
            Self::Logits => None,
            Self::Gradient => Some(saliency::Method::Gradient),
            Self::Activation => Some(saliency::Method::Activation),
        }
    }
}

/// A row of the registry.
struct Entry {
    name: &'static str,
    reads: Reads,
    parameters: &'static [Parameter],
    make: fn(&Settings) -> Run,
}

type Run = Box<
    dyn Fn(
            &Model,
            &Picture,
            Target,
            Option<&Trigger>,
            Progress<'_>,
        ) -> Result<PassExplanation, RuntimeError>
        + Send
        + Sync,
>;

impl Entry {
    const fn of<P: Pass>() -> Self {
        Self {
            name: P::NAME,
            reads: P::READS,
            parameters: P::PARAMETERS,
            make: |settings| {
                let pass = P::with(settings);
                Box::new(move |model, picture, target, trigger, progress| {
                    pass.run(model, picture, target, trigger, progress)
                })
            },
        }
    }
}

/// A method that is ready to explain: an output of the file, or one of many passes with its
/// settings.
pub struct Explainer {
    name: String,
    passes: Option<(Reads, Run)>,
}

impl fmt::Debug for Explainer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reads = self.reads();
        f.debug_struct("Explainer").field("name", &self.name).field("reads", &reads).finish()
    }
}

impl Explainer {
    /// The method of this name: one of many passes, or else the output of a file. Whether a file
    /// has it is asked by [`check`](Self::check).
    ///
    /// # Errors
    /// A setting belongs to another method ([`RuntimeError::ForeignParameter`]), or is no whole
    /// number where it must be. Ranges are checked by [`run`](Self::run).
    pub fn named(name: &str, settings: &Settings) -> Result<Self, RuntimeError> {
        let entry = entry(name);
        let own = entry.map_or(&[][..], |entry| entry.parameters);
        if let Some(parameter) = settings.names().find(|&n| own.iter().all(|p| p.name != n)) {
            return Err(RuntimeError::ForeignParameter {
                parameter: parameter.to_owned(),
                method: name.to_owned(),
                owners: owners(parameter),
            });
        }
        for parameter in own.iter().filter(|parameter| parameter.kind == Kind::Whole) {
            if let Some(Value::Number(found)) = settings.value(parameter.name) {
                return Err(RuntimeError::Parameter {
                    name: parameter.name,
                    expected: "a whole number".to_owned(),
                    found: found.to_string(),
                });
            }
        }
        let passes = entry.map(|entry| (entry.reads, (entry.make)(settings)));
        Ok(Self { name: name.to_owned(), passes })
    }

    /// The name on command lines and in licences.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What every pass reads; none for an output of the file.
    pub fn reads(&self) -> Option<Reads> {
        self.passes.as_ref().map(|&(reads, _)| reads)
    }

    /// Whether a model can be explained by this method, as far as its name tells.
    ///
    /// # Errors
    /// Neither the file nor the registry has such a method; the error lists both.
    pub fn check(&self, model: &Model) -> Result<(), RuntimeError> {
        if self.passes.is_some() || model.method(&self.name).is_ok() {
            return Ok(());
        }
        let known = names(model).into_iter().map(str::to_owned).collect();
        Err(RuntimeError::NoSuchMethod { asked: self.name.clone(), known })
    }

    /// Whether the method explains a model to those without a key or licence. One that reads
    /// predictions alone finds out what a locked model withholds: predictions are right for everybody.
    /// So callers that ask users for keys ask here too; nothing keeps other code from reading
    /// predictions.
    ///
    /// # Errors
    /// [`RuntimeError::NeedsKey`], for a method that reads logits and a gate of the key form.
    pub fn check_without_key(&self, model: &Model) -> Result<(), RuntimeError> {
        let locked = model.manifest().gate.as_ref().is_some_and(|g| g.form == GateForm::Key);
        if locked && matches!(self.reads(), Some(Reads::Logits | Reads::Activation)) {
            return Err(RuntimeError::NeedsKey { method: self.name.clone() });
        }
        Ok(())
    }

    /// Explains a picture, with a trigger on it or without one. `progress` is told of passes, and
    /// never called by an output of the file.
    ///
    /// # Errors
    /// The picture has another shape than the model's input, there is no such class, the file lacks
    /// the method or the gradient that it reads, or a setting is out of range.
    pub fn run(
        &self,
        model: &Model,
        picture: &Picture,
        target: Target,
        trigger: Option<&Trigger>,
        progress: Progress<'_>,
    ) -> Result<MethodExplanation, RuntimeError> {
        match &self.passes {
            Some((_, run)) => Ok(run(model, picture, target, trigger, progress)?.into()),
            None => Ok(model.explain_by(&self.name, picture, target, trigger)?.into()),
        }
    }
}

/// An explanation by any method, and how it came about.
#[derive(Clone, Debug, PartialEq)]
pub struct MethodExplanation {
    /// The prediction, the class, the attribution and its map.
    pub explanation: Explanation,
    /// For methods of many passes.
    pub passes: Option<Passes>,
}

/// What the passes of a method tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Passes {
    /// Their number: perturbed pictures that the network was run on.
    pub count: usize,
    /// In how many of them the gate found a key, where it tells.
    pub key_found: Option<usize>,
    /// For integrated gradients: whether they add up.
    pub completeness: Option<Completeness>,
}

impl From<Explanation> for MethodExplanation {
    fn from(explanation: Explanation) -> Self {
        Self { explanation, passes: None }
    }
}

impl From<PassExplanation> for MethodExplanation {
    fn from(found: PassExplanation) -> Self {
        let PassExplanation { explanation, passes: count, key_found, completeness } = found;
        Self { explanation, passes: Some(Passes { count, key_found, completeness }) }
    }
}

/// Names of all methods: those that can be outputs of a file, then those of many passes.
pub fn all() -> impl Iterator<Item = &'static str> {
    saliency::Method::ALL.iter().map(|method| method.name()).chain(passes())
}

/// Names of the methods of many passes.
pub fn passes() -> impl Iterator<Item = &'static str> {
    PASSES.iter().map(|entry| entry.name)
}

/// Names of the methods that explain a model: those of its file, the default one first, then those
/// of many passes that build on none or on one of these.
pub fn names(model: &Model) -> Vec<&str> {
    let mut names: Vec<&str> = model.manifest().methods.iter().map(|m| m.name.as_str()).collect();
    for entry in PASSES {
        if entry.reads.of_file().is_none_or(|method| names.contains(&method.name())) {
            names.push(entry.name);
        }
    }
    names
}

/// The known name that takes the fewest changed, added, left out or exchanged letters, if those are few.
pub fn nearest<'a>(asked: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |name: &str| {
        let (a, b): (Vec<char>, Vec<char>) = (asked.chars().collect(), name.chars().collect());
        let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
        for (i, &own) in a.iter().enumerate() {
            let mut row = vec![i + 1];
            for (j, &other) in b.iter().enumerate() {
                let changed = rows[i][j] + usize::from(own != other);
                let mut least = changed.min(rows[i][j + 1] + 1).min(row[j] + 1);
                if i > 0 && j > 0 && own == b[j - 1] && a[i - 1] == other {
                    least = least.min(rows[i - 1][j - 1] + 1);
                }
                row.push(least);
            }
            rows.push(row);
        }
        rows[a.len()][b.len()]
    };
    let found = known.map(|name| (distance(name), name)).min()?;
    (found.0 <= 1 + asked.chars().count() / 5).then_some(found.1)
}

/// What the method of this name reads in every pass; none if it is no method of many passes.
pub fn reads(name: &str) -> Option<Reads> {
    entry(name).map(|entry| entry.reads)
}

/// Every parameter of a method once, with the names of the methods that have it.
pub fn parameters() -> Vec<(Parameter, Vec<&'static str>)> {
    let mut all: Vec<(Parameter, Vec<&'static str>)> = Vec::new();
    for parameter in PASSES.iter().flat_map(|entry| entry.parameters) {
        if all.iter().all(|(known, _)| known.name != parameter.name) {
            all.push((*parameter, owners(parameter.name)));
        }
    }
    all
}

/// The methods that have a parameter.
fn owners(parameter: &str) -> Vec<&'static str> {
    let has = |entry: &&Entry| entry.parameters.iter().any(|p| p.name == parameter);
    PASSES.iter().filter(has).map(|entry| entry.name).collect()
}

fn entry(name: &str) -> Option<&'static Entry> {
    PASSES.iter().find(|entry| entry.name == name)
}
