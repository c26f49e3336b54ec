//! Every rule against central finite differences, in f64 on the reference engine.

use ndarray::{ArrayD, IxDyn};

use super::gradient;
use crate::graph::{ConvAttrs, Graph, GraphError, Op, PoolAttrs, Range, ValueId};
use crate::random::Stream;
use crate::reference::{Array, run};

const STEP: f64 = 1e-5;
/// Truncation and rounding of a central difference at `STEP`, for values of order one.
const CLOSE: f64 = 1e-7;

fn random(shape: &[usize], stream: &mut Stream) -> Array {
    let data = (0..shape.iter().product()).map(|_| f64::from(stream.uniform(-1.0, 1.0))).collect();
    ArrayD::from_shape_vec(IxDyn(shape), data).unwrap()
}

fn param(g: &mut Graph, name: &str, shape: &[usize]) -> ValueId {
    let mut stream = Stream::new(7, name);
    let data: Vec<f32> =
        (0..shape.iter().product::<usize>()).map(|_| stream.uniform(-1.0, 1.0)).collect();
    g.param(name, shape, data).unwrap()
}

/// Compares the gradient of `sum(weights * f(x))` with differences at every element of x.
fn check(shape: &[usize], build: impl Fn(&mut Graph, ValueId) -> Result<ValueId, GraphError>) {
    let mut g = Graph::new();
    let x = g.input("x", shape).unwrap();
    let y = build(&mut g, x).unwrap();
    let result = g.shape(y).to_vec();
    let seed = g.input("seed", &result).unwrap();
    let dx = gradient(&mut g, y, seed, x).unwrap();
    assert_eq!(g.shape(dx), shape);
    g.set_outputs(&[y, dx]);

    // Two samples at once: rules must keep the entries of a batch apart.
    let mut stream = Stream::new(3, "finite differences");
    let batch = |s: &[usize]| [&[2], &s[1..]].concat();
    let at = random(&batch(shape), &mut stream);
    let weights = random(&batch(g.shape(y)), &mut stream);
    let value = |x: &Array| (&run(&g, &[x.clone(), weights.clone()]).unwrap()[0] * &weights).sum();
    let written = run(&g, &[at.clone(), weights.clone()]).unwrap().remove(1);

    for i in 0..at.len() {
        let moved = |by: f64| {
            let mut x = at.clone();
            x.as_slice_mut().unwrap()[i] += by;
            value(&x)
        };
        let difference = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
        let rule = written.as_slice().map_or_else(|| *written.iter().nth(i).unwrap(), |s| s[i]);
        assert!(
            (difference - rule).abs() < CLOSE,
            "element {i}: finite difference {difference}, rule {rule}"
        );
    }
}

fn check_op(shape: &[usize], op: Op) {
    check(shape, |g, x| g.node("y", op.clone(), &[x]));
}

#[test]
fn conv_strided_padded_dilated_grouped() {
    let attrs = ConvAttrs { stride: [2, 1], pads: [1, 0, 2, 1], dilation: [1, 2], groups: 2 };
    check(&[1, 4, 7, 6], |g, x| {
        let (w, b) = (param(g, "w", &[6, 2, 3, 2]), param(g, "b", &[6]));
        g.node("y", Op::Conv(attrs), &[x, w, b])
    });
}

#[test]
fn conv_stride_that_drops_the_last_row() {
    check(&[1, 2, 8, 8], |g, x| {
        let w = param(g, "w", &[3, 2, 3, 3]);
        g.node("y", Op::Conv(ConvAttrs::same(1).with_stride(2)), &[x, w])
    });
}

#[test]
fn conv_transpose() {
    let op = Op::ConvTranspose {
        conv: ConvAttrs { stride: [2, 2], pads: [1, 1, 1, 0], dilation: [1, 1], groups: 2 },
        output_padding: [1, 0],
    };
    check(&[1, 4, 3, 4], |g, x| {
        let w = param(g, "w", &[4, 3, 3, 3]);
        g.node("y", op.clone(), &[x, w])
    });
}

#[test]
fn gemm_from_both_sides() {
    check(&[1, 5], |g, x| {
        let (w, b) = (param(g, "w", &[3, 5]), param(g, "b", &[3]));
        let y = g.node("y", Op::Gemm { transposed: false }, &[x, w, b])?;
        g.node("z", Op::Gemm { transposed: true }, &[y, w])
    });
}

