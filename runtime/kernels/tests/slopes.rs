//! The kernels of a training step beside plain loops in f64, with every instruction set that this
//! processor has and several threads.

mod common;

use saligate_kernels::{
    Conv, ConvSlope, Crew, DepthwiseSlope, Epilogue, Isa, Map, Operand, Pool, Pooling, Window,
    dense,
};

use self::common::{laid_out, numbers, planar};

fn assert_close(found: &[f32], wanted: &[f64], what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    let largest = wanted.iter().fold(1e-3f64, |m, v| m.max(v.abs()));
    for (i, (&f, &w)) in found.iter().zip(wanted).enumerate() {
        assert!((f64::from(f) - w).abs() < 1e-5 * largest, "{what}: element {i}: {f}, wanted {w}");
    }
}

/// Channels, rows and columns of the input, channels of the output, and the window.
type Case = ([usize; 3], usize, Window);

fn window(kernel: [usize; 2], stride: usize, dilation: usize, before: usize) -> Window {
    Window { kernel, stride: [stride; 2], dilation: [dilation; 2], before: [before; 2] }
}

fn cases() -> Vec<Case> {
    vec![
        ([3, 9, 11], 16, window([3, 3], 1, 1, 1)),
        ([16, 8, 8], 40, window([3, 3], 1, 1, 1)),
        ([20, 10, 9], 24, window([3, 3], 2, 1, 1)),
        ([33, 7, 7], 70, window([1, 1], 1, 1, 0)),
        ([16, 9, 9], 32, window([1, 1], 2, 1, 0)),
        ([1, 12, 12], 20, window([5, 5], 1, 1, 2)),
        ([3, 30, 31], 32, window([11, 11], 4, 1, 2)),
        ([8, 12, 13], 17, window([2, 3], 1, 2, 2)),
        ([64, 5, 6], 64, window([3, 3], 1, 1, 1)),
    ]
}

fn outputs([_, rows, columns]: [usize; 3], window: &Window) -> [usize; 2] {
    [rows, columns]
        .iter()
        .enumerate()
        .map(|(a, size)| {
            let extent = window.dilation[a] * (window.kernel[a] - 1) + 1;
            (size + 2 * window.before[a] - extent) / window.stride[a] + 1
        })
        .collect::<Vec<_>>()
        .try_into()
        .unwrap()
}

/// `sum x h` for every weight `[o, i, row, column]`, or `[channel, row, column]`.
fn plain(case: &Case, x: &[f32], h: &[f32], depthwise: bool) -> Vec<f64> {
    let ([channels, rows, columns], outs, window) = case;
    let [down, across] = outputs(case.0, window);
    let [height, width] = window.kernel;
    let mut sums = Vec::new();
    for o in 0..*outs {
        for i in if depthwise { o..o + 1 } else { 0..*channels } {
            for (k, l) in (0..height).flat_map(|k| (0..width).map(move |l| (k, l))) {
                let mut sum = 0.0;
                for (r, c) in (0..down).flat_map(|r| (0..across).map(move |c| (r, c))) {
                    let at = |a: usize, at: usize, tap: usize, size: usize| {
                        (at * window.stride[a] + tap * window.dilation[a])
                            .checked_sub(window.before[a])
                            .filter(|place| *place < size)
                    };
                    if let (Some(y), Some(z)) = (at(0, r, k, *rows), at(1, c, l, *columns)) {
                        let x = f64::from(x[(i * rows + y) * columns + z]);
                        sum += x * f64::from(h[(o * down + r) * across + c]);
                    }
                }
                sums.push(sum);
            }
        }
    }
    sums
}

fn added(parts: [Vec<f64>; 2]) -> Vec<f64> {
    let [a, b] = parts;
    a.iter().zip(&b).map(|(a, b)| a + b).collect()
}

