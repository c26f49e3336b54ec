//! What the scores of a classifier mean.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What turns logits into probabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Head {
    /// One class of all: the probabilities add up to 1.
    #[default]
    Softmax,
    /// A yes or no to each class, on its own. A network with one score has two classes here, whose
    /// logits are minus the score and the score.
    Sigmoid,
}

impl Head {
    /// The name on command lines and in manifests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Softmax => "softmax",
            Self::Sigmoid => "sigmoid",
        }
    }

    /// The probability of each class, in [0, 1].
    pub fn probabilities(self, logits: &[f32]) -> Vec<f32> {
        match self {
            Self::Softmax => {
                let largest = logits.iter().fold(f32::NEG_INFINITY, |m, &v| m.max(v));
                let powers: Vec<f32> = logits.iter().map(|v| (v - largest).exp()).collect();
                let sum: f32 = powers.iter().sum();
                powers.iter().map(|p| p / sum).collect()
            }
            Self::Sigmoid => logits.iter().map(|v| ((-v).exp() + 1.0).recip()).collect(),
        }
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Head {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Softmax, Self::Sigmoid]
            .into_iter()
            .find(|head| head.name() == text)
            .ok_or_else(|| format!("'{text}' is neither softmax nor sigmoid"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_of_the_head_and_stay_finite() {
        assert_eq!(Head::Softmax.probabilities(&[1e30, 0.0]), [1.0, 0.0]);
        assert_eq!(Head::Sigmoid.probabilities(&[1e30, 0.0, -1e30]), [1.0, 0.5, 0.0]);
        for head in [Head::Softmax, Head::Sigmoid] {
            assert_eq!(head.to_string().parse(), Ok(head));
        }
        assert!("tanh".parse::<Head>().is_err());
    }
}
