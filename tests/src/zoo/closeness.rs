//! How close two arrays are.

/// Closeness of an array to an expected one.
#[derive(Clone, Copy, Debug)]
pub struct Closeness {
    /// Largest difference, over the largest expected value.
    pub off: f64,
    /// One minus the cosine of the angle between the two.
    pub turned: f64,
}

impl Closeness {
    /// Compares two arrays of one length.
    ///
    /// # Panics
    /// The lengths differ, or all that is expected is zero.
    pub fn of(found: &[f64], expected: &[f64]) -> Self {
        assert_eq!(found.len(), expected.len());
        let largest = expected.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        assert!(largest > 0.0, "an array of zeros is no evidence");
        let pairs = || found.iter().zip(expected);
        let off = pairs().fold(0.0f64, |m, (a, b)| m.max((a - b).abs())) / largest;
        let squares = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>();
        let product: f64 = pairs().map(|(a, b)| a * b).sum();
        let turned = 1.0 - product / (squares(found) * squares(expected)).sqrt();
        Self { off, turned: turned.max(0.0) }
    }

    /// The worse of two.
    pub fn or_worse(self, other: Self) -> Self {
        Self { off: self.off.max(other.off), turned: self.turned.max(other.turned) }
    }
}