#[test]
fn slopes_of_convolutions_are_sums_over_images_and_pixels() {
    for isa in Isa::available() {
        for case in cases() {
            let ([channels, rows, columns], outs, window) = case;
            let [down, across] = outputs(case.0, &window);
            let halo = window.halo([rows, columns], [down, across]);
            let lanes = if channels < 4 { 1 } else { isa.lanes() };
            let input = Map::planar([channels, rows, columns]).laid_out(lanes, halo);
            let output = Map::planar([outs, down, across]).laid_out(isa.lanes(), 1);
            let x = [1, 2].map(|seed| numbers(channels * rows * columns, seed));
            let h = [3, 4].map(|seed| numbers(outs * down * across, seed));
            let wanted = added([0, 1].map(|n| plain(&case, &x[n], &h[n], false)));
            let slope = ConvSlope::new(isa, &window, [input, output]);
            let data = [0, 1].map(|n| (laid_out(&x[n], &input), laid_out(&h[n], &output)));
            let pairs = data.each_ref().map(|(x, h)| (&x[..], &h[..]));
            let mut first = None;
            for threads in [1, 3] {
                let crew = Crew::new(threads).unwrap();
                let mut sums = vec![0.0; slope.length()];
                // One after the other is the same as together, bit for bit.
                if threads == 1 {
                    slope.add(&crew, &pairs, &mut sums);
                } else {
                    pairs.iter().for_each(|pair| slope.add(&crew, &[*pair], &mut sums));
                }
                let mut found = vec![f32::NAN; wanted.len()];
                slope.read(&sums, &mut found);
                assert_close(&found, &wanted, &format!("{isa} {case:?}"));
                assert_eq!(&found, first.get_or_insert(found.clone()), "{isa} {case:?}");
            }
        }
    }
}

#[test]
fn slopes_of_depthwise_convolutions_are_sums_over_images_and_pixels() {
    let windows = [window([3, 3], 1, 1, 1), window([3, 3], 2, 1, 1), window([5, 5], 1, 1, 2)];
    for isa in Isa::available() {
        for (channels, window) in [3, 20, 32].into_iter().flat_map(|c| windows.map(|w| (c, w))) {
            let case = ([channels, 9, 8], channels, window);
            let [down, across] = outputs(case.0, &window);
            let halo = window.halo([9, 8], [down, across]);
            let lanes = if channels < 4 { 1 } else { isa.lanes() };
            let input = Map::planar([channels, 9, 8]).laid_out(lanes, halo);
            let output = Map::planar([channels, down, across]).laid_out(lanes, 2);
            let x = [1, 2].map(|seed| numbers(channels * 72, seed));
            let h = [3, 4].map(|seed| numbers(channels * down * across, seed));
            let wanted = added([0, 1].map(|n| plain(&case, &x[n], &h[n], true)));
            let slope = DepthwiseSlope::new(isa, &window, [input, output]);
            let mut sums = vec![0.0; slope.length()];
            for n in 0..2 {
                let (x, h) = (laid_out(&x[n], &input), laid_out(&h[n], &output));
                slope.add(&Crew::new(2).unwrap(), &[(&x, &h)], &mut sums);
            }
            let mut found = vec![f32::NAN; wanted.len()];
            slope.read(&sums, &mut found);
            assert_close(&found, &wanted, &format!("{isa} {case:?}"));
        }
    }
}

#[test]
fn slopes_of_a_matrix_are_outer_products() {
    for (isa, columns) in Isa::available().into_iter().flat_map(|i| [5, 67].map(|c| (i, c))) {
        let rows = 130;
        let (x, h) = ([1, 2].map(|s| numbers(columns, s)), [3, 4].map(|s| numbers(rows, s)));
        let pairs = [0, 1].map(|n| (&x[n][..], &h[n][..]));
        let mut sums = vec![1.0; rows * columns];
        dense::add_slopes(isa, &Crew::new(2).unwrap(), &pairs, &mut sums);
        let of = |at: usize| -> f64 {
            let (row, column) = (at / columns, at % columns);
            let part = |n: usize| f64::from(h[n][row]) * f64::from(x[n][column]);
            1.0 + part(0) + part(1)
        };
        let wanted: Vec<f64> = (0..rows * columns).map(of).collect();
        assert_close(&sums, &wanted, &format!("{isa} {columns}"));
    }
}

