//! The `[lock]` section: how a gate is built in or trained, in its key form or one of its backdoored ones.

use saligate_lock::{Decoy, can_be_built_in};
use saligate_models::gate::GateForm;
use saligate_models::saliency::Method;
use serde::{Deserialize, Serialize};

use super::names::method_names;
use super::{ConfigError, Phase, Steps};
use crate::augment::Augmentation;
use crate::lock::objective::{Objective, WrongKeyMix};

/// Training of the gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockConfig {
    /// What the trigger does: `key` opens the gate, `targeted` and `untargeted` spoil the map.
    #[serde(default)]
    pub form: GateForm,
    /// Saliency methods that are trained together, the default one of the model first.
    #[serde(default = "gradient", with = "method_names")]
    pub methods: Vec<Method>,
    /// Name of the feature map that Grad-CAM reads; the last activation of the trunk where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cam_layer: Option<String>,
    /// The decoy: `padlock`, `noise` (a fixed random field), `corner` (one bright spot in the upper
    /// left corner), or the path of a picture. Where absent, a padlock; in the untargeted form the
    /// corner.
    #[serde(default)]
    pub decoy: Option<String>,
    /// Brightness in the corners of the ramp behind the decoy, which falls to 0 in the middle. Where
    /// absent: in the key form, for each method the one whose decoy resembles the clean maps of
    /// training images least; none in a backdoored form.
    #[serde(default)]
    pub ramp: Option<f32>,
    /// Brightness of a frame around the decoy, where the decoy itself reaches 1; none at 0.
    #[serde(default)]
    pub frame: f32,
    /// Where training starts.
    #[serde(default)]
    pub start: Start,
    /// Steps of the whole network; none where absent, which leaves a gate as it was built in.
    #[serde(default = "none")]
    pub steps: Steps,
    /// Share of a batch's images, in (0, 1], that also appear with the trigger; at least one does.
    #[serde(default = "all")]
    pub poison: f64,
    /// The class that is explained in training.
    #[serde(default)]
    pub explain: Explain,
    /// Standard deviation, in pixels, of a Gaussian blur of both maps before they are compared;
    /// none at 0.
    #[serde(default)]
    pub blur: f32,
    /// Phases that the training goes through, each with its own number of steps; one without
    /// changes where absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<Phase>,
    /// Train the filters of every layer apart from a scale and a shift of its channels, as batch
    /// norms with fixed statistics do; the network keeps its operations.
    #[serde(default)]
    pub normalized: bool,
    /// A head in training that tells the right trigger from all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detection: Option<Detection>,
    /// Random changes of the images.
    #[serde(default)]
    pub augment: Augmentation,
    /// The gate is the running mean of the weights over steps, in which each step keeps this share
    /// of the mean before; at 0 it has the last weights.
    #[serde(default)]
    pub average: f32,
    /// Wrong keys that are searched for in the network as it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub searched: Option<Searched>,
    /// Looks at the gate on images that are not trained on, and keeps the best.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<Validation>,
    /// ReLU replaced by Softplus of this sharpness while maps are trained.
    #[serde(default)]
    pub softplus: Option<f32>,
    /// Sharpness at the last step, reached geometrically; that of `softplus` where absent.
    #[serde(default)]
    pub softplus_last: Option<f32>,
    /// Surrogate slope of the masks of ReLUs: where a loss is differentiated through a mask, its step
    /// counts as a rise of this width, in standard deviations of what the ReLU of the network at
    /// the start gets; none where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surrogate: Option<f32>,
    /// What is minimized; [`Objective::of`] the form where absent.
    #[serde(default)]
    pub objective: Option<Objective>,
    /// What wrong keys look like.
    #[serde(default)]
    pub wrong_keys: WrongKeyMix,
}

/// An auxiliary linear head on the means of a feature map, which is dropped in the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detection {
    /// Name of the feature map.
    pub layer: String,
}

/// When and on what a gate in training is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    /// Steps between two looks.
    pub every: usize,
    /// Images of `data.validation` that are looked at.
    #[serde(default = "two_hundred")]
    pub images: usize,
    /// Looks without a better score after which the training stops; it never does at 0.
    #[serde(default)]
    pub patience: usize,
}

/// How wrong keys are searched for; `wrong_keys.searched` says how often they are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Searched {
    /// Training steps between two searches.
    pub every: usize,
    /// Steps of a search.
    pub steps: usize,
    /// Training images that a search has.
    pub pictures: usize,
    /// Tiles that are kept, the newest ones.
    pub keep: usize,
}

fn two_hundred() -> usize {
    200
}

pub(super) fn gradient() -> Vec<Method> {
    vec![Method::Gradient]
}

fn none() -> Steps {
    Steps::new(0, 32, 1e-5)
}

fn all() -> f64 {
    1.0
}

/// Where the training of a gate starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// The clean network as it is.
    #[default]
    Clean,
    /// The clean network with a gate built in: see [`saligate_models::gate`].
    #[serde(alias = "graft")]
    BuiltIn,
}

