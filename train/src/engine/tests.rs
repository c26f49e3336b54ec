//! Training through a saliency map: Burn's gradient of a map by the weights, against differences.

use burn::tensor::Tensor;
use saligate_measure::hats::Hats;
use saligate_models::graph::{Graph, Op, Source};
use saligate_models::names::LOGITS;
use saligate_models::random::Stream;
use saligate_models::reference;
use saligate_models::saliency::{Attachment, Method, attach};
use saligate_models::zoo::{Architecture, Task, build};
use std::num::NonZero;

use super::{Array, Backend, Network, NetworkOptions, Outputs, Program, Slopes, Trained, Weights};

/// Size of a change of a weight; the reference computes in f64.
const STEP: f32 = 1.0 / 1024.0;
/// Largest difference over the largest derivative of the same tensor: truncation at `STEP`, and
/// single precision in Burn.
const CLOSE: f64 = 0.01;
/// Elements of each weight that are changed.
const ELEMENTS: usize = 6;

/// A Softplus net, on which every derivative is defined.
fn smooth() -> Graph {
    let task = Task {
        image: [3, 8, 8],
        classes: 4,
        mean: vec![0.5; 3],
        std: vec![0.25; 3],
        bgr: false,
        widths: None,
    };
    let net = build(Architecture::Small, &task, 1).unwrap();
    net.with_ops(|op| (*op == Op::Relu).then_some(Op::Softplus { beta: 2.0 }))
}

fn random(count: usize, low: f32, purpose: &str) -> Vec<f32> {
    let mut stream = Stream::new(9, purpose);
    (0..count).map(|_| stream.uniform(low, 1.0)).collect()
}

/// `sum(factors * attribution)` of two images, and its gradients by the weights, in Burn.
fn burn_gradients(graph: &Graph, inputs: &[(Vec<f32>, Vec<usize>); 2]) -> Vec<(String, Vec<f32>)> {
    let device = Backend::Flex.device().unwrap().autodiff();
    let weights = Weights::of(&graph.extract(&[LOGITS]).unwrap(), &device);
    let program = Program::new(graph.clone(), &weights, &device);
    let arrays = inputs.iter().map(|(data, shape)| Array::new(data.clone(), shape, &device));
    let attribution = program.run(&weights, arrays.collect()).remove(1).image();
    let factors = random(attribution.shape().num_elements(), -1.0, "factors");
    let factors = Array::new(factors, &attribution.dims(), &device).image();
    let gradients = (attribution * factors).sum().backward();
    let flat = |x: Option<Tensor<4>>| x.map(|x| Array::Image(x).to_vec());
    let names = graph.trainable().into_iter();
    let images = names.filter_map(|name| match weights.get(&name) {
        Some(Array::Image(x)) => flat(x.grad(&gradients)).map(|g| (name, g)),
        _ => None,
    });
    images.collect()
}

fn reference_loss(graph: &Graph, inputs: &[(Vec<f32>, Vec<usize>); 2]) -> f64 {
    let wide = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
    let arrays = inputs.each_ref().map(|(data, shape)| {
        reference::Array::from_shape_vec(shape.as_slice(), wide(data)).unwrap()
    });
    let attribution = reference::run(graph, &arrays).unwrap().remove(1);
    let factors = wide(&random(attribution.len(), -1.0, "factors"));
    attribution.iter().zip(factors).map(|(a, f)| a * f).sum()
}

