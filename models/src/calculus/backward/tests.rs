//! The slopes of weights through maps, against central finite differences, in f64 on the reference
//! engine.

use super::*;
use crate::graph::PoolAttrs;
use crate::random::Stream;
use crate::reference::{self, Array};
use crate::saliency::{Attachment, Method, attach};
use crate::zoo::{Architecture, Task, build};

const STEP: f32 = 1.0 / 4096.0;

fn random(shape: &[usize], stream: &mut Stream) -> Array {
    let count = shape.iter().product();
    let data = (0..count).map(|_| f64::from(stream.uniform(0.0, 1.0))).collect();
    Array::from_shape_vec(shape, data).unwrap()
}

/// Compares the slopes of `sum(seeds * outputs)` over two images with differences.
fn check(network: &Graph, close: f64, what: &str) {
    let way = backward(network, &network.trainable(), |_| None).unwrap();
    let mut stream = Stream::new(5, "slopes");
    let batch = |shape: &[usize]| [&[2], &shape[1..]].concat();
    let inputs: Vec<Array> =
        way.graph.inputs().map(|(_, value)| random(&batch(&value.shape), &mut stream)).collect();
    let found = reference::slopes(&way, &inputs).unwrap();
    let own = network.inputs().count();
    let mut changed = network.clone();
    let names: Vec<String> =
        way.slopes.iter().map(|s| way.graph.value(s.weight).name.clone()).collect();
    assert_eq!(names.len(), network.trainable().len(), "{what}");
    for (name, slope) in names.iter().zip(&found) {
        let Source::Param(before) = network.value(network.find(name).unwrap()).source.clone()
        else {
            unreachable!()
        };
        let largest = slope.iter().fold(1e-3f64, |m, v| m.max(v.abs()));
        for _ in 0..3 {
            let element = stream.below(before.len());
            let mut moved = |by: f32| {
                let mut data = before.to_vec();
                data[element] += by;
                let at = f64::from(data[element]);
                changed.set_param(name, data).unwrap();
                let outputs = reference::run(&changed, &inputs[..own]).unwrap();
                (at, outputs.iter().zip(&inputs[own..]).map(|(o, s)| (o * s).sum()).sum::<f64>())
            };
            let ((left, low), (right, high)) = (moved(-STEP), moved(STEP));
            let difference = (high - low) / (right - left);
            let slope = slope.as_slice().unwrap()[element];
            assert!(
                (difference - slope).abs() <= close * largest,
                "{what}, {name} at {element}: {slope}, difference {difference}"
            );
        }
        changed.set_param(name, before).unwrap();
    }
}

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

/// A Softplus net, on which every derivative is defined.
fn smooth() -> Graph {
    let net = build(Architecture::Small, &task([2, 8, 8]), 1).unwrap();
    net.with_ops(|op| (*op == Op::Relu).then_some(Op::Softplus { beta: 2.0 }))
}

#[test]
fn every_method_is_differentiated() {
    let net = smooth();
    for &method in Method::GATED {
        let attached = attach(&net, &[Attachment::of(method, &net).unwrap()]).unwrap();
        // Guided gradients have kinks, some of which a step crosses.
        let close = if method == Method::GuidedBackprop { 0.03 } else { 1e-4 };
        check(&attached, close, method.name());
    }
    let all: Vec<Attachment> =
        Method::GATED.iter().map(|&m| Attachment::of(m, &net).unwrap()).collect();
    check(&attach(&net, &all).unwrap(), 0.03, "all methods together");
}

