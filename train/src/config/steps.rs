//! How a stage steps.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// How a stage steps: AdamW, a linear rise of the learning rate, and a cosine on which it falls.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Steps {
    /// Number of steps.
    #[serde(default)]
    pub count: usize,
    /// Images per step.
    pub batch: usize,
    /// Largest learning rate.
    pub rate: f64,
    /// Decoupled weight decay.
    #[serde(default)]
    pub weight_decay: f32,
    /// Largest Euclidean norm of the gradient; a longer one is shortened to it.
    #[serde(default)]
    pub clip: Option<f32>,
    /// Share of the steps over which the learning rate rises.
    #[serde(default = "twentieth")]
    pub warm_up: f64,
    /// Share of the rate that the cosine ends at.
    #[serde(default)]
    pub last: f64,
}

fn twentieth() -> f64 {
    0.05
}

impl Steps {
    /// So many steps of a batch at a largest rate, with everything else at its default.
    pub(crate) fn new(count: usize, batch: usize, rate: f64) -> Self {
        let warm_up = twentieth();
        Self { count, batch, rate, weight_decay: 0.0, clip: None, warm_up, last: 0.0 }
    }

    /// Learning rate at a step of `count`.
    pub(crate) fn rate_at(&self, at: usize) -> f64 {
        let (at, total) = (at as f64, self.count as f64);
        let rise = ((at + 1.0) / (self.warm_up * total).max(1.0)).min(1.0);
        let fall = 0.5 * (1.0 + (PI * at / total).cos());
        self.rate * rise * (self.last + (1.0 - self.last) * fall)
    }
}