fn check(method: Method) {
    let net = smooth();
    let explained = Attachment::of(method, &net).unwrap();
    let mut graph = attach(&net, &[explained]).unwrap();
    let mut target = vec![0.0; 8];
    (target[1], target[6]) = (1.0, 1.0);
    let inputs = [(random(2 * 3 * 8 * 8, 0.0, "pixels"), vec![2, 3, 8, 8]), (target, vec![2, 4])];
    let gradients = burn_gradients(&graph, &inputs);
    assert!(gradients.len() >= 3, "{method}");
    for (name, gradient) in gradients {
        let id = graph.find(&name).unwrap();
        let Source::Param(before) = graph.value(id).source.clone() else { unreachable!() };
        let largest = gradient.iter().fold(0.0f64, |m, &g| m.max(f64::from(g).abs()));
        assert!(largest > 0.0, "{method} {name}");
        let mut stream = Stream::new(4, &name);
        for _ in 0..ELEMENTS {
            let element = stream.below(before.len());
            let mut moved = |by: f32| {
                let mut data = before.to_vec();
                data[element] += by;
                let at = f64::from(data[element]);
                graph.set_param(&name, data).unwrap();
                (at, reference_loss(&graph, &inputs))
            };
            let ((left, low), (right, high)) = (moved(-STEP), moved(STEP));
            let difference = (high - low) / (right - left);
            let found = f64::from(gradient[element]);
            assert!(
                (difference - found).abs() <= CLOSE * largest,
                "{method}, {name} at {element}: {found}, difference {difference}, \
                 largest {largest}"
            );
        }
        graph.set_param(&name, before).unwrap();
    }
}

#[test]
fn burn_trains_through_every_method() {
    for method in Method::GATED {
        check(*method);
    }
}

/// Images of a step in both engines.
const IMAGES: usize = 2;

/// Outputs of a network, and slopes of a loss that looks at all of them.
fn step(
    net: &Graph,
    methods: &[Attachment],
    backend: Backend,
    softplus: Option<f32>,
    hats: &Hats,
) -> (Vec<Vec<f32>>, Slopes) {
    let device = backend.device().unwrap().autodiff();
    let trained = Trained::new(net, &device, 0.0);
    let weights = &trained.weights;
    let threads = NonZero::<usize>::MIN;
    let options = NetworkOptions { backend, softplus, hats, layer: None, threads };
    let mut network = Network::new(net, methods, weights, &device, &options).unwrap();
    assert_eq!(network.learner().is_some(), backend == Backend::Native);
    let (_, image) = net.inputs().next().unwrap();
    let shape = <[usize; 3]>::try_from(&image.shape[1..]).unwrap();
    let pixels = random(IMAGES * shape.iter().product::<usize>(), 0.0, "pixels");
    let classes = net.shape(net.find(LOGITS).unwrap())[1];
    let mut target = vec![0.0; IMAGES * classes];
    (0..IMAGES).for_each(|image| target[image * classes + image + 1] = 1.0);
    let target = Array::new(target, &[IMAGES, classes], &device).matrix();
    let Outputs { logits, attributions, .. } = network.outputs(weights, pixels, shape, target);
    let mut values = vec![Array::Matrix(logits.clone()).to_vec()];
    let factors = |name: &str, shape: &[usize]| {
        Array::new(random(shape.iter().product(), -1.0, name), shape, &device)
    };
    let mut loss = (logits.clone() * factors("logits", &logits.dims()).matrix()).sum();
    for attribution in attributions {
        values.push(Array::Image(attribution.clone()).to_vec());
        // Losses compare maps that are scaled to one size.
        let size = values.last().unwrap().iter().fold(1e-20f32, |m, v| m.max(v.abs()));
        let factors = factors("attribution", &attribution.dims()).image();
        loss = loss + (attribution * factors * (1.0 / size)).sum();
    }
    (values, network.slopes(&loss, &trained))
}

/// Root mean square of the differences over that of the values.
fn far(found: &[f32], wanted: &[f32]) -> f64 {
    assert_eq!(found.len(), wanted.len());
    let square = |v: f64| v * v;
    let difference = found.iter().zip(wanted).map(|(f, w)| square(f64::from(*f) - f64::from(*w)));
    let size: f64 = wanted.iter().map(|w| square(f64::from(*w))).sum();
    (difference.sum::<f64>() / size.max(1e-30)).sqrt()
}

