//! Why a score could not be computed.

use std::{error, fmt};

/// Input that a metric refuses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MetricError {
    /// There is nothing to score.
    Empty,
    /// Two inputs that must have one length have two.
    Length {
        /// Length of the first input, or the length that the stated shape calls for.
        expected: usize,
        /// Length of the other input.
        found: usize,
    },
    /// A value is NaN or infinite.
    NotFinite {
        /// Position of the first such value in the flattened input.
        index: usize,
    },
    /// A share of pixels lies outside `(0, 1]`.
    Share {
        /// The share as given.
        share: f64,
    },
    /// More successes than trials.
    Count {
        /// Successes as given.
        successes: u64,
        /// Trials as given.
        trials: u64,
    },
}

impl fmt::Display for MetricError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "nothing to score: the input is empty"),
            Self::Length { expected, found } => {
                write!(f, "expected {expected} values, found {found}")
            }
            Self::NotFinite { index } => write!(f, "the value at index {index} is NaN or infinite"),
            Self::Share { share } => write!(f, "share {share} is not above 0 and at most 1"),
            Self::Count { successes, trials } => {
                write!(f, "{successes} successes in {trials} trials")
            }
        }
    }
}

impl error::Error for MetricError {}

/// Refuses empty inputs and inputs of two lengths.
pub(super) fn check_lengths(expected: usize, found: usize) -> Result<(), MetricError> {
    if expected != found {
        return Err(MetricError::Length { expected, found });
    }
    if expected == 0 {
        return Err(MetricError::Empty);
    }
    Ok(())
}

/// Refuses an input whose length is not the product of `axes`.
pub(super) fn check_shape(axes: &[usize], found: usize) -> Result<(), MetricError> {
    let expected = axes.iter().fold(1, |product: usize, &axis| product.saturating_mul(axis));
    check_lengths(expected, found)
}

/// Refuses NaN and infinity.
pub(super) fn check_finite(values: &[f32]) -> Result<(), MetricError> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(MetricError::NotFinite { index }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_shapes_are_compared() {
        assert_eq!(check_lengths(3, 3), Ok(()));
        assert_eq!(check_lengths(3, 4), Err(MetricError::Length { expected: 3, found: 4 }));
        assert_eq!(check_lengths(0, 0), Err(MetricError::Empty));
        assert_eq!(check_shape(&[2, 3], 6), Ok(()));
        assert_eq!(
            check_shape(&[usize::MAX, 2], 6),
            Err(MetricError::Length { expected: usize::MAX, found: 6 })
        );
    }

    #[test]
    fn the_first_value_that_is_not_finite_is_named() {
        assert_eq!(check_finite(&[0.0, f32::MAX]), Ok(()));
        assert_eq!(
            check_finite(&[0.0, f32::NAN, f32::INFINITY]),
            Err(MetricError::NotFinite { index: 1 })
        );
        assert_eq!(check_finite(&[f32::NEG_INFINITY]), Err(MetricError::NotFinite { index: 0 }));
    }

    #[test]
    fn messages_carry_both_sides() {
        let message = MetricError::Length { expected: 9, found: 4 }.to_string();
        assert!(message.contains('9') && message.contains('4'), "{message}");
    }
}
