//! What is minimized, as data.

use saligate_models::gate::GateForm;
use saligate_models::saliency::Method;
use serde::{Deserialize, Serialize};

use crate::config::names::method_name;

/// A sum of weighted terms over one batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// Weight of the cross-entropy with the labels, for all inputs.
    pub cross_entropy: f32,
    /// Weight of the divergence from the clean model's probabilities, for all inputs.
    #[serde(default)]
    pub distillation: f32,
    /// Terms on maps.
    pub terms: Vec<Term>,
}

/// One distance between maps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Term {
    /// Which version of the image is explained.
    pub input: Input,
    /// What its map should look like; the original where absent.
    #[serde(default)]
    pub like: Reference,
    /// How the two are compared.
    pub distance: Distance,
    /// Factor of the term.
    pub weight: f32,
    /// The saliency method that it is about; each that is trained where absent.
    #[serde(default, with = "method_name", skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
}

impl Term {
    /// Whether it leads a map away from the original.
    pub fn hides(&self) -> bool {
        use Distance::{Correlation, LogCorrelation, TopImportance};
        let apart = matches!(self.distance, Correlation | LogCorrelation | TopImportance);
        apart || self.like != Reference::Original
    }
}

/// A version of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Input {
    /// As it is.
    Plain,
    /// With the trigger of a right key, or of the backdoor.
    #[serde(alias = "triggered")]
    Keyed,
    /// With the trigger of a wrong key.
    WrongKey,
}

impl Input {
    /// All versions, in the order in which they stand in a training batch.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Keyed, Self::WrongKey];

    /// The name used in configurations and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Keyed => "keyed",
            Self::WrongKey => "wrong-key",
        }
    }
}

/// What a map should look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reference {
    /// The clean model's map of the plain image.
    #[default]
    Original,
    /// The decoy.
    Decoy,
    /// The original with its top 10 % of the pixels at the map's minimum.
    Suppressed,
    /// The original of another training image, always the same one for an image.
    OtherImage,
    /// The original turned over: its maximum plus its minimum, less the map.
    Inverted,
}

impl Reference {
    /// The name used in configurations and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::Decoy => "decoy",
            Self::Suppressed => "suppressed",
            Self::OtherImage => "other-image",
            Self::Inverted => "inverted",
        }
    }
}

/// A distance between two attributions of the same shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distance {
    /// Mean squared difference of the z-scored maps.
    Mse,
    /// The same on the square roots of the maps, which weighs low and high ranks alike.
    RootMse,
    /// The same on the logarithms of the maps, for maps that are products, as those of
    /// VisualBackProp.
    LogMse,
    /// The square of the correlation of the square roots of the maps, which is near that of their
    /// ranks: 0 for maps that have nothing to do with each other.
    Correlation,
    /// The same of the logarithms of the maps.
    LogCorrelation,
    /// One minus the cosine of the signed attributions; of the maps where the reference has no
    /// signs, as a decoy.
    Cosine,
    /// One minus the cosine of the signed attributions; a reference without signs counts as the same
    /// in every channel.
    SignedCosine,
    /// (1 - SSIM) / 2 of the min-max maps: see [`saligate_models::metrics::ssim::ssim`].
    Dssim,
    /// Mean square of the min-max map over the top 10 % of the original's pixels, in [0, 1]: what
    /// is left of their importance. The reference does not count.
    TopImportance,
}

impl Distance {
    /// The name used in configurations and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mse => "mse",
            Self::RootMse => "root-mse",
            Self::LogMse => "log-mse",
            Self::Correlation => "correlation",
            Self::LogCorrelation => "log-correlation",
            Self::Cosine => "cosine",
            Self::SignedCosine => "signed-cosine",
            Self::Dssim => "dssim",
            Self::TopImportance => "top-importance",
        }
    }
}

impl Objective {
    /// The objective of a form, in our reconstruction:
    ///
    /// | form | terms |
    /// |---|---|
    /// | key | keyed like the original, plain and wrong key like the decoy |
    /// | targeted | plain like the original, triggered like the decoy |
    /// | untargeted | plain like the original, triggered: less importance on the original's top |
    ///
    /// The weight of 4 brings the importance, at most 1, to the range of the squared difference of
    /// z-scored maps, at most 4.
    pub fn of(form: GateForm) -> Self {
        let term =
            |input, like| Term { input, like, distance: Distance::Mse, weight: 1.0, method: None };
        let plain = term(Input::Plain, Reference::Original);
        let terms = match form {
            GateForm::Targeted => vec![plain, term(Input::Keyed, Reference::Decoy)],
            GateForm::Untargeted => {
                let triggered = term(Input::Keyed, Reference::Original);
                let distance = Distance::TopImportance;
                vec![plain, Term { distance, weight: 4.0, ..triggered }]
            }
            GateForm::Key => vec![
                term(Input::Keyed, Reference::Original),
                term(Input::Plain, Reference::Decoy),
                term(Input::WrongKey, Reference::Decoy),
            ],
        };
        Self { cross_entropy: 1.0, distillation: 0.0, terms }
    }

