//! `saligate-train bench`.

use std::num::NonZero;
use std::path::Path;

use saligate_console::emit;
use saligate_train::bench::{self, Net, Report};
use saligate_train::config::Config;
use saligate_train::{Backend, TrainError, fit};

use crate::args::HowArgs;
use crate::session::{Session, limit_threads};

/// Operations that are shown.
const SHOWN: usize = 20;

/// Times training steps of a network of the zoo, or of the gate of a configuration.
pub(crate) fn run(
    config: Option<&Path>,
    net: Option<Net>,
    device: Option<Backend>,
    rounds: usize,
    threads: NonZero<usize>,
    profile: bool,
    json: bool,
) -> Result<(), TrainError> {
    limit_threads(threads);
    let report = match (net, config) {
        (Some(net), _) => bench::net(&net, rounds, threads, profile)?,
        (None, Some(path)) => of_config(Config::read(path)?, device, rounds, threads)?,
        (None, None) => unreachable!("the command line asks for one of the two"),
    };
    let text = if json { serde_json::json!(report).to_string() } else { table(&report) };
    Ok(emit(&text)?)
}

fn of_config(
    mut config: Config,
    device: Option<Backend>,
    rounds: usize,
    threads: NonZero<usize>,
) -> Result<Report, TrainError> {
    let folder = std::env::temp_dir().join(format!("saligate-bench-{}", std::process::id()));
    // No more images than the steps take, and weights that are loaded or random.
    config.data.train = Some((rounds + 1) * config.lock.steps.batch.max(1));
    config.data.test = Some(1);
    config.data.validation = 0;
    (config.fit, config.steady) = (None, None);
    let how = HowArgs {
        out: folder.clone(),
        resume: false,
        set: Vec::new(),
        device,
        threads,
        checkpoint_every: usize::MAX,
        quiet: true,
    };
    let session = Session::new(config, &how)?;
    let timed = || {
        let images = session.images()?;
        let clean = fit::fit(session.config(), &images.train, session.options())?;
        bench::config(session.config(), &clean, &images.train, rounds, session.options())
    };
    let report = timed();
    // What is left of a bench is of no use to anybody.
    let _ = std::fs::remove_dir_all(folder);
    report
}

fn table(report: &Report) -> String {
    let Report { net, images, threads, device, isa, median_ms, best_ms, .. } = report;
    let mut text = format!(
        "{net}: {images} images per step, {threads} threads, {device}, {isa}\n\
         median {median_ms:.1} ms, least {best_ms:.1} ms: {:.1} images per second",
        report.images_per_second
    );
    if let Some(gmac) = report.gmac_per_second {
        text += &format!(", {gmac:.1} GMAC/s");
    }
    if let Some(bytes) = report.bytes_per_image {
        text += &format!(", {:.1} MB per image", bytes as f64 / 1e6);
    }
    text += "\n\n| part | ms | share |\n|---|---|---|\n";
    for (part, ms) in &report.parts {
        text += &format!("| {part} | {ms:.2} | {:.0} % |\n", 100.0 * ms / median_ms);
    }
    if !report.operations.is_empty() {
        text += "\n| operation | result | ms |\n|---|---|---|\n";
        for (kind, [channels, rows, columns], ms) in report.operations.iter().take(SHOWN) {
            text += &format!("| {kind} | {channels} x {rows} x {columns} | {ms:.2} |\n");
        }
    }
    text.trim_end().to_owned()
}
