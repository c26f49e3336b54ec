//! The loop that all stages share: steps, learning rate, log, checkpoints, progress.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::num::NonZero;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::tensor::Tensor;
use saligate_console::progress::bar;

use crate::checkpoint::{self, Label};
use crate::engine::{ASIDE, Slopes, Trained};
use crate::error::TrainError;
use crate::laps::Laps;

/// Steps after which the time of all is estimated.
const TIMED: usize = 10;
/// How much faster a head that is dropped in the end learns than the network.
const HEAD: f64 = 10.0;

/// How a run behaves, without any influence on its result.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Folder for models, logs and checkpoints; made where it is missing.
    pub out: PathBuf,
    /// Go on from the checkpoints in that folder.
    pub resume: bool,
    /// Steps between two checkpoints.
    pub checkpoint_every: usize,
    /// No progress bars, even on a terminal.
    pub quiet: bool,
    /// Threads of what runs without Burn.
    pub threads: NonZero<usize>,
}

/// One step: the loss, figures for the log, and the slopes of the loss by the weights.
pub(crate) struct Step {
    pub(crate) loss: f32,
    pub(crate) figures: Vec<(String, f32)>,
    pub(crate) slopes: Slopes,
    /// What it took.
    pub(crate) laps: Laps,
}

/// Mean of a part of the loss and its value for the log.
pub(crate) fn figure(part: &Tensor<1>) -> f32 {
    part.clone().detach().into_scalar::<f32>()
}

/// One stage of a run.
pub(crate) struct Stage<'a> {
    pub(crate) name: &'static str,
    /// Number of steps.
    pub(crate) count: usize,
    /// Largest norm of the gradient.
    pub(crate) clip: Option<f32>,
    /// Learning rate of a step.
    pub(crate) rate: &'a dyn Fn(usize) -> f64,
    /// Digest of all that decides the stage's outcome.
    pub(crate) origin: String,
    pub(crate) options: &'a RunOptions,
}

impl Stage<'_> {
    /// Takes all steps that a checkpoint has not taken before.
    pub(crate) fn run(
        &self,
        trained: &mut Trained,
        step: impl FnMut(&mut Trained, usize) -> Result<Step, TrainError>,
    ) -> Result<(), TrainError> {
        self.run_watched(trained, step, |_, _| Ok(ControlFlow::Continue(None)))
    }

    /// [`run`](Self::run), where `look` is called with what is trained and the number of steps done
    /// after each of them; it may have something to say, and may end the stage.
    pub(crate) fn run_watched(
        &self,
        trained: &mut Trained,
        mut step: impl FnMut(&mut Trained, usize) -> Result<Step, TrainError>,
        mut look: impl FnMut(
            &Trained,
            usize,
        ) -> Result<ControlFlow<Option<String>, Option<String>>, TrainError>,
    ) -> Result<(), TrainError> {
        let out = &self.options.out;
        let checkpoint = out.join(format!("{}.checkpoint", self.name));
        let label = Label { stage: self.name, origin: &self.origin };
        let mut done = 0;
        if self.options.resume && checkpoint.exists() {
            done = checkpoint::load(&checkpoint, &label, trained)?;
        }
        let path = out.join(format!("{}.jsonl", self.name));
        let io = |source| TrainError::Io { path: path.clone(), source };
        let mut log = open_log(&path, done).map_err(io)?;
        let quiet = self.options.quiet;
        let bar = bar(self.name, self.count, quiet);
        bar.set_position(done as u64);
        let start = Instant::now();
        let tell = |line: &str| {
            if !quiet {
                bar.suspend(|| eprintln!("{line}"));
            }
        };
        for at in done..self.count {
            let Step { loss: value, figures, slopes, mut laps } = step(trained, at)?;
            if !value.is_finite() {
                return Err(TrainError::Diverged { stage: self.name, step: at });
            }
            let rate = (self.rate)(at);
            let by_name = |name: &str| if name.starts_with(ASIDE) { HEAD * rate } else { rate };
            let norm = trained.step(slopes, by_name, self.clip);
            laps.lap("optimizer");

            let mut line = serde_json::json!({
                "step": at, "loss": value, "rate": rate, "gradient_norm": norm,
                "seconds": start.elapsed().as_secs_f64(),
            });
            for (part, ms) in laps.milliseconds() {
                line["ms"][part] = ((ms * 1e3).round() / 1e3).into();
            }
            for (name, value) in figures {
                line[&name] = value.into();
            }
            writeln!(log, "{line}").map_err(io)?;
            bar.set_message(format!("loss {value:.4}"));
            bar.inc(1);
            if at + 1 == done + TIMED && self.count > 10 * TIMED {
                let each = start.elapsed().as_secs_f64() / TIMED as f64;
                let left = each * (self.count - at) as f64;
                let steps = self.count - done;
                tell(&format!("{}: {steps} steps, about {}", self.name, duration(left)));
            }
            let seen = look(trained, at + 1)?;
            let (ControlFlow::Break(said) | ControlFlow::Continue(said)) = &seen;
            if let Some(line) = said {
                tell(line);
            }
            if (at + 1) % self.options.checkpoint_every.max(1) == 0 {
                checkpoint::save(&checkpoint, &label, at + 1, trained)?;
            }
            if seen.is_break() {
                break;
            }
        }
        bar.finish_and_clear();
        checkpoint::save(&checkpoint, &label, self.count, trained)
    }
}

/// A time in words.
fn duration(seconds: f64) -> String {
    match seconds {
        ..90.0 => format!("{seconds:.0} seconds"),
        ..5400.0 => format!("{:.0} minutes", seconds / 60.0),
        _ => format!("{:.1} hours", seconds / 3600.0),
    }
}

/// Opens the log behind the lines of the steps that are done.
fn open_log(path: &Path, done: usize) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut kept = Vec::new();
    if done > 0 && path.exists() {
        for line in BufReader::new(File::open(path)?).lines().take(done) {
            kept.push(line?);
        }
    }
    let mut log = OpenOptions::new().create(true).write(true).truncate(true).open(path)?;
    for line in kept {
        writeln!(log, "{line}")?;
    }
    Ok(log)
}
