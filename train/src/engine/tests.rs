//! Training through a saliency map: Burn's gradient of a map by the weights, against differences.

use burn::tensor::Tensor;
use saligate_models::graph::{Graph, Op, Source};
use saligate_models::names::LOGITS;
use saligate_models::random::Stream;
use saligate_models::reference;
use saligate_models::saliency::{Attachment, Method, attach};
use saligate_models::zoo::{Architecture, Task, build};

use super::{Array, Backend, Program, Weights};

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
    for method in Method::ALL {
        check(*method);
    }
}
