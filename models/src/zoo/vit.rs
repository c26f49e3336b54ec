//! A small vision transformer (A. Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021).

use super::Task;
use super::layers::Layers;
use crate::graph::{ConvAttrs, GraphError, Op, PoolAttrs, ValueId};

/// Rows and columns of tokens.
const GRID: usize = 8;
/// Features of a token, and of the layer inside each block.
const WIDTH: usize = 64;
const HIDDEN: usize = 128;
/// Heads of the attention, and blocks.
const HEADS: usize = 4;
const DEPTH: usize = 4;

/// Patches of an eighth of the image as tokens, four blocks, and the mean of all tokens.
///
/// Tokens keep their place as pixels of a map `[n, feature, row, column]`, so that dense layers over them
/// are convolutions of one tap. Norms have neither scale nor bias, which the dense layer behind them has.
pub(super) fn body(layers: &mut Layers, task: &Task) -> Result<ValueId, GraphError> {
    let [_, rows, columns] = task.image;
    let patch = [rows, columns].map(|side| side / GRID);
    if patch[0] == 0 || patch[0] != patch[1] || [rows, columns] != [GRID * patch[0]; 2] {
        return Err(GraphError::Size {
            value: "image of squares of 8 by 8 tokens".to_owned(),
            shape: vec![rows, columns],
        });
    }
    let attrs = ConvAttrs::same(0).with_stride(patch[0]);
    let patches = layers.conv("patches", layers.pixels, WIDTH, patch[0], attrs)?;
    let places = layers.graph.param("places", &[1, WIDTH, GRID, GRID], places())?;
    let mut x = layers.graph.node("tokens", Op::Add, &[patches, places])?;
    for block in 0..DEPTH {
        let name = format!("blocks.{block}");
        let seen = attention(layers, &format!("{name}.attention"), x)?;
        x = layers.graph.node(&format!("{name}.attended"), Op::Add, &[x, seen])?;
        let mlp = perceptron(layers, &format!("{name}.mlp"), x)?;
        x = layers.graph.node(&format!("{name}.out"), Op::Add, &[x, mlp])?;
    }
    let x = norm(layers, "norm", x)?;
    let mean = layers.global_average(x)?;
    layers.dense("head", mean, task.classes)
}

/// Sines and cosines of rows and columns, of falling frequency, in turn.
fn places() -> Vec<f32> {
    let value = |at: usize| {
        let (feature, row, column) = (at / (GRID * GRID), at / GRID % GRID, at % GRID);
        let place = if feature.is_multiple_of(2) { row } else { column };
        let step = feature / 4;
        let angle = place as f32 * 0.5f32.powf(step as f32 / 4.0) * std::f32::consts::PI;
        0.1 * if feature / 2 % 2 == 0 { angle.sin() } else { angle.cos() }
    };
    (0..WIDTH * GRID * GRID).map(value).collect()
}

/// `(x - mean) / sqrt(variance + 1e-6)` over the features of each token.
fn norm(layers: &mut Layers, name: &str, x: ValueId) -> Result<ValueId, GraphError> {
    let graph = &mut layers.graph;
    let share = graph.constant(&[1; 4], 1.0 / WIDTH as f32)?;
    let epsilon = graph.constant(&[1; 4], 1e-6)?;
    let mut node =
        |part: &str, op: Op, of: &[ValueId]| graph.node(&format!("{name}.{part}"), op, of);
    let features = || Op::ReduceSum { axes: vec![1] };
    let sum = node("sum", features(), &[x])?;
    let mean = node("mean", Op::Mul, &[sum, share])?;
    let centred = node("centred", Op::Sub, &[x, mean])?;
    let square = node("square", Op::Mul, &[centred, centred])?;
    let squares = node("squares", features(), &[square])?;
    let variance = node("variance", Op::Mul, &[squares, share])?;
    let above = node("above", Op::Add, &[variance, epsilon])?;
    let inverse = node("inverse", Op::Power { exponent: -0.5 }, &[above])?;
    node("out", Op::Mul, &[centred, inverse])
}

