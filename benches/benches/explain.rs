//! Predicting, explaining and explaining with a key or by many passes, one image on one thread.

use std::path::{Path, PathBuf};

use divan::Bencher;
use saligate_keys::{KeyFile, Trigger};
use saligate_runtime::passes::{IntegratedGradients, Occlusion, Pass, SmoothGrad};
use saligate_runtime::picture::Picture;
use saligate_runtime::{Model, Target};

fn main() {
    divan::main();
}

fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/artifacts/demo")
}

fn model() -> Model {
    Model::open(demo().join("locked.onnx")).expect("the demo model is shipped")
}

fn trigger(model: &Model) -> Trigger {
    let key = KeyFile::read(demo().join("demo.key")).expect("the demo key is shipped");
    model.trigger(key.secret()).expect("the demo key opens the demo model")
}

fn picture() -> Picture {
    let pixels = (0..3 * 32 * 32).map(|i| (i * 7 % 256) as u8).collect();
    Picture::from_planar(3, 32, 32, pixels).expect("the length fits the shape")
}

#[divan::bench]
fn predict(bencher: Bencher<'_, '_>) {
    let (model, picture) = (model(), picture());
    bencher.bench(|| model.predict(&picture));
}

#[divan::bench]
fn explain(bencher: Bencher<'_, '_>) {
    let (model, picture) = (model(), picture());
    bencher.bench(|| model.explain(&picture, Target::Predicted, None));
}

#[divan::bench]
fn explain_keyed(bencher: Bencher<'_, '_>) {
    let (model, picture) = (model(), picture());
    let trigger = trigger(&model);
    bencher.bench(|| model.explain(&picture, Target::Predicted, Some(&trigger)));
}

/// 16 forward and backward passes, and the noise for them.
#[divan::bench]
fn smoothgrad_16(bencher: Bencher<'_, '_>) {
    let (model, picture) = (model(), picture());
    let method = SmoothGrad { samples: 16, ..SmoothGrad::default() };
    let run = || method.run(&model, &picture, Target::Predicted, None, &mut |_, _| {});
    bencher.bench_local(run);
}

/// 225 forward passes, by the number of threads.
#[divan::bench(args = [1, 2, 4], sample_count = 10)]
fn occlusion(bencher: Bencher<'_, '_>, threads: usize) {
    let threads = threads.try_into().expect("positive");
    let (model, picture) = (model().with_threads(threads).unwrap(), picture());
    let method = Occlusion::default();
    let run = || method.run(&model, &picture, Target::Predicted, None, &mut |_, _| {});
    bencher.bench_local(run);
}

/// 32 forward and backward passes, by the number of threads.
#[divan::bench(args = [1, 2, 4], sample_count = 20)]
fn integrated_gradients(bencher: Bencher<'_, '_>, threads: usize) {
    let threads = threads.try_into().expect("positive");
    let (model, picture) = (model().with_threads(threads).unwrap(), picture());
    let method = IntegratedGradients::default();
    let run = || method.run(&model, &picture, Target::Predicted, None, &mut |_, _| {});
    bencher.bench_local(run);
}

#[divan::bench]
fn open_and_explain(bencher: Bencher<'_, '_>) {
    let picture = picture();
    bencher.bench(|| model().explain(&picture, Target::Predicted, None));
}
