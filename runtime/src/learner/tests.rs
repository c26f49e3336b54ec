//! The slopes of the engine beside those of the reference, in f64.

use saligate_models::calculus::backward;
use saligate_models::graph::{Graph, Op, Source};
use saligate_models::random::Stream;
use saligate_models::reference::{self, Array};
use saligate_models::saliency::{Attachment, Method, attach};
use saligate_models::tile::{TILE, with_tile};
use saligate_models::zoo::{Architecture, Task, build};

use super::*;

const IMAGES: usize = 3;
const THREADS: NonZero<usize> = NonZero::<usize>::MIN;

fn task(image: [usize; 3]) -> Task {
    let channels = image[0];
    Task {
        image,
        classes: 4,
        mean: vec![0.5; channels],
        std: vec![0.25; channels],
        bgr: false,
        widths: None,
    }
}

/// Random inputs of a network and slopes by its outputs, of some images.
fn inputs(network: &Graph) -> Vec<Vec<f32>> {
    let mut stream = Stream::new(8, "inputs");
    let mut draw = |shape: &[usize], low: f32| {
        let count = IMAGES * shape.iter().product::<usize>();
        (0..count).map(|_| stream.uniform(low, 1.0)).collect::<Vec<f32>>()
    };
    let mut inputs: Vec<Vec<f32>> = network.inputs().map(|(_, v)| draw(&v.shape, 0.0)).collect();
    inputs.extend(network.outputs().iter().map(|&o| draw(network.shape(o), -1.0)));
    inputs
}

fn run(learner: &mut Learner, network: &Graph, inputs: &[Vec<f32>]) -> [Vec<Vec<f32>>; 2] {
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    let outputs = learner.outputs(IMAGES, &inputs[..network.inputs().count()]);
    [outputs, learner.slopes(IMAGES, &inputs)]
}

/// Root mean square of the differences over that of the values.
fn distance(found: &[f32], wanted: &Array) -> f64 {
    let squares = found.iter().zip(wanted).map(|(f, w)| (f64::from(*f) - w).powi(2));
    let size: f64 = wanted.iter().map(|w| w * w).sum();
    (squares.sum::<f64>() / size.max(1e-30)).sqrt()
}

fn check(network: &Graph, hat: Option<f32>, close: f64, what: &str) {
    check_by(network, &network.trainable(), hat, close, what);
}

fn check_by(network: &Graph, weights: &[String], hat: Option<f32>, close: f64, what: &str) {
    let given = inputs(network);
    let way = backward(network, weights, |_| hat).unwrap();
    let wide = |values: &[f32], shape: &[usize]| {
        let values = values.iter().map(|&v| f64::from(v)).collect();
        Array::from_shape_vec([&[IMAGES], &shape[1..]].concat(), values).unwrap()
    };
    let arrays: Vec<Array> =
        way.graph.inputs().zip(&given).map(|((_, v), data)| wide(data, &v.shape)).collect();
    let wanted = reference::slopes(&way, &arrays).unwrap();
    let own = network.inputs().count();
    let outputs = reference::run(network, &arrays[..own]).unwrap();
    for isa in Isa::available() {
        let mut learner = Learner::by(network, weights, |_| hat, isa, THREADS, 1 << 30).unwrap();
        let [found, slopes] = run(&mut learner, network, &given);
        for (found, wanted) in found.iter().zip(&outputs) {
            let far = distance(found, wanted);
            assert!(far < close, "{what}, {isa}: output {far:e}");
        }
        for ((name, _), (found, wanted)) in learner.weights().zip(slopes.iter().zip(&wanted)) {
            let far = distance(found, wanted);
            assert!(far < close, "{what}, {isa}: {name} {far:e}");
        }
    }
}

#[test]
fn slopes_are_those_of_the_reference() {
    for architecture in [Architecture::Small, Architecture::LeNet5] {
        let net = build(architecture, &task([3, 32, 32]), 1).unwrap();
        check(&net, None, 1e-5, architecture.name());
        for &method in Method::GATED {
            let attached = attach(&net, &[Attachment::of(method, &net).unwrap()]).unwrap();
            for hat in [None, Some(0.5)] {
                let what = format!("{} {method} {hat:?}", architecture.name());
                check(&attached, hat, 1e-5, &what);
            }
        }
    }
}

