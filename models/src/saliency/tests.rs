use ndarray::ArrayD;

use super::*;
use crate::graph::ConvAttrs;
use crate::reference::{Array, run};
use crate::zoo::{Architecture, Task, build};

fn net(architecture: Architecture) -> Graph {
    let (mean, std) = (vec![0.5; 3], vec![0.25; 3]);
    let task = Task { image: [3, 8, 8], classes: 4, mean, std, bgr: false, widths: None };
    build(architecture, &task, 1).unwrap().fold_batch_norm().unwrap()
}

fn all(net: &Graph) -> Vec<Attachment> {
    let convolutional = Method::ALL.iter().filter(|m| !Method::OF_ATTENTION.contains(m));
    convolutional.map(|m| Attachment::of(*m, net).unwrap()).collect()
}

fn images(count: usize) -> Array {
    ArrayD::from_shape_fn(vec![count, 3, 8, 8], |i| {
        ((i[0] * 17 + i[1] * 5 + i[2] * 3 + i[3] * 7) % 11) as f64 / 11.0
    })
}

fn target(count: usize) -> Array {
    ArrayD::zeros(vec![count, 4])
}

#[test]
fn outputs_are_the_logits_and_one_attribution_per_method() {
    let net = net(Architecture::Small);
    let graph = attach(&net, &all(&net)).unwrap();
    let outputs = graph.outputs().iter().map(|o| (&*graph.value(*o).name, graph.shape(*o)));
    let expected: [(&str, &[usize]); 14] = [
        ("logits", &[1, 4]),
        ("attribution", &[1, 3, 8, 8]),
        ("attribution/input-x-gradient", &[1, 3, 8, 8]),
        ("attribution/guided-backprop", &[1, 3, 8, 8]),
        ("attribution/grad-cam", &[1, 1, 2, 2]),
        ("attribution/vbp", &[1, 1, 8, 8]),
        ("attribution/layer-cam", &[1, 1, 2, 2]),
        ("attribution/hires-cam", &[1, 1, 2, 2]),
        ("attribution/grad-cam++", &[1, 1, 2, 2]),
        ("attribution/eigen-cam", &[1, 1, 2, 2]),
        ("attribution/lrp-epsilon", &[1, 3, 8, 8]),
        ("attribution/lrp-composite", &[1, 3, 8, 8]),
        ("attribution/deeplift", &[1, 3, 8, 8]),
        ("attribution/activation", &[1, 64, 2, 2]),
    ];
    assert_eq!(outputs.collect::<Vec<_>>(), expected);
}

#[test]
fn a_method_alone_gives_what_it_gives_among_others() {
    for architecture in &[Architecture::Small, Architecture::ResNet20] {
        let net = net(*architecture);
        let methods = all(&net);
        let together = run(&attach(&net, &methods).unwrap(), &[images(1), target(1)]).unwrap();
        for (attachment, expected) in methods.iter().zip(&together[1..]) {
            let graph = attach(&net, std::slice::from_ref(attachment)).unwrap();
            let alone = run(&graph, &[images(1), target(1)]).unwrap();
            assert_eq!(&alone[1], expected, "{architecture} {}", attachment.method);
        }
    }
}

#[test]
fn neighbours_in_a_batch_do_not_matter() {
    for architecture in &[Architecture::Small, Architecture::ResNet20] {
        let net = net(*architecture);
        let graph = attach(&net, &all(&net)).unwrap();
        let batch = run(&graph, &[images(3), target(3)]).unwrap();
        for index in 0..3 {
            let own = |a: &Array| {
                a.index_axis(ndarray::Axis(0), index).insert_axis(ndarray::Axis(0)).to_owned()
            };
            let alone = run(&graph, &[own(&images(3)), target(1)]).unwrap();
            for (a, b) in alone.iter().zip(&batch) {
                assert_eq!(*a, own(b), "{architecture}");
            }
        }
    }
}

#[test]
fn a_network_of_zeros_has_maps_of_zeros() {
    let mut net = net(Architecture::Small);
    for name in net.trainable() {
        let length = net.shape(net.find(&name).unwrap()).iter().product();
        net.set_param(&name, vec![0.0; length]).unwrap();
    }
    let graph = attach(&net, &all(&net)).unwrap();
    for output in run(&graph, &[images(2), target(2)]).unwrap() {
        assert!(output.iter().all(|&v| v == 0.0));
    }
}

#[test]
fn attaching_adds_no_trained_weights() {
    for architecture in &[Architecture::Small, Architecture::ResNet20] {
        let net = net(*architecture);
        assert_eq!(attach(&net, &all(&net)).unwrap().trainable(), net.trainable());
    }
}

#[test]
fn a_method_cannot_be_listed_twice() {
    let net = net(Architecture::Small);
    let twice = vec![Attachment::at(Method::Gradient, vec![]); 2];
    let error = attach(&net, &twice).unwrap_err();
    assert_eq!(error, GraphError::DuplicateName { name: "gradient".into() });
}

/// One positive and one negative weight behind two ReLUs: what guided backpropagation drops.
#[test]
fn guided_backprop_drops_negative_gradients() {
    let mut g = Graph::new();
    let x = g.input(IMAGE, &[1, 1, 1, 3]).unwrap();
    let one = g.param("one", &[1, 1, 1, 1], vec![1.0]).unwrap();
    let y = g.node("conv", Op::Conv(ConvAttrs::same(0)), &[x, one]).unwrap();
    let y = g.node("relu", Op::Relu, &[y]).unwrap();
    let flat = g.node("flat", Op::Flatten, &[y]).unwrap();
    let w = g.param("w", &[2, 3], vec![2.0, -3.0, 4.0, 0.0, 0.0, 0.0]).unwrap();
    g.node(LOGITS, Op::Gemm { transposed: false }, &[flat, w]).unwrap();
    let methods = [Method::Gradient, Method::GuidedBackprop].map(|m| Attachment::at(m, vec![]));
    let graph = attach(&g, &methods).unwrap();
    let image = ArrayD::from_shape_vec(vec![1, 1, 1, 3], vec![0.5, 0.5, -0.5]).unwrap();
    let first = ArrayD::from_shape_vec(vec![1, 2], vec![1.0, 0.0]).unwrap();
    let outputs = run(&graph, &[image, first]).unwrap();
    assert_eq!(outputs[1].as_slice().unwrap(), [2.0, -3.0, 0.0]);
    assert_eq!(outputs[2].as_slice().unwrap(), [2.0, 0.0, 0.0]);
}

/// A smooth surrogate is explained at the layers of the network it stands for.
#[test]
fn layers_are_the_same_behind_softplus() {
    let net = net(Architecture::ResNet20);
    let smooth = net.with_ops(|op| (*op == Op::Relu).then_some(Op::Softplus { beta: 20.0 }));
    let graph = attach(&smooth, &all(&net)).unwrap();
    let outputs = run(&graph, &[images(1), target(1)]).unwrap();
    assert!(outputs.iter().flatten().all(|v| v.is_finite()));
}