#[test]
fn activations() {
    for op in [
        Op::Relu,
        Op::LeakyRelu { alpha: 0.125 },
        Op::Silu,
        Op::HardSigmoid { alpha: 0.75, beta: 0.5 },
        Op::HardSwish,
        Op::Softplus { beta: 3.0 },
        Op::Sigmoid { beta: 2.0 },
        Op::Clip { low: -0.25, high: 0.5 },
    ] {
        check_op(&[1, 2, 3, 3], op.clone());
        check_op(&[1, 6], op);
    }
}

#[test]
fn functions_of_single_numbers() {
    for op in [Op::Exp, Op::Erf, Op::Power { exponent: 2.0 }, Op::Power { exponent: 3.0 }] {
        check_op(&[1, 2, 3, 3], op.clone());
        check_op(&[1, 6], op);
    }
    // Above 0.
    for op in [Op::Log, Op::Power { exponent: -0.5 }, Op::Power { exponent: 1.0 / 3.0 }] {
        check(&[1, 2, 2, 3], |g, x| {
            let two = g.constant(&[1; 4], 2.0)?;
            let above = g.node("above", Op::Add, &[x, two])?;
            g.node("y", op.clone(), &[above])
        });
    }
}

#[test]
fn slices_with_steps_along_every_axis() {
    let along = |start, end, step| Range { start, end, step };
    for ranges in [
        [along(1, 5, 2), along(0, 4, 1), along(0, 3, 1)],
        [along(0, 6, 3), along(1, 4, 2), along(0, 3, 2)],
        [along(1, 6, 2), along(0, 3, 2), along(1, 2, 1)],
    ] {
        check_op(&[1, 6, 4, 3], Op::Slice { ranges });
    }
}

#[test]
fn products_of_computed_matrices() {
    // A square matrix that meets itself, one that is repeated along an axis, and constants.
    check(&[1, 2, 3, 3], |g, x| g.node("y", Op::MatMul, &[x, x]));
    check(&[1, 2, 3, 3], |g, x| {
        let sum = g.node("sum", Op::ReduceSum { axes: vec![1] }, &[x])?;
        let left = g.node("left", Op::MatMul, &[sum, x])?;
        g.node("y", Op::MatMul, &[left, sum])
    });
    check(&[1, 2, 3, 4], |g, x| {
        let (right, left) = (param(g, "right", &[1, 1, 4, 2]), param(g, "left", &[1, 1, 5, 3]));
        let product = g.node("product", Op::MatMul, &[x, right])?;
        g.node("y", Op::MatMul, &[left, product])
    });
}

#[test]
fn max_pool_tiling_overlapping_padded_and_sparse() {
    check_op(&[1, 2, 6, 6], Op::MaxPool(PoolAttrs::tiling(2)));
    check_op(&[1, 2, 7, 5], Op::MaxPool(PoolAttrs::tiling(2)));
    let overlapping = PoolAttrs { kernel: [3, 3], stride: [2, 2], pads: [0; 4] };
    check_op(&[1, 2, 7, 8], Op::MaxPool(overlapping));
    check_op(&[1, 2, 7, 8], Op::MaxPool(PoolAttrs { pads: [1, 1, 1, 1], ..overlapping }));
    check_op(&[1, 1, 6, 6], Op::MaxPool(PoolAttrs { stride: [1, 1], ..overlapping }));
    check_op(
        &[1, 1, 7, 7],
        Op::MaxPool(PoolAttrs { kernel: [1, 2], stride: [3, 3], pads: [0; 4] }),
    );
}

#[test]
fn average_pools() {
    check_op(&[1, 2, 6, 6], Op::AveragePool(PoolAttrs::tiling(2)));
    let padded = PoolAttrs { kernel: [3, 2], stride: [2, 2], pads: [1, 1, 0, 0] };
    check_op(&[1, 2, 7, 6], Op::AveragePool(padded));
    check_op(&[1, 3, 4, 5], Op::GlobalAveragePool);
}

#[test]
fn broadcasting_sums_products_and_differences() {
    for op in [Op::Add, Op::Sub, Op::Mul] {
        check(&[1, 3, 2, 2], |g, x| {
            let wide = param(g, "wide", &[1, 3, 2, 2]);
            let a = g.node("a", op.clone(), &[wide, x])?;
            let pooled = g.node("pooled", Op::GlobalAveragePool, &[x])?;
            g.node("b", op.clone(), &[a, pooled])
        });
    }
}

#[test]
fn a_value_used_twice_gets_both_gradients() {
    check(&[1, 2, 2, 2], |g, x| g.node("square", Op::Mul, &[x, x]));
}

