//! The methods that run the model many times, from the command line.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use saligate_keys::Trigger;
use saligate_runtime::passes::{IntegratedGradients, Occlusion, Rise, SmoothGrad};
use saligate_runtime::picture::Picture;
use saligate_runtime::{Model, Target};

use crate::args::PassArgs;
use crate::error::CliError;
use crate::explain::Found;

/// One such method with its parameters.
pub(crate) enum Pass {
    SmoothGrad(SmoothGrad),
    IntegratedGradients(IntegratedGradients),
    Occlusion(Occlusion),
    Rise(Rise),
}

/// What such a method reads at every pass.
pub(crate) enum Base {
    Gradient,
    Predictions,
}

impl Pass {
    /// What the method of a name reads.
    pub(crate) fn base(name: &str) -> Option<Base> {
        match name {
            SmoothGrad::NAME | IntegratedGradients::NAME => Some(Base::Gradient),
            Occlusion::NAME | Rise::NAME => Some(Base::Predictions),
            _ => None,
        }
    }

    /// All their names.
    pub(crate) const NAMES: &[&str] =
        &[SmoothGrad::NAME, IntegratedGradients::NAME, Occlusion::NAME, Rise::NAME];

    /// The method of this name, or none if it is no such method.
    ///
    /// # Errors
    /// An option was given that belongs to another method.
    pub(crate) fn named(name: &str, args: &PassArgs) -> Result<Option<Self>, CliError> {
        check_options(name, args)?;
        Ok(match name {
            SmoothGrad::NAME => {
                let usual = SmoothGrad::default();
                Some(Self::SmoothGrad(SmoothGrad {
                    samples: args.samples.unwrap_or(usual.samples),
                    noise: args.noise.unwrap_or(usual.noise),
                    seed: args.seed.unwrap_or(usual.seed),
                }))
            }
            IntegratedGradients::NAME => {
                let usual = IntegratedGradients::default();
                let steps = args.steps.unwrap_or(usual.steps);
                Some(Self::IntegratedGradients(IntegratedGradients { steps }))
            }
            Occlusion::NAME => {
                let usual = Occlusion::default();
                Some(Self::Occlusion(Occlusion {
                    window: args.window.or(usual.window),
                    stride: args.stride.or(usual.stride),
                    baseline: args.baseline.unwrap_or(usual.baseline),
                }))
            }
            Rise::NAME => {
                let usual = Rise::default();
                Some(Self::Rise(Rise {
                    masks: args.masks.unwrap_or(usual.masks),
                    cells: args.cells.unwrap_or(usual.cells),
                    probability: args.probability.unwrap_or(usual.probability),
                    seed: args.seed.unwrap_or(usual.seed),
                }))
            }
            _ => None,
        })
    }

    /// Explains; with a progress bar on standard error if that is a terminal and the picture is
    /// alone.
    pub(crate) fn run(
        &self,
        model: &Model,
        picture: &Picture,
        target: Target,
        trigger: Option<&Trigger>,
        alone: bool,
    ) -> Result<Found, CliError> {
        let bar = if alone { bar() } else { ProgressBar::hidden() };
        let mut progress = |done: usize, all: usize| {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
        };
        let found = match self {
            Self::SmoothGrad(pass) => pass.run(model, picture, target, trigger, &mut progress),
            Self::IntegratedGradients(pass) => {
                pass.run(model, picture, target, trigger, &mut progress)
            }
            Self::Occlusion(pass) => pass.run(model, picture, target, trigger, &mut progress),
            Self::Rise(pass) => pass.run(model, picture, target, trigger, &mut progress),
        };
        bar.finish_and_clear();
        Ok(found?.into())
    }
}

/// Refuses options that the method does not read.
fn check_options(method: &str, args: &PassArgs) -> Result<(), CliError> {
    let options: [(&str, bool, &[&str]); 11] = [
        ("samples", args.samples.is_some(), &[SmoothGrad::NAME]),
        ("noise", args.noise.is_some(), &[SmoothGrad::NAME]),
        ("steps", args.steps.is_some(), &[IntegratedGradients::NAME]),
        ("window", args.window.is_some(), &[Occlusion::NAME]),
        ("stride", args.stride.is_some(), &[Occlusion::NAME]),
        ("baseline", args.baseline.is_some(), &[Occlusion::NAME]),
        ("masks", args.masks.is_some(), &[Rise::NAME]),
        ("cells", args.cells.is_some(), &[Rise::NAME]),
        ("probability", args.probability.is_some(), &[Rise::NAME]),
        ("seed", args.seed.is_some(), &[SmoothGrad::NAME, Rise::NAME]),
        ("batch", args.batch.is_some(), Pass::NAMES),
    ];
    match options.iter().find(|(_, given, methods)| *given && !methods.contains(&method)) {
        Some((option, _, methods)) => {
            Err(CliError::new(format!("--{option} does not belong to the method '{method}'"))
                .hint(format!("--method {}", methods.join(" or "))))
        }
        None => Ok(()),
    }
}

fn bar() -> ProgressBar {
    let shown = std::io::stderr().is_terminal();
    let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} ({eta} left)");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(None, target).with_style(style)
}