/// Pools, concatenations, groups, and products, with masks that no step of this size changes.
#[test]
fn every_operation_of_a_classifier_is_differentiated() -> Result<(), GraphError> {
    let mut stream = Stream::new(2, "net");
    let mut g = Graph::new();
    let mut draw = |g: &mut Graph, name: &str, shape: &[usize]| {
        let count = shape.iter().product();
        let data: Vec<f32> = (0..count).map(|_| stream.uniform(-0.5, 0.5)).collect();
        g.param(name, shape, data)
    };
    let image = g.input("image", &[1, 2, 9, 9])?;
    let (w, b) = (draw(&mut g, "first.weight", &[4, 2, 3, 3])?, draw(&mut g, "first.bias", &[4])?);
    let x = g.node("first", Op::Conv(ConvAttrs::same(1)), &[image, w, b])?;
    let x = g.node("silu", Op::Silu, &[x])?;
    let pool = PoolAttrs { kernel: [3, 3], stride: [2, 2], pads: [1, 1, 1, 1] };
    let x = g.node("pool", Op::MaxPool(pool), &[x])?;
    let w = draw(&mut g, "grouped.weight", &[4, 2, 3, 3])?;
    let grouped = ConvAttrs { groups: 2, ..ConvAttrs::same(1) };
    let a = g.node("grouped", Op::Conv(grouped), &[x, w])?;
    let w = draw(&mut g, "deep.weight", &[4, 1, 3, 3])?;
    let deep = ConvAttrs { groups: 4, ..ConvAttrs::same(1) };
    let c = g.node("deep", Op::Conv(deep), &[x, w])?;
    let c = g.node("soft", Op::Softplus { beta: 1.5 }, &[c])?;
    let x = g.node("both", Op::Concat, &[a, c])?;
    let pooled = g.node("squeeze", Op::GlobalAveragePool, &[x])?;
    let (w, b) = (draw(&mut g, "gate.weight", &[8, 8, 1, 1])?, draw(&mut g, "gate.bias", &[8])?);
    let gate = g.node("excite", Op::Conv(ConvAttrs::same(0)), &[pooled, w, b])?;
    let gate = g.node("sigmoid", Op::Sigmoid { beta: 1.0 }, &[gate])?;
    let x = g.node("scaled", Op::Mul, &[x, gate])?;
    let w = draw(&mut g, "step.weight", &[6, 8, 3, 3])?;
    let x = g.node("step", Op::Conv(ConvAttrs::same(1).with_stride(2)), &[x, w])?;
    let x = g.node("soft2", Op::Softplus { beta: 1.0 }, &[x])?;
    let x = g.node("average", Op::AveragePool(PoolAttrs::tiling(2)), &[x])?;
    let x = g.node("flat", Op::Flatten, &[x])?;
    let features = g.shape(x)[1];
    let (w, b) = (draw(&mut g, "dense.weight", &[3, features])?, draw(&mut g, "dense.bias", &[3])?);
    let logits = g.node("logits", Op::Gemm { transposed: false }, &[x, w, b])?;
    g.set_outputs(&[logits]);
    check(&g, 1e-4, "plain");
    let methods = [Method::Gradient, Method::InputXGradient];
    for method in methods {
        let attached = attach(&g, &[Attachment::of(method, &g)?])?;
        check(&attached, 1e-4, method.name());
    }
    Ok(())
}

/// A masked product through which the loss is differentiated only with a hat.
#[test]
fn a_hat_stands_for_the_slope_of_a_mask() -> Result<(), GraphError> {
    let mut g = Graph::new();
    let image = g.input("image", &[1, 1])?;
    let w = g.param("w", &[1, 1], vec![2.0])?;
    let x = g.node("x", Op::Gemm { transposed: false }, &[image, w])?;
    let relu = g.node("relu", Op::Relu, &[x])?;
    let sign = g.node("sign", Op::Sign, &[relu])?;
    g.set_outputs(&[sign]);
    let slope = |hat: Option<f32>| {
        let way = backward(&g, &g.trainable(), |name| hat.filter(|_| name == "relu")).unwrap();
        let [at, seed] = [0.25, 3.0].map(|v| Array::from_elem(vec![1, 1], v));
        let found = reference::slopes(&way, &[at, seed]).unwrap();
        found.first().map(|slope| slope[[0, 0]])
    };
    assert_eq!(slope(None), None);
    // x = 0.5, a hat of width 1 there 0.5; by w it is 0.25 times that.
    assert_eq!(slope(Some(1.0)), Some(3.0 * 0.5 * 0.25));
    assert_eq!(slope(Some(0.5)), Some(0.0));
    Ok(())
}
