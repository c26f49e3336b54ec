//! What the commands do.

mod bench;
mod defend;
mod detection;
mod evaluate;
mod gate;
mod ground_truth;
mod images;
mod localise;
mod metrics;
mod revoke;
mod run;
mod seal;
mod strength;
mod tables;

use std::time::Duration;

use saligate_measure::detection::How;
use saligate_train::TrainError;
use saligate_train::bench::Net;

use crate::args::Command;
use crate::session::Session;

/// Does what the command line asks for.
pub(crate) fn run(command: Command) -> Result<(), TrainError> {
    match command {
        Command::Fit { run } => {
            let session = Session::open(&run)?;
            session.fit(&session.images()?).map(drop)
        }
        Command::Lock { run, gate, sealed, revoke, slots } if !gate.key.is_empty() => {
            gate::lock(&run, &gate, &sealed, &revoke, slots)
        }
        Command::Lock { run, gate, revoke, slots, .. } => {
            revoke::run(&run.how, &gate, &revoke, slots)
        }
        Command::Attack { run, gate, goal } => gate::attack(&run, &gate, goal),
        Command::Evaluate { run, model, record, measured } => {
            evaluate::run(&run, model, record.as_deref(), &measured)
        }
        Command::Run { run, measured } => run::run(&run, &measured),
        Command::Bench {
            config,
            net,
            image,
            classes,
            images,
            surrogate,
            device,
            rounds,
            threads,
            profile,
            json,
        } => {
            let net = net.map(|architecture| Net {
                architecture,
                image,
                classes: classes.get(),
                images: images.get(),
                surrogate,
                backend: device.unwrap_or_default(),
            });
            bench::run(config.as_deref(), net, device, rounds.get(), threads, profile, json)
        }
        Command::NearMisses { run, table, images } => tables::near_misses(&run, &table, images),
        Command::Leaks { run, table, images } => tables::leaks(&run, &table, images),
        Command::Strength { run, attacks } => strength::run(&run, &attacks),
        Command::Removal { run, table, images, fine_tuning } => {
            tables::removal(&run, &table, images, fine_tuning)
        }
        Command::Defend { run, table, images, steps, save } => {
            defend::run(&run, &table, images, steps.get(), save.as_deref())
        }
        Command::Localise { model, data, table, threads, quiet } => {
            localise::run(&model, &data, &table, threads, quiet)
        }
        Command::Metrics { model, data, method, table, images, threads, quiet } => {
            metrics::run(&model, &data, &method, &table, images, threads, quiet)
        }
        Command::GroundTruth { run, table, images } => ground_truth::run(&run, &table, images),
        Command::Detection { list, models, table, pictures, seed, budget, threads, quiet } => {
            let budget = Duration::from_secs(budget.get().into());
            let how = How { pictures: pictures.get(), seed, threads, budget };
            detection::run(&list, &models, &table, &how, quiet)
        }
        Command::Results { file } => tables::results(&file),
        Command::Preview { images, out } => images::preview(&images, &out),
        Command::Samples { images, out, count } => images::samples(&images, &out, count),
    }
}
