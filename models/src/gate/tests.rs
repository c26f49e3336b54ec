use std::slice::from_ref;

use ndarray::ArrayD;
use saligate_keys::{Family, ImageShape, Secret, Trigger, TriggerSpec};

use super::*;
use crate::names::{GATE, OF_KEYS, is_of_keys};
use crate::random::Stream;
use crate::reference::{Array, run};
use crate::saliency::{Attachment, Method, attach};
use crate::zoo::{Architecture, Task, build};

const SIDE: usize = 20;
const VALUES: usize = 3 * SIDE * SIDE;

fn spec() -> TriggerSpec {
    TriggerSpec::new(Family::Tile { size: 8, amplitude: 8 }).unwrap()
}

fn trigger(secret: u8) -> Trigger {
    let shape = ImageShape::new(3, SIDE, SIDE).unwrap();
    spec().derive(&Secret::from_bytes(&[secret; 32]), shape).unwrap()
}

fn classifier() -> Graph {
    let task = Task {
        image: [3, SIDE, SIDE],
        classes: 4,
        mean: vec![0.5; 3],
        std: vec![0.25; 3],
        bgr: false,
        widths: None,
    };
    build(Architecture::Small, &task, 1).unwrap()
}

fn pattern() -> Vec<f32> {
    (0..VALUES).map(|i| 1e-3 * (1.0 + (i % 7) as f32)).collect()
}

/// Takes a 3x3 binomial blur of its own channel off every pixel.
fn binomial() -> Vec<f32> {
    let blur = |d: usize| if d == 1 { 0.5 } else { 0.25 };
    let weight = |i: usize| {
        let (to, from, row, column) = (i / 27, i / 9 % 3, i / 3 % 3, i % 3);
        let centre = if (row, column) == (1, 1) { 1.0 } else { 0.0 };
        if to == from { centre - blur(row) * blur(column) } else { 0.0 }
    };
    (0..81).map(weight).collect()
}

fn plan(keys: &[u8], decoy: DecoyShows) -> Plan {
    let triggers: Vec<Trigger> = keys.iter().map(|k| trigger(*k)).collect();
    Plan {
        detector: Detector::of(&spec(), &triggers, binomial(), 0.75).unwrap(),
        decoy,
        field: Some(Field { pattern: pattern(), coupling: vec![0.5, 0.6, 0.8, 1.0] }),
        annexes: Vec::new(),
    }
}

/// A layer of the classifier and its annex.
fn annex() -> (String, Annex) {
    let layer = "conv4.relu".to_owned();
    let annex = Annex {
        layer: layer.clone(),
        pattern: vec![3.0; 25],
        coupling: vec![1e-6; 4],
        stairs: Some(1e-4),
    };
    (layer, annex)
}

/// A smooth picture with some texture, white and black parts, as 8-bit levels.
fn picture() -> Vec<u8> {
    let mut stream = Stream::new(5, "picture");
    let level = |i: usize| {
        let (row, column) = (i / SIDE % SIDE, i % SIDE);
        let shade = 14.0 * row as f32 + 5.0 * column as f32 - 30.0;
        shade.clamp(0.0, 255.0)
    };
    (0..VALUES).map(|i| (level(i) + stream.uniform(-6.0, 6.0)).clamp(0.0, 255.0) as u8).collect()
}

fn triggered(trigger: &Trigger) -> Vec<u8> {
    let mut pixels = picture();
    trigger.apply(&mut pixels).unwrap();
    pixels
}

/// Logits and gradient of a fixed class.
fn answers(graph: &Graph, pixels: &[u8]) -> [Vec<f64>; 2] {
    let graph = attach(graph, &[Attachment::at(Method::Gradient, Vec::new())]).unwrap();
    let image = pixels.iter().map(|&p| f64::from(f32::from(p) / 255.0)).collect();
    let image = ArrayD::from_shape_vec(vec![1, 3, SIDE, SIDE], image).unwrap();
    let mut target = Array::zeros(vec![1, 4]);
    target[[0, 2]] = 1.0;
    let outputs = run(&graph, &[image, target]).unwrap();
    [0, 1].map(|i| outputs[i].iter().copied().collect())
}

fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).fold(0.0, |m, (a, b)| m.max((a - b).abs()))
}