#[test]
fn concat_of_images_and_of_rows() {
    check(&[1, 2, 3, 3], |g, x| {
        let r = g.node("r", Op::Sigmoid { beta: 1.0 }, &[x])?;
        g.node("y", Op::Concat, &[r, x, r])
    });
    check(&[1, 4], |g, x| {
        let r = g.node("r", Op::Sigmoid { beta: 1.0 }, &[x])?;
        g.node("y", Op::Concat, &[x, r])
    });
}

#[test]
fn layout_operations() {
    check_op(&[1, 2, 3, 3], Op::Flatten);
    check_op(&[1, 2, 3, 4], Op::Reshape { shape: vec![4, 6] });
    check_op(&[1, 2, 3, 3], Op::Pad { pads: [[1, 2], [0, 1], [2, 0]], value: 0.5 });
    check_op(&[1, 2, 3, 3], Op::ReduceSum { axes: vec![1, 3] });
    check_op(&[1, 2, 3, 4], Op::Transpose { order: vec![2, 3, 1] });
    check_op(&[1, 8, 2, 3], Op::DepthToSpace { block: 2 });
    let along = |start, end, step| Range { start, end, step };
    check_op(&[1, 3, 6, 7], Op::Slice { ranges: [along(1, 3, 1), along(0, 6, 2), along(1, 7, 2)] });
    check_op(&[1, 3, 6, 7], Op::Slice { ranges: [along(0, 3, 1), along(1, 6, 3), along(0, 7, 2)] });
    check_op(&[1, 3, 6, 7], Op::Slice { ranges: [along(0, 3, 1), along(0, 5, 2), along(1, 7, 1)] });
    check_op(&[1, 3, 6, 7], Op::Slice { ranges: [along(0, 1, 1), along(2, 4, 1), along(0, 7, 1)] });
}

#[test]
fn ties_go_to_the_first_winner_only() {
    let mut g = Graph::new();
    let x = g.input("x", &[1, 1, 2, 2]).unwrap();
    let y = g.node("y", Op::MaxPool(PoolAttrs::tiling(2)), &[x]).unwrap();
    let seed = g.input("seed", &[1, 1, 1, 1]).unwrap();
    let dx = gradient(&mut g, y, seed, x).unwrap();
    g.set_outputs(&[dx]);
    let at = ArrayD::from_shape_vec(vec![1, 1, 2, 2], vec![0.0, 5.0, 5.0, 5.0]).unwrap();
    let outputs = run(&g, &[at, ArrayD::from_elem(vec![1, 1, 1, 1], 2.0)]).unwrap();
    assert_eq!(outputs[0].iter().copied().collect::<Vec<_>>(), [0.0, 2.0, 0.0, 0.0]);
}

#[test]
fn relu_passes_nothing_at_zero() {
    let mut g = Graph::new();
    let x = g.input("x", &[1, 3]).unwrap();
    let y = g.node("y", Op::Relu, &[x]).unwrap();
    let seed = g.input("seed", &[1, 3]).unwrap();
    let dx = gradient(&mut g, y, seed, x).unwrap();
    g.set_outputs(&[dx]);
    let at = ArrayD::from_shape_vec(vec![1, 3], vec![-1.0, 0.0, 1.0]).unwrap();
    let outputs = run(&g, &[at, ArrayD::from_elem(vec![1, 3], 1.0)]).unwrap();
    assert_eq!(outputs[0].iter().copied().collect::<Vec<_>>(), [0.0, 0.0, 1.0]);
}

#[test]
fn batch_norm_asks_to_be_folded() {
    let mut g = Graph::new();
    let x = g.input("x", &[1, 2, 2, 2]).unwrap();
    let stats = ["a", "b", "c", "d"].map(|n| param(&mut g, n, &[2]));
    let operands = [&[x], stats.as_slice()].concat();
    let y = g.node("bn", Op::BatchNorm { epsilon: 1e-5 }, &operands).unwrap();
    let seed = g.input("seed", &[1, 2, 2, 2]).unwrap();
    let error = gradient(&mut g, y, seed, x).unwrap_err();
    assert!(error.to_string().contains("fold batch norms"), "{error}");
}

#[test]
fn an_output_that_ignores_the_input_has_no_gradient() {
    let mut g = Graph::new();
    let x = g.input("x", &[1, 2]).unwrap();
    let other = g.input("other", &[1, 2]).unwrap();
    let y = g.node("y", Op::Relu, &[other]).unwrap();
    let error = gradient(&mut g, y, other, x).unwrap_err();
    assert!(matches!(error, GraphError::Disconnected { .. }));
}