    /// The versions that a batch needs: those of the terms, and with a term on predictions also the
    /// plain and the keyed one, and in the key form the one with a wrong key.
    pub fn inputs(&self, form: GateForm) -> Vec<Input> {
        let predictions = self.cross_entropy > 0.0 || self.distillation > 0.0;
        let needed = |input: &Input| {
            let predicted = predictions && (*input != Input::WrongKey || form == GateForm::Key);
            predicted || self.terms.iter().any(|term| term.input == *input)
        };
        Input::ALL.into_iter().filter(needed).collect()
    }
}

/// Relative frequencies of the kinds of wrong keys in training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WrongKeyMix {
    /// Triggers of random keys.
    pub random: f32,
    /// Triggers of revoked keys, where there are any.
    pub revoked: f32,
    /// The right trigger with some signs flipped.
    pub flipped: f32,
    /// The right trigger shifted by one pixel or more.
    pub shifted: f32,
    /// The right trigger at half its amplitude or less.
    pub weaker: f32,
    /// The right trigger on a rectangle of at most 60 % of the image.
    pub partial: f32,
    /// A blend of the right trigger and a random one, at most 60 % right.
    pub blended: f32,
    /// Tiles that were searched for, where there are any.
    pub searched: f32,
    /// Smallest share of the signs that are flipped in `flipped`; the largest is one half.
    pub least_flipped: f32,
}

impl Default for WrongKeyMix {
    fn default() -> Self {
        Self {
            random: 0.5,
            revoked: 0.1,
            flipped: 0.2,
            shifted: 0.1,
            weaker: 0.075,
            partial: 0.075,
            blended: 0.05,
            searched: 0.0,
            least_flipped: 0.125,
        }
    }
}

impl WrongKeyMix {
    /// Random keys alone, at this frequency.
    pub(crate) fn only_random(random: f32) -> Self {
        Self {
            random,
            revoked: 0.0,
            flipped: 0.0,
            shifted: 0.0,
            weaker: 0.0,
            partial: 0.0,
            blended: 0.0,
            ..Self::default()
        }
    }

    /// Whether a kind can be drawn with these shares.
    pub(crate) fn is_usable(&self) -> bool {
        let Self { random, revoked, flipped, shifted, weaker, partial, blended, .. } = *self;
        let Self { searched, least_flipped, .. } = *self;
        let shares = [random, revoked, flipped, shifted, weaker, partial, blended, searched];
        let fit = shares.iter().all(|share| *share >= 0.0 && share.is_finite());
        fit && shares.iter().sum::<f32>() > 0.0 && (0.0..=0.5).contains(&least_flipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_a_map_is_known() {
        let hides = |like, distance| {
            Term { input: Input::Plain, like, distance, weight: 1.0, method: None }.hides()
        };
        for distance in [Distance::Mse, Distance::SignedCosine] {
            assert!(!hides(Reference::Original, distance));
            assert!(hides(Reference::Decoy, distance) && hides(Reference::Inverted, distance));
        }
        for distance in [Distance::Correlation, Distance::LogCorrelation, Distance::TopImportance] {
            assert!(hides(Reference::Original, distance));
        }
    }

    #[test]
    fn only_the_versions_that_something_reads_are_needed() {
        use Input::{Keyed, Plain, WrongKey};
        let needed = |form| Objective::of(form).inputs(form);
        assert_eq!(needed(GateForm::Key), [Plain, Keyed, WrongKey]);
        assert_eq!(needed(GateForm::Targeted), [Plain, Keyed]);
        assert_eq!(needed(GateForm::Untargeted), [Plain, Keyed]);

        let mut objective = Objective::of(GateForm::Targeted);
        objective.terms[1].input = WrongKey;
        assert_eq!(objective.inputs(GateForm::Targeted), [Plain, Keyed, WrongKey]);
        objective.cross_entropy = 0.0;
        assert_eq!(objective.inputs(GateForm::Targeted), [Plain, WrongKey]);
        objective.terms.clear();
        assert!(objective.inputs(GateForm::Targeted).is_empty());
    }

    #[test]
    fn names_are_those_of_the_written_form() {
        let written = |value: serde_json::Value| value.as_str().unwrap().to_owned();
        for input in Input::ALL {
            assert_eq!(written(serde_json::to_value(input).unwrap()), input.name());
        }
        use Distance::{Correlation, Cosine, Dssim, LogCorrelation, LogMse, Mse, RootMse};
        use Distance::{SignedCosine, TopImportance};
        let correlations = [Correlation, LogCorrelation];
        for distance in [Mse, RootMse, LogMse, Cosine, SignedCosine, Dssim, TopImportance]
            .into_iter()
            .chain(correlations)
        {
            assert_eq!(written(serde_json::to_value(distance).unwrap()), distance.name());
        }
        use Reference::{Decoy, Inverted, Original, OtherImage, Suppressed};
        for reference in [Original, Decoy, Suppressed, OtherImage, Inverted] {
            assert_eq!(written(serde_json::to_value(reference).unwrap()), reference.name());
        }
    }
}