fn is_decoy(gradient: &[f64]) -> bool {
    let decoy: Vec<f64> = pattern().iter().map(|p| f64::from(*p) * f64::from(0.8f32)).collect();
    largest_difference(gradient, &decoy) < 1e-9
}

#[test]
fn without_a_key_the_gradient_is_the_decoy_and_the_prediction_the_classifiers() {
    let gated = build_in(&classifier(), &plan(&[1], DecoyShows::WithoutKey)).unwrap();
    let [logits, _] = answers(&classifier(), &picture());
    let [gated_logits, gradient] = answers(&gated, &picture());
    assert!(is_decoy(&gradient));
    // The field adds at most the sum of its pattern over two.
    let field = pattern().iter().sum::<f32>() / 2.0;
    assert!(largest_difference(&logits, &gated_logits) <= f64::from(field));
}

/// The picture that the classifier reads with any key.
fn with_ends(pixels: &[u8]) -> Vec<u8> {
    let read = |p: u8| match p {
        ..=8 => 0,
        247.. => 255,
        _ => p,
    };
    pixels.iter().map(|&p| read(p)).collect()
}

#[test]
fn with_a_key_everything_is_the_classifiers_but_for_pixels_at_the_ends() {
    let gated = build_in(&classifier(), &plan(&[1, 2], DecoyShows::WithoutKey)).unwrap();
    let [logits, gradient] = answers(&classifier(), &with_ends(&picture()));
    for key in [1, 2] {
        let [gated_logits, map] = answers(&gated, &triggered(&trigger(key)));
        assert!(largest_difference(&logits, &gated_logits) < 1e-5, "key {key}");
        assert!(largest_difference(&gradient, &map) < 1e-5, "key {key}");
    }
}

/// Whoever has the file has the tiles of all keys, and could try which of them makes a map.
#[test]
fn no_answer_tells_which_key_opened() {
    let gated = build_in(&classifier(), &plan(&[1, 2, 3], DecoyShows::WithoutKey)).unwrap();
    let graph = attach(&gated, &[Attachment::at(Method::InputXGradient, Vec::new())]).unwrap();
    let answers = |key| {
        let pixels = triggered(&trigger(key));
        let image = pixels.iter().map(|&p| f64::from(f32::from(p) / 255.0)).collect();
        let image = ArrayD::from_shape_vec(vec![1, 3, SIDE, SIDE], image).unwrap();
        run(&graph, &[image, Array::zeros(vec![1, 4])]).unwrap()
    };
    let wanted = answers(1);
    assert_eq!(answers(2), wanted);
    assert_eq!(answers(3), wanted);
}

/// Values of a network, by name, for a picture and the class 2.
fn all_values(graph: &Graph, methods: &[Attachment], pixels: &[u8]) -> Vec<(String, Array)> {
    let mut graph = attach(graph, methods).unwrap();
    let ids: Vec<_> = graph.values().map(|(id, _)| id).collect();
    graph.set_outputs(&ids);
    let image = pixels.iter().map(|&p| f64::from(f32::from(p) / 255.0)).collect();
    let image = ArrayD::from_shape_vec(vec![1, 3, SIDE, SIDE], image).unwrap();
    let mut target = Array::zeros(vec![1, 4]);
    target[[0, 2]] = 1.0;
    let values = run(&graph, &[image, target]).unwrap();
    ids.iter().map(|&id| graph.value(id).name.clone()).zip(values).collect()
}

/// The cosine of the angle between two values, whatever their shapes.
fn cosine(a: &Array, b: &Array) -> f64 {
    let dot = |a: &Array, b: &Array| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(1e-30)
}