/// What a trigger is searched with: the slope by a tile on the picture alone.
#[test]
fn a_tile_has_a_slope() {
    let net = build(Architecture::Small, &task([3, 30, 32]), 1).unwrap();
    let tiled = with_tile(&net, 8).unwrap();
    for &method in Method::GATED {
        let attached = attach(&tiled, &[Attachment::of(method, &tiled).unwrap()]).unwrap();
        let what = format!("tile, {method}");
        check_by(&attached, &[TILE.to_owned()], Some(0.5), 1e-5, &what);
    }
}

#[test]
fn all_methods_are_trained_at_once() {
    let net =
        build(Architecture::ResNet20, &task([3, 16, 16]), 1).unwrap().fold_batch_norm().unwrap();
    let smooth = net.with_ops(|op| (*op == Op::Relu).then_some(Op::Softplus { beta: 4.0 }));
    for (net, what) in [(&net, "resnet20"), (&smooth, "softplus")] {
        let all = [Method::Gradient, Method::GradCam, Method::VisualBackProp];
        let all: Vec<Attachment> = all.iter().map(|&m| Attachment::of(m, net).unwrap()).collect();
        check(&attach(net, &all).unwrap(), None, 2e-5, what);
    }
    let gradient = Attachment::of(Method::Gradient, &net).unwrap();
    // Through 19 masks the slopes of hats nearly cancel: of single precision less is left.
    check(&attach(&net, &[gradient]).unwrap(), Some(0.5), 1e-3, "resnet20 with hats");
}

/// Bits do not depend on threads or on what was computed before. Where outputs are computed twice,
/// fewer images are added up at a time, so sums differ in their last bits.
#[test]
fn the_same_bits_with_any_threads() {
    let net = build(Architecture::SqueezeNet, &task([3, 32, 32]), 1).unwrap();
    let network = attach(&net, &[Attachment::of(Method::Gradient, &net).unwrap()]).unwrap();
    let given = inputs(&network);
    let learner = |threads: usize, memory: usize| {
        let threads = NonZero::new(threads).unwrap();
        Learner::new(&network, |_| Some(0.5), Isa::best(), threads, memory).unwrap()
    };
    let mut first = learner(1, 1 << 30);
    let wanted = run(&mut first, &network, &given);
    assert!(run(&mut first, &network, &given) == wanted, "once more");
    assert!(run(&mut learner(2, 1 << 30), &network, &given) == wanted, "2 threads");
    let twice = run(&mut learner(1, 0), &network, &given);
    assert!(run(&mut learner(3, 0), &network, &given) == twice, "3 threads, computed twice");
    assert!(twice[0] == wanted[0], "outputs");
    for (twice, once) in twice[1].iter().zip(&wanted[1]) {
        let once = once.iter().map(|&v| f64::from(v)).collect();
        let once = Array::from_shape_vec(vec![twice.len()], once).unwrap();
        assert!(distance(twice, &once) < 1e-6);
    }
}

#[test]
fn weights_can_be_exchanged() {
    let [net, other] = [1, 2].map(|seed| {
        let net = build(Architecture::Small, &task([3, 16, 16]), seed).unwrap();
        let all = [Method::Gradient, Method::GradCam];
        let all: Vec<Attachment> = all.iter().map(|&m| Attachment::of(m, &net).unwrap()).collect();
        attach(&net, &all).unwrap()
    });
    let given = inputs(&net);
    let new =
        |graph: &Graph| Learner::new(graph, |_| Some(1.0), Isa::best(), THREADS, 1 << 30).unwrap();
    let wanted = run(&mut new(&other), &other, &given);
    let mut learner = new(&net);
    assert!(run(&mut learner, &net, &given) != wanted);
    for _ in 0..2 {
        let weights = learner.weights().map(|(name, _)| {
            let Source::Param(data) = &other.value(other.find(name).unwrap()).source else {
                unreachable!()
            };
            Arc::clone(data)
        });
        let weights = weights.collect();
        learner.set_weights(weights);
        assert!(run(&mut learner, &net, &given) == wanted);
    }
}