#[test]
fn winners_are_gathered_where_they_are_routed_to() {
    let sizes = [([3, 3], 2, 1), ([2, 2], 2, 0), ([3, 2], 1, 0)];
    for (isa, channels) in Isa::available().into_iter().flat_map(|i| [3, 20].map(|c| (i, c))) {
        for (kernel, stride, pad) in sizes {
            let lanes = if channels < 4 { 1 } else { isa.lanes() };
            let input = Map::planar([channels, 9, 8]).laid_out(lanes, 1);
            let size = [9, 8].map(|s: usize| s + 2 * pad);
            let [down, across] = [0, 1].map(|a| (size[a] - kernel[a]) / stride + 1);
            let output = Map::planar([channels, down, across]).laid_out(lanes, 0);
            let (stride, before) = ([stride; 2], [pad; 2]);
            let pool = Pool { pooling: Pooling::Max, kernel, stride, before, input, output };
            let crew = Crew::new(2).unwrap();
            let x = laid_out(&numbers(channels * 72, 1), &input);
            let mut pooled = vec![f32::NAN; output.elements()];
            let mut winners = vec![0.0; Pool::winners_map(&output, kernel).elements()];
            let nothing = || Epilogue::NOTHING;
            pool.run(isa, &crew, &x, &mut pooled, Some(&mut winners), nothing());
            // What is gathered from the map itself is its maxima.
            let mut found = vec![f32::NAN; output.elements()];
            let operand = |values| Operand { values, map: input };
            pool.gather(isa, &crew, operand(&x), &winners, (&mut found, &output), nothing());
            assert_eq!(planar(&found, &output), planar(&pooled, &output), "{isa} {kernel:?}");
            // It is the transpose of the way back: <gather(c), g> = <c, back(g)>.
            let c = numbers(channels * 72, 2);
            let g = numbers(channels * down * across, 3);
            let (c_map, g_map) = (laid_out(&c, &input), laid_out(&g, &output));
            pool.gather(isa, &crew, operand(&c_map), &winners, (&mut found, &output), nothing());
            let mut back = vec![f32::NAN; input.elements()];
            let gradient = Operand { values: &g_map, map: output };
            let to = (&mut back[..], &input);
            pool.run_back(isa, &crew, gradient, Some(&winners), to, nothing());
            let dot = |a: &[f32], b: &[f32]| -> f64 {
                a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
            };
            let [one, other] = [dot(&planar(&found, &output), &g), dot(&c, &planar(&back, &input))];
            assert!((one - other).abs() < 1e-4, "{isa} {kernel:?}: {one}, {other}");
        }
    }
}

#[test]
fn a_bias_can_be_left_out() {
    for isa in Isa::available() {
        let window = window([3, 3], 1, 1, 1);
        let map = |channels: usize| Map::planar([channels, 8, 8]).laid_out(isa.lanes(), 1);
        let (input, output) = (map(32), map(32));
        let (weight, bias) = (numbers(32 * 32 * 9, 1), numbers(32, 2));
        let x = laid_out(&numbers(32 * 64, 3), &input);
        for side in [None, Some(2), Some(4)] {
            let run = |bias: Option<&[f32]>, unbiased: bool| {
                let conv = Conv::new(isa, &window, &weight, bias, [input, output], side);
                let mut y = vec![f32::NAN; output.elements()];
                let crew = Crew::single();
                match unbiased {
                    true => conv.run_unbiased(&crew, &x, &mut y, Epilogue::NOTHING),
                    false => conv.run(&crew, &x, &mut y, Epilogue::NOTHING),
                }
                y
            };
            assert_eq!(run(Some(&bias), true), run(None, false), "{isa} {side:?}");
            assert_ne!(run(Some(&bias), false), run(None, false), "{isa} {side:?}");
        }
    }
}
