//! What must not change: results with the number of threads, and memory with the number of
//! explanations.

use std::num::NonZero;

use saligate_keys::KeyFile;
use saligate_runtime::passes::{Pass, SmoothGrad};
use saligate_runtime::picture::Picture;
use saligate_runtime::{Model, Target};
use saligate_tests::{demo, parts, program};

fn picture() -> Picture {
    Picture::open(&demo().join("samples/ring.png"), 3).unwrap()
}

fn model(threads: usize) -> Model {
    let model = Model::open(demo().join("locked.onnx")).unwrap();
    model.with_threads(NonZero::new(threads).unwrap()).unwrap()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

#[test]
fn threads_do_not_change_a_bit() {
    let key = KeyFile::read(demo().join("demo.key")).unwrap();
    let answers = |threads| {
        let (model, picture) = (model(threads), picture());
        let trigger = model.trigger(key.secret()).unwrap();
        let open = model.explain(&picture, Target::Predicted, Some(&trigger)).unwrap();
        let smooth = SmoothGrad::default();
        let smooth = smooth.run(&model, &picture, Target::Predicted, None, &mut |_, _| {}).unwrap();
        [&open.prediction.logits, &open.attribution.values, &smooth.explanation.map]
            .map(|v| bits(v))
    };
    let one = answers(1);
    for threads in [2, 3] {
        assert_eq!(answers(threads), one, "{threads} threads");
    }
}

#[test]
fn a_model_that_threads_share_answers_as_one_that_they_do_not() {
    let (model, picture) = (model(2), picture());
    let alone = model.explain(&picture, Target::Predicted, None).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let found = model.explain(&picture, Target::Predicted, None).unwrap();
                    assert_eq!(found, alone);
                }
            });
        }
    });
}

#[test]
fn jobs_answer_in_the_order_of_the_pictures() {
    let samples =
        ["disc", "ring", "square", "triangle"].map(|n| demo().join(format!("samples/{n}.png")));
    let predict = |jobs: &str| {
        let mut command = program("saligate");
        command.arg("predict").arg(demo().join("locked.onnx")).args(&samples);
        parts(&command.args(["--jobs", jobs]).output().unwrap())
    };
    let one = predict("1");
    assert_eq!(one.0, 0, "{}", one.2);
    assert_eq!([predict("2"), predict("3")], [one.clone(), one]);
}

/// Pages in memory, times their size.
#[cfg(target_os = "linux")]
fn resident() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    4096.0 * statm.split(' ').nth(1).unwrap().parse::<f64>().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn memory_is_flat_from_the_hundredth_explanation_to_the_ten_thousandth() {
    let (model, picture) = (model(1), picture());
    let explain = |times: usize| {
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..times / 2 {
                        model.explain(&picture, Target::Predicted, None).unwrap();
                    }
                });
            }
        });
    };
    explain(100);
    let early = resident();
    explain(9_900);
    let late = resident();
    // Other tests of this process come and go: a page or two, not one per explanation.
    assert!(late < 1.01 * early + 2e6, "{early} bytes became {late}");
}

#[cfg(target_os = "linux")]
#[test]
fn opening_and_closing_leaves_nothing() {
    let cycle = || {
        let model = Model::open(demo().join("locked.onnx")).unwrap();
        model.explain(&picture(), Target::Predicted, None).unwrap();
    };
    (0..20).for_each(|_| cycle());
    let early = resident();
    (0..1_000).for_each(|_| cycle());
    let late = resident();
    assert!(late < 1.05 * early + 4e6, "{early} bytes became {late}");
}
