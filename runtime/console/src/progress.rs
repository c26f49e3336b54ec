//! Bars on standard error.

use std::io::IsTerminal;

pub use indicatif::ProgressBar;
use indicatif::{ProgressDrawTarget, ProgressStyle};

/// A bar for `count` steps of something with a name, on standard error if that is a terminal and
/// `quiet` is not set.
pub fn bar(name: &'static str, count: usize, quiet: bool) -> ProgressBar {
    let shown = !quiet && std::io::stderr().is_terminal();
    let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = "{prefix:>10} {wide_bar} {pos}/{len} {msg} ({eta} left)";
    let style =
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(Some(count as u64), target).with_style(style);
    bar.set_prefix(name);
    bar
}