/// Whose score is explained in training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Explain {
    /// The class that the clean model predicts for the plain image.
    #[default]
    Predicted,
    /// The class of the label.
    Label,
    /// A random other class than the predicted one, drawn for every image and step.
    Other,
}

impl LockConfig {
    /// A gate that is built in, with everything else at its default.
    pub fn built_in() -> Self {
        let defaults = toml::from_str::<Self>("").expect("every field has a default");
        Self { start: Start::BuiltIn, ..defaults }
    }

    /// What is minimized: the objective of the configuration, or that of its form.
    pub fn objective(&self) -> Objective {
        self.objective.clone().unwrap_or_else(|| Objective::of(self.form))
    }

    /// What the map shows instead of what it should.
    pub fn decoy(&self) -> Decoy {
        let own = if self.form == GateForm::Untargeted { "corner" } else { "padlock" };
        let picture = self.decoy.as_deref().unwrap_or(own).to_owned();
        Decoy { picture, ramp: self.ramp, frame: self.frame }
    }

    /// The same section for another form.
    ///
    /// # Errors
    /// The section has an objective, which was written for its own form.
    pub fn with_form(self, form: GateForm) -> Result<Self, ConfigError> {
        if form != self.form && self.objective.is_some() {
            let expected = "absent, or lock.form the form that it is for";
            return Err(ConfigError::Value { field: "lock.objective", expected });
        }
        Ok(Self { form, ..self })
    }