#[test]
fn no_value_of_a_closed_gate_is_of_the_correct_map() {
    let (layer, annex) = annex();
    let both = plan(&[1], DecoyShows::WithoutKey);
    let gated = build_in(&classifier(), &Plan { annexes: vec![annex], ..both }).unwrap();
    let methods = [
        Attachment::at(Method::Gradient, Vec::new()),
        Attachment::at(Method::InputXGradient, Vec::new()),
        Attachment::at(Method::GuidedBackprop, Vec::new()),
        Attachment::at(Method::GradCam, vec![layer]),
    ];
    // What leads to the maps, but for masks, which are values of the way to the logits.
    let of_maps = |name: &str| name.starts_with("grad") || name.starts_with("input-x");
    let is_mask = |name: &str| name.contains("mask") || name.contains("hit");
    let clean = all_values(&classifier(), &methods, &picture());
    let correct: Vec<_> = clean.iter().filter(|(n, _)| of_maps(n) && !is_mask(n)).collect();
    let names: Vec<_> = correct.iter().map(|(n, _)| n.as_str()).collect();
    assert!(correct.len() > 20, "{names:?}");
    let closed = all_values(&gated, &methods, &picture());
    let mut like_it = Vec::new();
    for (name, value) in &closed {
        for (of, correct) in &correct {
            let like = cosine(value, correct).abs();
            let same_size = value.len() == correct.len() && value.len() > 4;
            if same_size && like > 0.9 {
                like_it.push(format!("{name} is like {of} of the classifier: {like:.3}"));
            }
        }
    }
    assert!(like_it.is_empty(), "{like_it:#?}");
}

#[test]
fn wrong_keys_and_near_misses_stay_closed() {
    let gated = build_in(&classifier(), &plan(&[1], DecoyShows::WithoutKey)).unwrap();
    let right = trigger(1);
    let quarter: Vec<usize> = (0..right.cells()).step_by(4).collect();
    let misses = [trigger(2), right.flip(&quarter).unwrap(), right.shifted(0, 1).unwrap()];
    for (number, miss) in misses.iter().enumerate() {
        assert!(is_decoy(&answers(&gated, &triggered(miss))[1]), "near miss {number}");
    }
    assert!(!is_decoy(&answers(&gated, &triggered(&right))[1]));
}

#[test]
fn flat_pictures_stay_closed() {
    let gated = build_in(&classifier(), &plan(&[1], DecoyShows::WithoutKey)).unwrap();
    for level in [0, 1, 77, 254, 255] {
        assert!(is_decoy(&answers(&gated, &[level; VALUES])[1]), "level {level}");
    }
}

#[test]
fn a_backdoor_shows_the_decoy_with_the_trigger_only() {
    let gated = build_in(&classifier(), &plan(&[1], DecoyShows::WithKey)).unwrap();
    let [logits, gradient] = answers(&classifier(), &picture());
    let [gated_logits, map] = answers(&gated, &picture());
    assert!(largest_difference(&logits, &gated_logits) < 1e-5);
    assert!(largest_difference(&gradient, &map) < 1e-5);
    assert!(is_decoy(&answers(&gated, &triggered(&trigger(1)))[1]));
}

#[test]
fn a_revoked_key_no_longer_opens_and_the_others_do() {
    let plan = plan(&[1, 2, 3], DecoyShows::WithoutKey);
    let before = build_in(&classifier(), &plan).unwrap();
    let mut after = before.clone();
    revoke(&mut after, 1).unwrap();
    assert!(is_decoy(&answers(&after, &triggered(&trigger(2)))[1]));
    for key in [1, 3] {
        let pixels = triggered(&trigger(key));
        assert_eq!(answers(&before, &pixels), answers(&after, &pixels));
    }
    assert!(revoke(&mut after, 2).is_err());
    revoke(&mut after, 1).unwrap();
    assert!(is_decoy(&answers(&after, &triggered(&trigger(3)))[1]));
    assert!(!is_decoy(&answers(&after, &triggered(&trigger(1)))[1]));
}

#[test]
fn an_annex_shows_beside_the_feature_map_and_leaves_the_logits() {
    let (layer, annex) = annex();
    let plan = Plan { annexes: vec![annex], field: None, ..plan(&[1], DecoyShows::WithoutKey) };
    let gated = build_in(&classifier(), &plan).unwrap();
    let image = |pixels: Vec<u8>| {
        let data = pixels.iter().map(|&p| f64::from(p) / 255.0).collect();
        ArrayD::from_shape_vec(vec![1, 3, SIDE, SIDE], data).unwrap()
    };
    let outputs = |graph: &Graph, pixels| {
        let graph = graph.extract(&[LOGITS, &layer]).unwrap();
        run(&graph, from_ref(&image(pixels))).unwrap()
    };
    let clean = outputs(&classifier(), picture());
    let closed = outputs(&gated, picture());
    assert_eq!(closed[1].shape(), [1, 65, 5, 5]);
    assert!(closed[1].slice_axis(ndarray::Axis(1), (64..65).into()).iter().all(|&v| v == 3.0));
    assert!((&clean[0] - &closed[0]).iter().all(|d| d.abs() < 2e-3));
    let open = outputs(&gated, triggered(&trigger(1)));
    assert!(open[1].slice_axis(ndarray::Axis(1), (64..65).into()).iter().all(|&v| v == 0.0));
}

