//! What a model answers.

use std::time::Duration;

use saligate_models::head::Head;

/// Which class is explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The one with the highest logit.
    Predicted,
    /// The one with this index.
    Class(usize),
}

/// Scores of all classes.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Index of the highest logit, the first among equals.
    pub class: usize,
    /// Scores before the softmax or the sigmoids, one per class.
    pub logits: Vec<f32>,
    /// What turns them into probabilities.
    pub head: Head,
    /// Whether the gate found a key in the picture; none without a gate, and for one that was
    /// trained and does not tell. A key that was put on a picture may be lost in noise or
    /// saturation: the map is then the decoy.
    pub key_found: Option<bool>,
}

impl Prediction {
    pub(crate) fn new(logits: Vec<f32>, head: Head, key_found: Option<bool>) -> Self {
        let mut class = 0;
        for (i, logit) in logits.iter().enumerate() {
            if *logit > logits[class] {
                class = i;
            }
        }
        Self { class, logits, head, key_found }
    }

    /// The probability of each class, in [0, 1]; those of a softmax add up to 1.
    pub fn probabilities(&self) -> Vec<f32> {
        self.head.probabilities(&self.logits)
    }
}

/// One step of a run, and how long it takes.
#[derive(Clone, Debug, PartialEq)]
pub struct StepTime {
    /// What is computed, in words.
    pub operation: String,
    /// Channels, rows and columns of the first operand, if there is one.
    pub operand: Option<[usize; 3]>,
    /// Channels, rows and columns of the result.
    pub result: [usize; 3],
    /// The median over some runs.
    pub median: Duration,
}

/// Raw scores of a method.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribution {
    /// `[channel, row, column]`, row-major. The unit is the method's; for the gradient, logits per
    /// unit of pixel range.
    pub values: Vec<f32>,
    /// Channels: those of the image, or one.
    pub channels: usize,
    /// Rows: those of the image, or of the layer that the method reads.
    pub height: usize,
    /// Columns, likewise.
    pub width: usize,
}

/// A prediction and what it rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The prediction for the picture that was explained, with its trigger if it had one.
    pub prediction: Prediction,
    /// The explained class.
    pub class: usize,
    /// The raw attribution.
    pub attribution: Attribution,
    /// Saliency map `[row, column]` of the image's size, row-major: the attribution reduced over
    /// channels as the manifest or the method says and resized bilinearly where it is smaller, not
    /// scaled for display.
    pub map: Vec<f32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equal_logits_is_predicted() {
        assert_eq!(Prediction::new(vec![1.0, 3.0, 3.0], Head::Softmax, None).class, 1);
    }
}