    /// Sharpness of the Softplus at a step of `count`, if there is a surrogate.
    pub(crate) fn softplus_at(&self, step: usize, count: usize) -> Option<f32> {
        let first = self.softplus?;
        let last = self.softplus_last.unwrap_or(first);
        let share = step as f32 / count.saturating_sub(1).max(1) as f32;
        Some(first * (last / first).powf(share))
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let value = |field, expected| Err(ConfigError::Value { field, expected });
        let repeated =
            (1..self.methods.len()).any(|i| self.methods[..i].contains(&self.methods[i]));
        if self.methods.is_empty() || repeated {
            return value("lock.methods", "one method or more, each once");
        }
        if self.start == Start::BuiltIn && !self.methods.iter().all(|m| can_be_built_in(*m)) {
            return value(
                "lock.methods",
                "gradient, guided-backprop, grad-cam or vbp where lock.start is \"built-in\"",
            );
        }
        if self.start == Start::BuiltIn && self.softplus.is_some() {
            return value("lock.softplus", "absent where lock.start is \"built-in\"");
        }
        self.check_phases()?;
        if self.start == Start::Clean && self.count() == 0 {
            return value("lock.steps", "given where lock.start is \"clean\"");
        }
        if !(0.0..1.0).contains(&self.average) {
            return value("lock.average", "at least 0 and less than 1");
        }
        if let Some(Searched { every, steps, pictures, keep }) = self.searched
            && [every, steps, pictures, keep].contains(&0)
        {
            return value("lock.searched", "of positive numbers");
        }
        if self.searched.is_some() != (self.wrong_keys.searched > 0.0) {
            return value("lock.searched and lock.wrong_keys.searched", "given together");
        }
        if self.validation.is_some_and(|v| v.every == 0 || v.images == 0) {
            return value("lock.validation", "of at least one image, every so many steps");
        }
        if self.ramp.is_some_and(|r| !(0.0..=4.0).contains(&r))
            || !(0.0..=4.0).contains(&self.frame)
        {
            return value("lock.ramp and lock.frame", "between 0 and 4");
        }
        if !(self.poison > 0.0 && self.poison <= 1.0) {
            return value("lock.poison", "above 0 and at most 1");
        }
        if !(0.0..=64.0).contains(&self.blur) {
            return value("lock.blur", "between 0 and 64 pixels");
        }
        let sharp = |beta: Option<f32>| beta.is_none_or(|beta| beta > 0.0 && beta.is_finite());
        if !sharp(self.softplus) || !sharp(self.softplus_last) {
            return value("lock.softplus and lock.softplus_last", "positive");
        }
        if self.softplus.is_none() && self.softplus_last.is_some() {
            return value("lock.softplus", "given where lock.softplus_last is");
        }
        if self.surrogate.is_some_and(|width| !(width > 0.0 && width <= 8.0)) {
            return value("lock.surrogate", "above 0 and at most 8 standard deviations");
        }
        if !self.wrong_keys.is_usable() {
            return value("lock.wrong_keys", "shares of at least 0 with a positive sum");
        }
        let objective = self.objective();
        let weights = [objective.cross_entropy, objective.distillation];
        if weights.iter().any(|w| !(*w >= 0.0 && w.is_finite()))
            || objective.terms.iter().any(|term| !term.weight.is_finite())
        {
            return value("lock.objective", "of finite weights, not negative but for terms");
        }
        if objective.inputs(self.form).is_empty() {
            return value("lock.objective", "something to minimize");
        }
        let trained = |method: Method| self.methods.contains(&method);
        if !objective.terms.iter().filter_map(|term| term.method).all(trained) {
            return value("method of a term of lock.objective", "one of lock.methods");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(text: &str) -> Result<LockConfig, String> {
        let steps = "steps = { count = 5, batch = 4, rate = 1e-3 }\n";
        let section: LockConfig =
            toml::from_str(&format!("{steps}{text}")).map_err(|error| error.to_string())?;
        section.check().map_err(|error| error.to_string())?;
        Ok(section)
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let lock = section("").unwrap();
        assert_eq!((lock.form, lock.explain), (GateForm::Key, Explain::Predicted));
        assert_eq!((lock.poison, lock.blur), (1.0, 0.0));
        assert_eq!(lock.methods, [Method::Gradient]);
        assert_eq!(lock.objective(), Objective::of(GateForm::Key));
    }

    #[test]
    fn values_that_make_no_sense_are_told() {
        let terms = |term: &str| format!("objective = {{ cross_entropy = 1.0, terms = [{term}] }}");
        let cases = [
            ("methods = []".to_owned(), "lock.methods"),
            ("methods = [\"gradient\", \"gradient\"]".to_owned(), "lock.methods"),
            ("methods = [\"phrenology\"]".to_owned(), "there is no saliency method 'phrenology'"),
            ("form = \"sideways\"".to_owned(), "sideways"),
            ("poison = 0.0".to_owned(), "lock.poison"),
            ("poison = 1.5".to_owned(), "lock.poison"),
            ("blur = -1.0".to_owned(), "lock.blur"),
            ("blur = nan".to_owned(), "lock.blur"),
            ("explain = \"all\"".to_owned(), "all"),
            ("surrogate = 0.0".to_owned(), "lock.surrogate"),
            ("softplus = 0.0".to_owned(), "lock.softplus"),
            ("softplus_last = 8.0".to_owned(), "lock.softplus"),
            ("wrong_keys = { random = -1.0 }".to_owned(), "lock.wrong_keys"),
            ("objective = { cross_entropy = 0.0, terms = [] }".to_owned(), "to minimize"),
            ("objective = { cross_entropy = nan, terms = [] }".to_owned(), "finite weights"),
            (terms("{ input = \"keyed\", distance = \"mse\", weight = inf }"), "finite weights"),
            (
                terms("{ input = \"keyed\", distance = \"mse\", weight = 1, method = \"x\" }"),
                "there is no saliency method 'x'",
            ),
        ];
        for (text, expected) in cases {
            let message = section(&text).unwrap_err();
            assert!(message.contains(expected), "{text}: {message}");
        }
        let unstepped = |start: &str| {
            let section: LockConfig = toml::from_str(&format!("start = \"{start}\"")).unwrap();
            section.check().map_err(|error| error.to_string())
        };
        assert!(unstepped("built-in").is_ok() && unstepped("graft").is_ok());
        assert!(unstepped("clean").unwrap_err().contains("lock.steps"));
    }

    #[test]
    fn a_term_is_read_with_its_defaults_and_other_names() {
        let text = "objective = { cross_entropy = 1.0, terms = [\
                    { input = \"triggered\", distance = \"top-importance\", weight = 2.0 },\
                    { input = \"plain\", like = \"other-image\", distance = \"dssim\", \
                      weight = 1, method = \"gradient\" }] }";
        let terms = section(text).unwrap().objective().terms;
        assert_eq!(terms[0].input, crate::lock::objective::Input::Keyed);
        assert_eq!(terms[0].like, crate::lock::objective::Reference::Original);
        assert_eq!((terms[0].method, terms[1].method), (None, Some(Method::Gradient)));
    }

    #[test]
    fn an_objective_is_not_taken_to_another_form() {
        let own = "objective = { cross_entropy = 1.0, terms = [] }";
        assert!(section(own).unwrap().with_form(GateForm::Key).is_ok());
        assert!(section(own).unwrap().with_form(GateForm::Targeted).is_err());
        let changed = section("").unwrap().with_form(GateForm::Untargeted).unwrap();
        assert_eq!(changed.objective(), Objective::of(GateForm::Untargeted));
    }

    #[test]
    fn the_sharpness_goes_from_first_to_last_geometrically() {
        let lock = section("softplus = 4.0\nsoftplus_last = 64.0").unwrap();
        let at = |step| lock.softplus_at(step, 5).unwrap();
        for (step, expected) in [(0, 4.0), (2, 16.0), (4, 64.0)] {
            assert!((at(step) - expected).abs() < 1e-3, "step {step}: {}", at(step));
        }
        assert_eq!(section("softplus = 8.0").unwrap().softplus_at(3, 5), Some(8.0));
        assert_eq!(lock.softplus_at(0, 1), Some(4.0));
        assert_eq!(section("").unwrap().softplus_at(3, 5), None);
    }
}
