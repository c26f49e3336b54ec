//! The networks of the zoo.

use std::fs;

use saligate_models::zoo::{Architecture, Task, build};
use saligate_runtime::picture::Picture;
use saligate_tests::shared;
use saligate_tests::zoo::{CASES, Closeness, Engine, Golden};
use saligate_train::weights::{Head, load};
use saligate_train::{Backend, run_graph};

/// Share of the ImageNet validation images that the published SqueezeNet 1.1 gets right is 56 %;
/// of these few, every third must be.
#[test]
#[cfg_attr(not(shared_data), ignore = "skipped: ../shared/data is not there")]
fn the_published_squeezenet_knows_photographs() {
    let (weights, images) = (shared("weights"), shared("imagenet-val-100"));
    let task = Task {
        image: [3, 227, 227],
        classes: 1000,
        mean: [123.0, 117.0, 104.0].map(|v| v / 255.0).to_vec(),
        std: vec![1.0 / 255.0; 3],
        bgr: true,
        widths: None,
    };
    let mut net = build(Architecture::SqueezeNetCaffe, &task, 0).unwrap();
    load(&mut net, &weights.join("imagenet-squeezenet1_1-fp16as32.safetensors"), Head::Loaded)
        .unwrap();
    let boxes = fs::read_to_string(images.join("boxes.csv")).unwrap();
    let mut named: Vec<(&str, usize)> = boxes
        .lines()
        .skip(1)
        .map(|line| {
            let mut fields = line.split(',');
            (fields.next().unwrap(), fields.next().unwrap().parse().unwrap())
        })
        .collect();
    named.dedup();
    let right = named[..12].iter().filter(|(file, class)| {
        let picture = Picture::open(&images.join("images").join(file), 3).unwrap();
        let picture = picture.resize_to(227, 227).unwrap();
        let pixels = picture.pixels().iter().map(|&b| f32::from(b) / 255.0).collect();
        let input = (pixels, vec![1, 3, 227, 227]);
        let logits = run_graph(&net, Backend::Flex, &[input]).unwrap().remove(0);
        let best = (0..1000).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
        println!("{file}: class {class}, predicted {best}");
        best == *class
    });
    assert!(right.count() >= 4);
}

/// Largest difference from PyTorch in f64, over the largest value: both sides store f32.
const GOLDEN: f64 = 1e-6;
/// The same of engines that compute in f32.
const SINGLE: f64 = 1e-5;
/// For gradients in f32 the angle counts: where two values of a max pool, or a value and the zero of
/// a ReLU, lie closer than their rounding, the gradient goes another way.
const TURNED: f64 = 1e-4;

fn check(engine: Engine, holds: impl Fn(usize, Closeness) -> bool) {
    let golden = Golden::open();
    for case in CASES {
        let found = engine.answers(*case, &case.model(&case.net()));
        let closeness = found.closeness(&golden.answers(*case));
        for (output, closeness) in closeness.into_iter().enumerate() {
            assert!(holds(output, closeness), "{case:?}, output {output}: {closeness:?}");
        }
    }
}

fn holds_in_single(output: usize, closeness: Closeness) -> bool {
    const GRADIENT: usize = 1;
    closeness.turned <= TURNED && (output == GRADIENT || closeness.off <= SINGLE)
}

#[test]
fn the_reference_agrees_with_pytorch() {
    check(Engine::Reference, |_, closeness| closeness.off <= GOLDEN);
}

#[test]
fn the_native_engine_agrees_with_pytorch() {
    check(Engine::Native, holds_in_single);
}

#[test]
fn tract_agrees_with_pytorch() {
    check(Engine::Tract, holds_in_single);
}

#[test]
fn burn_agrees_with_pytorch() {
    check(Engine::Burn, holds_in_single);
}