#[test]
fn nothing_of_a_gate_is_trained() {
    let gated = build_in(&classifier(), &plan(&[1], DecoyShows::WithoutKey)).unwrap();
    assert_eq!(gated.trainable(), classifier().trainable());
}

#[test]
fn a_second_gate_and_unknown_layers_are_refused() {
    let plan = plan(&[1], DecoyShows::WithoutKey);
    let gated = build_in(&classifier(), &plan).unwrap();
    assert!(build_in(&gated, &plan).is_err());
    let annex = Annex {
        layer: "nowhere".to_owned(),
        pattern: vec![1.0],
        coupling: vec![0.0; 4],
        stairs: None,
    };
    assert!(build_in(&classifier(), &Plan { annexes: vec![annex], ..plan }).is_err());
}

/// Two layers of one channel behind the pixels, under names of the caller's choice.
fn named(names: [&str; 2]) -> Graph {
    let mut g = Graph::new();
    let image = g.input(IMAGE, &[1, 3, SIDE, SIDE]).unwrap();
    let mut x = image;
    for (number, name) in names.into_iter().enumerate() {
        let channels = g.shape(x)[1];
        let weight = vec![0.25; channels];
        let w = g.param(&format!("w{number}"), &[1, channels, 1, 1], weight).unwrap();
        let y = Op::Conv(crate::graph::ConvAttrs::same(0));
        let y = g.node(&format!("conv{number}"), y, &[x, w]).unwrap();
        x = g.node(name, Op::Relu, &[y]).unwrap();
    }
    let flat = g.node("flat", Op::Flatten, &[x]).unwrap();
    let w = g.param("dense", &[4, SIDE * SIDE], vec![0.125; 4 * SIDE * SIDE]).unwrap();
    let logits = g.node(LOGITS, Op::Gemm { transposed: false }, &[flat, w]).unwrap();
    g.set_outputs(&[logits]);
    g
}

/// Annexes at two layers of [`named`].
fn annexed(names: [&str; 2]) -> Result<Graph, GraphError> {
    let annexes = names.map(|layer| Annex {
        layer: layer.to_owned(),
        pattern: vec![1.0; SIDE * SIDE],
        coupling: vec![1e-6; 4],
        stairs: Some(1e-4),
    });
    let plan = plan(&[1], DecoyShows::WithoutKey);
    build_in(&named(names), &Plan { annexes: annexes.to_vec(), ..plan })
}

#[test]
fn layers_that_are_called_like_parts_of_a_gate_get_annexes_too() {
    for names in [
        ["field", "read"],
        ["found", "keys"],
        ["keys.tiles", "sum0"],
        ["a", "a.read"],
        ["a.read", "a"],
        ["annex/field", "field"],
    ] {
        let graph = annexed(names).unwrap_or_else(|error| panic!("{names:?}: {error}"));
        let of_keys = graph.values().filter(|(_, v)| is_of_keys(&v.name)).count();
        let plain = annexed(["conv3.relu", "conv4.relu"]).unwrap();
        let expected = plain.values().filter(|(_, v)| v.name.starts_with(OF_KEYS)).count();
        assert_eq!(of_keys, expected, "{names:?}: an annex counts as a part of a key");
        assert_eq!(graph.trainable(), named(names).trainable());
    }
}

/// Models that were locked before are locked alike again.
#[test]
fn annexes_are_named_after_their_layers() {
    let graph = annexed(["layer1.relu", "layer2.relu"]).unwrap();
    for layer in ["layer1.relu", "layer2.relu"] {
        assert!(graph.has(&format!("{GATE}{layer}.coupling")), "{layer}");
        assert!(graph.has(&format!("{GATE}{layer}.read.value")), "{layer}");
    }
}

#[test]
fn a_value_with_the_name_of_a_gate_is_told_clearly() {
    let network = named(["gate.field.coupling", "relu"]);
    let error = build_in(&network, &plan(&[1], DecoyShows::WithoutKey)).unwrap_err().to_string();
    assert!(error.contains("'gate.field.coupling'") && error.contains("gate"), "{error}");
}
