//! Bars on standard error.

use std::borrow::Cow;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};

pub use indicatif::ProgressBar;
use indicatif::{ProgressDrawTarget, ProgressStyle};

/// A bar for `count` steps of something with a name, on standard error if that is a terminal and
/// `quiet` is not set.
pub fn bar(name: impl Into<Cow<'static, str>>, count: usize, quiet: bool) -> ProgressBar {
    let shown = !quiet && std::io::stderr().is_terminal();
    let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = "{prefix:>10} {wide_bar} {pos}/{len} {msg} ({eta} left)";
    let style =
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(Some(count as u64), target).with_style(style);
    bar.set_prefix(name);
    bar
}

/// Bars for stages whose names and lengths are only known as they come.
pub struct Bars {
    quiet: bool,
    current: Mutex<Option<(&'static str, ProgressBar)>>,
}

impl Bars {
    /// None yet.
    pub fn new(quiet: bool) -> Self {
        Self { quiet, current: Mutex::new(None) }
    }

    /// Shows how far a stage is; the bar of another one goes. May be called from several threads.
    pub fn show(&self, name: &'static str, done: usize, of: usize) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            Some((shown, bar)) if *shown == name => bar.set_position(done as u64),
            _ => {
                if let Some((_, bar)) = current.take() {
                    bar.finish_and_clear();
                }
                let bar = bar(name, of, self.quiet);
                bar.set_position(done as u64);
                *current = Some((name, bar));
            }
        }
    }

    /// Takes the last bar away.
    pub fn clear(&self) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bar)) = current.take() {
            bar.finish_and_clear();
        }
    }
}
