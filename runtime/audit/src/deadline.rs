//! When an audit must be through.

use std::time::{Duration, Instant};

use crate::error::Stop;

/// A point in time at which a check gives up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    end: Instant,
}

impl Deadline {
    /// So long from now.
    pub(crate) fn after(time: Duration) -> Self {
        Self { end: Instant::now() + time }
    }

    /// What is left.
    pub(crate) fn left(self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// A deadline at a share of what is left.
    pub(crate) fn share(self, share: f64) -> Self {
        Self::after(self.left().mul_f64(share))
    }

    /// Whether the time is up.
    pub(crate) fn is_over(self) -> bool {
        self.left().is_zero()
    }

    /// Stops where the time is up.
    pub(crate) fn check(self) -> Result<(), Stop> {
        if self.is_over() { Err(Stop::Time) } else { Ok(()) }
    }
}
