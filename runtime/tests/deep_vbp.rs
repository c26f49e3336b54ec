//! VisualBackProp on a network whose activations are as large as its pixels, 0 to 255: the product of
//! all layers' means does not fit 32-bit floats.

use saligate_files::ModelFile;
use saligate_files::manifest::Manifest;
use saligate_models::graph::{ConvAttrs, Graph, Op, PoolAttrs};
use saligate_models::names::{IMAGE, LOGITS};
use saligate_models::saliency::{Attachment, Method, attach};
use saligate_runtime::picture::Picture;
use saligate_runtime::{Model, Target};

const LAYERS: i32 = 30;
const SIDE: usize = 12;

/// Layers that hand the pixels on, times 255, and a pool in the middle.
fn network() -> Graph {
    let mut g = Graph::new();
    let mut x = g.input(IMAGE, &[1, 1, SIDE, SIDE]).unwrap();
    for layer in 0..LAYERS {
        let gain = if layer == 0 { 255.0 } else { 1.0 };
        let w = g.param(&format!("w{layer}"), &[1, 1, 1, 1], vec![gain]).unwrap();
        let conv = Op::Conv(ConvAttrs::same(0));
        let y = g.node(&format!("conv{layer}"), conv, &[x, w]).unwrap();
        x = g.node(&format!("relu{layer}"), Op::Relu, &[y]).unwrap();
    }
    let pooled = g.node("pooled", Op::MaxPool(PoolAttrs::tiling(SIDE)), &[x]).unwrap();
    let flat = g.node("flat", Op::Flatten, &[pooled]).unwrap();
    let w = g.param("dense", &[2, 1], vec![1.0, -1.0]).unwrap();
    let logits = g.node(LOGITS, Op::Gemm { transposed: false }, &[flat, w]).unwrap();
    g.set_outputs(&[logits]);
    g
}

#[test]
fn a_network_that_takes_pixels_of_0_to_255_is_explained() {
    let methods = [Attachment::of(Method::VisualBackProp, &network()).unwrap()];
    assert_eq!(methods[0].layers.len() as i32, LAYERS);
    let graph = attach(&network(), &methods).unwrap();
    let labels = ["a", "b"].map(str::to_owned).to_vec();
    let manifest = Manifest::clean(&graph, "deep", labels, &methods).unwrap();
    let model = Model::new(ModelFile::new(graph, manifest).unwrap()).unwrap();
    let pixels: Vec<u8> = (0..SIDE * SIDE).map(|at| (at * 16 % 251) as u8 + 4).collect();
    let picture = Picture::from_planar(1, SIDE, SIDE, pixels.clone()).unwrap();
    let map = model.explain(&picture, Target::Predicted, None).unwrap().map;
    let largest = map.iter().fold(0.0f32, |m, v| m.max(*v));
    let brightest = f64::from(*pixels.iter().max().unwrap());
    assert!(largest.is_finite() && largest > 0.0);
    for (value, pixel) in map.iter().zip(&pixels) {
        let expected = (f64::from(*pixel) / brightest).powi(LAYERS);
        assert!((f64::from(value / largest) - expected).abs() < 1e-4, "{value} at {pixel}");
    }
}
