//! What is minimized, as data.

use serde::{Deserialize, Serialize};

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
    /// What its map should look like.
    pub like: Reference,
    /// How the two are compared.
    pub distance: Distance,
    /// Factor of the term.
    pub weight: f32,
}

/// A version of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Input {
    /// As it is.
    Plain,
    /// With the trigger.
    Keyed,
    /// With the trigger of a wrong key.
    WrongKey,
}

impl Input {
    /// All versions, in the order in which they stand in a training batch.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Keyed, Self::WrongKey];
}

/// What a map should look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reference {
    /// The clean model's map of the plain image.
    Original,
    /// The decoy.
    Decoy,
}

/// A distance between two attributions of the same shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distance {
    /// Mean squared difference of the z-scored maps.
    Mse,
    /// The same on the square roots of the maps, which weighs low and high ranks alike.
    RootMse,
    /// One minus the cosine of the signed attributions; on a decoy, of the maps.
    Cosine,
}

impl Default for Objective {
    /// The inverted objective: the original with the key, the decoy without and with wrong keys.
    fn default() -> Self {
        let term = |input, like| Term { input, like, distance: Distance::Mse, weight: 1.0 };
        Self {
            cross_entropy: 1.0,
            distillation: 0.0,
            terms: vec![
                term(Input::Keyed, Reference::Original),
                term(Input::Plain, Reference::Decoy),
                term(Input::WrongKey, Reference::Decoy),
            ],
        }
    }
}

/// Relative frequencies of the kinds of wrong keys in training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WrongKeyMix {
    /// Triggers of random keys.
    pub random: f32,
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
    /// Smallest share of the signs that are flipped in `flipped`; the largest is one half.
    pub least_flipped: f32,
}

impl Default for WrongKeyMix {
    fn default() -> Self {
        Self {
            random: 0.5,
            flipped: 0.2,
            shifted: 0.1,
            weaker: 0.075,
            partial: 0.075,
            blended: 0.05,
            least_flipped: 0.125,
        }
    }
}
