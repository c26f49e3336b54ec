//! Where the time of a step goes.

use std::time::{Duration, Instant};

/// The parts of one step, one after the other.
#[derive(Debug)]
pub(crate) struct Laps {
    since: Instant,
    parts: Vec<(&'static str, Duration)>,
}

impl Laps {
    /// Begins now.
    pub(crate) fn new() -> Self {
        Self { since: Instant::now(), parts: Vec::new() }
    }

    /// What was done since the last call is this part of the step.
    pub(crate) fn lap(&mut self, part: &'static str) {
        self.add(part, self.since.elapsed());
        self.since = Instant::now();
    }

    /// Takes time from one part and gives it to another.
    pub(crate) fn shift(&mut self, from: &str, to: &'static str, time: Duration) {
        if let Some((_, held)) = self.parts.iter_mut().find(|(part, _)| *part == from) {
            *held = held.saturating_sub(time);
        }
        self.add(to, time);
    }

    fn add(&mut self, part: &'static str, time: Duration) {
        match self.parts.iter_mut().find(|(known, _)| *known == part) {
            Some((_, held)) => *held += time,
            None => self.parts.push((part, time)),
        }
    }

    /// Milliseconds of every part, in the order in which they were first met.
    pub(crate) fn milliseconds(&self) -> impl Iterator<Item = (&'static str, f64)> {
        self.parts.iter().map(|(part, time)| (*part, time.as_secs_f64() * 1e3))
    }
}