/// `softmax(q k / sqrt(features)) v` in each head.
fn attention(layers: &mut Layers, name: &str, x: ValueId) -> Result<ValueId, GraphError> {
    let x = norm(layers, &format!("{name}.norm"), x)?;
    let (tokens, features) = (GRID * GRID, WIDTH / HEADS);
    let mut heads = |part: &str| {
        let (named, attrs) = (format!("{name}.{part}"), ConvAttrs::same(0));
        // A bias of keys adds the same to all scores of a row, which a softmax does not see.
        let made = match part {
            "k" => layers.conv_alone(&named, x, WIDTH, 1, attrs)?,
            _ => layers.conv(&named, x, WIDTH, 1, attrs)?,
        };
        let shape = vec![HEADS, features, tokens];
        layers.graph.node(&format!("{name}.{part}.heads"), Op::Reshape { shape }, &[made])
    };
    let (q, k, v) = (heads("q")?, heads("k")?, heads("v")?);
    let graph = &mut layers.graph;
    let scale = graph.constant(&[1; 4], 1.0 / (features as f32).sqrt())?;
    let mut node =
        |part: &str, op: Op, of: &[ValueId]| graph.node(&format!("{name}.{part}"), op, of);
    let exchanged = || Op::Transpose { order: vec![1, 3, 2] };
    let rows = node("rows", exchanged(), &[q])?;
    let product = node("product", Op::MatMul, &[rows, k])?;
    let scores = node("scores", Op::Mul, &[product, scale])?;
    let row = PoolAttrs { kernel: [1, tokens], stride: [1, 1], pads: [0; 4] };
    let most = node("most", Op::MaxPool(row), &[scores])?;
    // A softmax is the same whatever is taken off its scores: this has no slope.
    let level = node("level", Op::Round, &[most])?;
    let beyond = node("beyond", Op::Sub, &[scores, level])?;
    let powers = node("powers", Op::Exp, &[beyond])?;
    let sum = node("sum", Op::ReduceSum { axes: vec![3] }, &[powers])?;
    let share = node("share", Op::Power { exponent: -1.0 }, &[sum])?;
    let shares = node("shares", Op::Mul, &[powers, share])?;
    let columns = node("columns", exchanged(), &[shares])?;
    let seen = node("seen", Op::MatMul, &[v, columns])?;
    let map = node("map", Op::Reshape { shape: vec![WIDTH, GRID, GRID] }, &[seen])?;
    layers.conv(&format!("{name}.out"), map, WIDTH, 1, ConvAttrs::same(0))
}

/// Two dense layers with a GELU between them.
fn perceptron(layers: &mut Layers, name: &str, x: ValueId) -> Result<ValueId, GraphError> {
    let x = norm(layers, &format!("{name}.norm"), x)?;
    let x = layers.conv(&format!("{name}.in"), x, HIDDEN, 1, ConvAttrs::same(0))?;
    let graph = &mut layers.graph;
    let [narrow, one, half] = [std::f32::consts::FRAC_1_SQRT_2, 1.0, 0.5];
    let [narrow, one, half] = [
        graph.constant(&[1; 4], narrow)?,
        graph.constant(&[1; 4], one)?,
        graph.constant(&[1; 4], half)?,
    ];
    let mut node =
        |part: &str, op: Op, of: &[ValueId]| graph.node(&format!("{name}.{part}"), op, of);
    let inner = node("inner", Op::Mul, &[x, narrow])?;
    let erf = node("erf", Op::Erf, &[inner])?;
    let share = node("share", Op::Add, &[erf, one])?;
    let halved = node("halved", Op::Mul, &[x, half])?;
    let bent = node("gelu", Op::Mul, &[halved, share])?;
    layers.conv(&format!("{name}.out"), bent, WIDTH, 1, ConvAttrs::same(0))
}