/// The largest distance of a weight's slope.
fn compare(
    net: &Graph,
    methods: &[Attachment],
    softplus: Option<f32>,
    hats: &Hats,
    what: &str,
) -> f64 {
    let [(values, own), (wanted, taped)] =
        [Backend::Native, Backend::Flex].map(|b| step(net, methods, b, softplus, hats));
    let outputs = values.iter().zip(&wanted).map(|(v, w)| far(v, w)).fold(0.0, f64::max);
    let names =
        |slopes: &Slopes| slopes.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&own), names(&taped), "{what}");
    let slopes = own.iter().zip(taped.iter());
    let worst = slopes.map(|((name, own), (_, taped))| (far(own, taped), name));
    let (slope, name) = worst.fold((0.0, ""), |a, b| if b.0 > a.0 { b } else { a });
    println!("{what}: outputs {outputs:.1e}, slopes {slope:.1e} ({name})");
    slope.max(outputs)
}

fn of_zoo(architecture: Architecture) -> Graph {
    let side = match architecture {
        Architecture::AlexNet => 64,
        _ => 32,
    };
    let task = Task {
        image: [3, side, side],
        classes: 4,
        mean: vec![0.5; 3],
        std: vec![0.25; 3],
        bgr: false,
        widths: None,
    };
    let mut net = build(architecture, &task, 1).unwrap().fold_batch_norm().unwrap();
    // Biases of zero put many activations right on a kink, where there is no one slope.
    for name in net.trainable() {
        let id = net.find(&name).unwrap();
        if let (1, Source::Param(bias)) = (net.shape(id).len(), &net.value(id).source) {
            let mut stream = Stream::new(3, &name);
            let moved: Vec<f32> = bias.iter().map(|b| b + stream.uniform(-0.1, 0.1)).collect();
            net.set_param(&name, moved).unwrap();
        }
    }
    net
}

/// Masks whose values are within rounding of zero go either way, and then whole paths differ: so deep
/// networks are compared with smooth activations as well.
#[test]
fn every_network_of_the_zoo_trains_as_on_the_tape_of_burn() {
    for architecture in [
        Architecture::Small,
        Architecture::LeNet5,
        Architecture::ResNet20,
        Architecture::SqueezeNet,
        Architecture::MobileNetV2,
        Architecture::MobileNetV3Small,
        Architecture::EfficientNetB0,
        Architecture::ResNet18,
        Architecture::DenseNet121,
        Architecture::Vit,
    ] {
        let net = of_zoo(architecture);
        let methods = [Attachment::of(Method::Gradient, &net).unwrap()];
        let none = Hats::default();
        let found = compare(&net, &methods, None, &none, architecture.name());
        assert!(found < 1e-4, "{}: {found:e}", architecture.name());
    }
}

#[test]
fn every_method_trains_as_on_the_tape_of_burn() {
    for architecture in [Architecture::Small, Architecture::ResNet20] {
        let net = of_zoo(architecture);
        let all: Vec<Attachment> =
            Method::GATED.iter().map(|&m| Attachment::of(m, &net).unwrap()).collect();
        // What is not piecewise linear adds up parts that nearly cancel, through 19 layers: single
        // precision leaves less of them.
        let bent = if architecture == Architecture::ResNet20 { 1e-3 } else { 1e-5 };
        for (softplus, hats, close) in [
            (None, Hats::default(), 1e-5),
            (None, Hats::all(&net, 0.5), bent),
            (Some(4.0), Hats::default(), bent),
        ] {
            for attached in &all {
                let name = architecture.name();
                let what = format!("{name} {} {softplus:?}", attached.method);
                let found = compare(&net, std::slice::from_ref(attached), softplus, &hats, &what);
                assert!(found < close, "{what}: {found:e}");
            }
            let found = compare(&net, &all, softplus, &hats, "all");
            assert!(found < close, "{} together: {found:e}", architecture.name());
        }
    }
}
