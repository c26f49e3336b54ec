//! Every kernel beside plain loops in f64, with every instruction set that this processor has and
//! several threads.

mod common;

use saligate_kernels::{
    Conv, Crew, Depthwise, Epilogue, Isa, Map, MaskRecord, Moves, Operand, Pool, Pooling, Window,
    pointwise,
};

use self::common::{laid_out, numbers, planar};

fn assert_close(found: &[f32], wanted: &[f64], what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    let largest = wanted.iter().fold(1e-3f64, |m, v| m.max(v.abs()));
    for (i, (&f, &w)) in found.iter().zip(wanted).enumerate() {
        assert!((f64::from(f) - w).abs() < 1e-5 * largest, "{what}: element {i}: {f}, wanted {w}");
    }
}

/// A halo that was left dirty would be read by the next convolution.
fn assert_clean_halo(data: &[f32], map: &Map, what: &str) {
    let mut again = data.to_vec();
    map.clear_halo(&mut again);
    assert_eq!(again, data, "{what}: the halo is not clear");
}

#[derive(Clone, Copy, Debug)]
struct Case {
    channels: [usize; 2],
    size: [usize; 2],
    window: Window,
    /// Zeros below and right of the image.
    behind: [usize; 2],
}

impl Case {
    fn new(
        channels: [usize; 2],
        size: [usize; 2],
        kernel: usize,
        stride: usize,
        pad: usize,
    ) -> Self {
        let window =
            Window { kernel: [kernel; 2], stride: [stride; 2], dilation: [1; 2], before: [pad; 2] };
        Self { channels, size, window, behind: [pad; 2] }
    }

    fn output(&self) -> [usize; 2] {
        [0, 1].map(|a| {
            let extent = self.window.dilation[a] * (self.window.kernel[a] - 1) + 1;
            let padded = self.size[a] + self.window.before[a] + self.behind[a];
            (padded - extent) / self.window.stride[a] + 1
        })
    }

    /// Visits (output pixel, input pixel, kernel cell).
    fn taps(&self, mut visit: impl FnMut([usize; 2], [usize; 2], usize)) {
        let [rows, columns] = self.output();
        let place = |a: usize, at: usize, k: usize| {
            let padded = at * self.window.stride[a] + k * self.window.dilation[a];
            padded.checked_sub(self.window.before[a]).filter(|&p| p < self.size[a])
        };
        for (y, x) in (0..rows).flat_map(|y| (0..columns).map(move |x| (y, x))) {
            for k in 0..self.window.kernel[0] {
                for l in 0..self.window.kernel[1] {
                    if let (Some(from), Some(across)) = (place(0, y, k), place(1, x, l)) {
                        visit([y, x], [from, across], k * self.window.kernel[1] + l);
                    }
                }
            }
        }
    }
}

fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case::new([3, 16], [9, 11], 3, 1, 1),
        Case::new([1, 20], [12, 12], 5, 1, 2),
        Case::new([3, 64], [23, 22], 7, 2, 3),
        Case::new([3, 24], [15, 15], 3, 2, 0),
        Case::new([16, 40], [8, 8], 3, 1, 1),
        Case::new([40, 16], [10, 9], 3, 2, 1),
        Case::new([32, 70], [7, 7], 1, 1, 0),
        Case::new([33, 65], [14, 14], 3, 1, 1),
        Case::new([16, 32], [9, 9], 1, 2, 0),
        Case::new([16, 16], [13, 13], 1, 1, 1),
        Case::new([3, 32], [30, 31], 11, 4, 2),
        Case::new([4, 17], [5, 29], 3, 3, 1),
        Case::new([17, 4], [28, 28], 3, 1, 1),
        Case::new([64, 48], [14, 15], 3, 1, 1),
        Case::new([17, 33], [29, 31], 3, 1, 0),
        Case::new([130, 130], [9, 8], 3, 1, 1),
        Case::new([20, 16], [9, 11], 3, 1, 2),
        Case::new([32, 32], [3, 4], 3, 1, 1),
        Case::new([16, 16], [1, 1], 3, 2, 1),
        Case::new([16, 24], [1, 5], 3, 2, 1),
    ];
    // Some residues have no pixels, and their taps would lie beyond the halo.
    let mut wide = Case::new([16, 16], [1, 1], 4, 2, 3);
    wide.window.dilation = [2, 2];
    cases.push(wide);
    let mut dilated = Case::new([8, 24], [12, 13], 3, 1, 2);
    dilated.window.dilation = [2, 2];
    cases.push(dilated);
    let mut uneven = Case::new([5, 9], [11, 10], 3, 1, 1);
    uneven.window = Window { kernel: [2, 3], stride: [2, 1], dilation: [1, 2], before: [0, 1] };
    uneven.behind = [1, 2];
    cases.push(uneven);
    cases
}

/// By taps, and by all squares there are.
fn sides(isa: Isa, case: &Case, [input, output]: [Map; 2]) -> Vec<Option<usize>> {
    let squares = Conv::squares(isa, &case.window, [&input, &output]);
    std::iter::once(None).chain(squares.into_iter().map(|way| Some(way.side))).collect()
}

#[test]
fn convolutions() {
    for case in cases() {
        let ([from, to], cells) = (case.channels, case.window.kernel[0] * case.window.kernel[1]);
        let (x, w, b) = (
            numbers(from * case.size[0] * case.size[1], 1),
            numbers(to * from * cells, 2),
            numbers(to, 3),
        );
        let [rows, columns] = case.output();
        let mut wanted: Vec<f64> =
            (0..to * rows * columns).map(|i| f64::from(b[i / (rows * columns)])).collect();
        case.taps(|[y, x_], [v, u], cell| {
            for (o, i) in (0..to).flat_map(|o| (0..from).map(move |i| (o, i))) {
                wanted[(o * rows + y) * columns + x_] +=
                    f64::from(w[(o * from + i) * cells + cell])
                        * f64::from(x[(i * case.size[0] + v) * case.size[1] + u]);
            }
        });
        let halo = case.window.halo(case.size, [rows, columns]);
        for isa in Isa::available() {
            for (lanes, extra, threads) in [(1, 0, 1), (isa.lanes(), 0, 3), (isa.lanes(), 1, 1)] {
                let what = format!("{case:?} on {isa}, {lanes} lanes");
                let input =
                    Map::planar([from, case.size[0], case.size[1]]).laid_out(lanes, halo + extra);
                let output = Map::planar([to, rows, columns]).laid_out(isa.lanes(), extra);
                let maps = [input, output];
                for side in sides(isa, &case, maps) {
                    let what = format!("{what}, squares of {side:?}");
                    let conv = Conv::new(isa, &case.window, &w, Some(&b), maps, side);
                    let mut y = vec![f32::NAN; output.elements()];
                    let crew = Crew::new(threads).unwrap();
                    conv.run(&crew, &laid_out(&x, &input), &mut y, Epilogue::NOTHING);
                    assert_close(&planar(&y, &output), &wanted, &what);
                    assert_clean_halo(&y, &output, &what);
                }
            }
        }
    }
}

#[test]
fn transposed_convolutions() {
    for case in cases() {
        let ([to, from], cells) = (case.channels, case.window.kernel[0] * case.window.kernel[1]);
        let [rows, columns] = case.output();
        let (g, w) = (numbers(from * rows * columns, 4), numbers(from * to * cells, 5));
        let mut wanted = vec![0.0; to * case.size[0] * case.size[1]];
        case.taps(|[y, x], [v, u], cell| {
            for (o, i) in (0..from).flat_map(|o| (0..to).map(move |i| (o, i))) {
                wanted[(i * case.size[0] + v) * case.size[1] + u] +=
                    f64::from(w[(o * to + i) * cells + cell])
                        * f64::from(g[(o * rows + y) * columns + x]);
            }
        });
        for isa in Isa::available() {
            let few = Conv::prefers_planar(to);
            let all = isa.lanes();
            let both = [[all, all], [all, 1], [1, 1]];
            for [given, lanes] in both.into_iter().filter(|[_, to]| *to > 1 || few) {
                let what = format!("{case:?} on {isa}, from {given} to {lanes} lanes");
                let halo = case.window.transposed_halo([rows, columns], case.size);
                let input = Map::planar([from, rows, columns]).laid_out(given, halo);
                let output = Map::planar([to, case.size[0], case.size[1]]).laid_out(lanes, 1);
                let maps = [input, output];
                for (side, threads) in
                    sides(isa, &case, maps).into_iter().flat_map(|s| [(s, 1), (s, 2)])
                {
                    let conv = Conv::transposed(isa, &case.window, &w, maps, side);
                    let mut y = vec![f32::NAN; output.elements()];
                    let crew = Crew::new(threads).unwrap();
                    conv.run(&crew, &laid_out(&g, &input), &mut y, Epilogue::NOTHING);
                    assert_close(&planar(&y, &output), &wanted, &what);
                    assert_clean_halo(&y, &output, &what);
                }
            }
        }
    }
}

/// A gradient with few channels that are not zero goes back through the convolution's own weights.
#[test]
fn the_way_back_through_a_convolution() {
    for case in cases() {
        let [from, to] = case.channels;
        let cells = case.window.kernel[0] * case.window.kernel[1];
        let [rows, columns] = case.output();
        let area = rows * columns;
        let w = numbers(to * from * cells, 18);
        for used in [vec![], vec![to - 1], (0..to).collect::<Vec<usize>>()] {
            let mut g = vec![0.0; to * area];
            for &channel in &used {
                let range = channel * area..(channel + 1) * area;
                g[range].copy_from_slice(&numbers(area, 19 + channel as u64));
            }
            let mut wanted = vec![0.0; from * case.size[0] * case.size[1]];
            case.taps(|[y, x], [v, u], cell| {
                for (o, i) in used.iter().flat_map(|&o| (0..from).map(move |i| (o, i))) {
                    wanted[(i * case.size[0] + v) * case.size[1] + u] +=
                        f64::from(w[(o * from + i) * cells + cell])
                            * f64::from(g[o * area + y * columns + x]);
                }
            });
            for isa in Isa::available() {
                let lanes = isa.lanes();
                let image = Map::planar([from, case.size[0], case.size[1]]);
                let small = Map::planar([to, rows, columns]);
                for given in [1, lanes] {
                    let halo = case.window.halo(case.size, [rows, columns]);
                    let forward = [image.laid_out(given, halo), small.laid_out(lanes, 0)];
                    let conv = Conv::new(isa, &case.window, &w, None, forward, None);
                    let halo = case.window.transposed_halo([rows, columns], case.size);
                    let maps = [small.laid_out(lanes, halo), image.laid_out(lanes, 1)];
                    let mut y = vec![f32::NAN; maps[1].elements()];
                    let g = laid_out(&g, &maps[0]);
                    let crew = Crew::new(1).unwrap();
                    assert!(conv.goes_back());
                    conv.run_back(&crew, &case.window, maps, (&g, &mut y), Epilogue::NOTHING);
                    let what = format!("{case:?} on {isa}, {} channels", used.len());
                    assert_close(&planar(&y, &maps[1]), &wanted, &what);
                    assert_clean_halo(&y, &maps[1], &what);
                }
            }
        }
    }
}

#[test]
fn depthwise_convolutions_and_their_transposes() {
    for (channels, size, kernel, stride, pad) in [
        (20, [14, 14], 3, 1, 1),
        (17, [15, 13], 3, 2, 1),
        (32, [7, 7], 5, 1, 2),
        (3, [9, 9], 3, 1, 0),
    ] {
        let case = Case::new([channels; 2], size, kernel, stride, pad);
        let cells = kernel * kernel;
        let [rows, columns] = case.output();
        let (x, g) =
            (numbers(channels * size[0] * size[1], 6), numbers(channels * rows * columns, 7));
        let (w, b) = (numbers(channels * cells, 8), numbers(channels, 9));
        let mut forward: Vec<f64> =
            (0..g.len()).map(|i| f64::from(b[i / (rows * columns)])).collect();
        let mut back = vec![0.0; x.len()];
        case.taps(|[y, u], [v, t], cell| {
            for c in 0..channels {
                let (out, place) = ((c * rows + y) * columns + u, (c * size[0] + v) * size[1] + t);
                let weight = f64::from(w[c * cells + cell]);
                forward[out] += weight * f64::from(x[place]);
                back[place] += weight * f64::from(g[out]);
            }
        });
        for isa in Isa::available() {
            for lanes in [1, isa.lanes()] {
                let small = Map::planar([channels, rows, columns]);
                let large = Map::planar([channels, size[0], size[1]]);
                let halo = case.window.halo(size, [rows, columns]);
                let (input, output) = (large.laid_out(lanes, halo), small.laid_out(lanes, 1));
                let mut y = vec![f32::NAN; output.elements()];
                Depthwise::new(isa, &case.window, &w, Some(&b), [input, output]).run(
                    &Crew::new(2).unwrap(),
                    &laid_out(&x, &input),
                    &mut y,
                    Epilogue::NOTHING,
                );
                assert_close(&planar(&y, &output), &forward, &format!("{case:?} on {isa}"));
                assert_clean_halo(&y, &output, "depthwise");

                let halo = case.window.transposed_halo([rows, columns], size);
                let (input, output) = (small.laid_out(lanes, halo), large.laid_out(lanes, 0));
                let mut y = vec![f32::NAN; output.elements()];
                Depthwise::transposed(isa, &case.window, &w, [input, output]).run(
                    &Crew::new(1).unwrap(),
                    &laid_out(&g, &input),
                    &mut y,
                    Epilogue::NOTHING,
                );
                assert_close(&planar(&y, &output), &back, &format!("{case:?} back on {isa}"));
            }
        }
    }
}

#[test]
fn the_epilogue_of_a_convolution() {
    let case = Case::new([16, 24], [9, 10], 3, 1, 1);
    let (x, w) = (numbers(16 * 90, 10), numbers(24 * 16 * 9, 11));
    let (r, m) = (numbers(24 * 90, 12), numbers(24 * 90, 13));
    for isa in Isa::available() {
        let lanes = isa.lanes();
        let input = Map::planar([16, 9, 10]).laid_out(lanes, 1);
        let output = Map::planar([24, 9, 10]).laid_out(lanes, 1);
        let conv = Conv::new(isa, &case.window, &w, None, [input, output], None);
        let run = |epilogue: Epilogue<'_>| {
            let mut y = vec![f32::NAN; output.elements()];
            conv.run(&Crew::new(1).unwrap(), &laid_out(&x, &input), &mut y, epilogue);
            assert_clean_halo(&y, &output, "epilogue");
            planar(&y, &output)
        };
        let plain = run(Epilogue::NOTHING);
        let (rest, place) = (output.laid_out(lanes, 2), output.laid_out(lanes, 0));
        let (rest_data, place_data) = (laid_out(&r, &rest), laid_out(&m, &place));
        let mut bits = vec![0.0; place.mask().elements()];
        let mut copy = vec![0.0; place.elements()];
        let record = MaskRecord::new(&mut bits, [0.0, 0.5]);
        pointwise::apply(
            isa,
            &Crew::new(1).unwrap(),
            &Operand { values: &place_data, map: place },
            (&mut copy, &place),
            Epilogue { record: Some(record), ..Epilogue::NOTHING },
        );
        assert_eq!(copy, place_data);
        let found = run(Epilogue {
            residual: Some(Operand { values: &rest_data, map: rest }),
            bounds: [-0.5, 1.0],
            mask: Some(&bits),
            record: None,
        });
        for i in 0..plain.len() {
            let clipped = (plain[i] + r[i]).clamp(-0.5, 1.0);
            let wanted = if 0.0 < m[i] && m[i] < 0.5 { clipped } else { 0.0 };
            assert_eq!(found[i], wanted, "element {i} on {isa}");
        }
    }
}

#[test]
fn pools_and_their_ways_back() {
    for (size, kernel, stride, before, behind) in [
        ([8, 8], 2, 2, 0, 0),
        ([13, 12], 3, 2, 0, 0),
        ([13, 13], 3, 2, 1, 1),
        ([6, 7], 3, 1, 1, 1),
        ([7, 7], 3, 2, 0, 1),
    ] {
        let channels = 19;
        let mut case = Case::new([channels; 2], size, kernel, stride, before);
        case.behind = [behind; 2];
        let [rows, columns] = case.output();
        // Few different values, so that there are ties.
        let x: Vec<f32> =
            numbers(channels * size[0] * size[1], 14).iter().map(|v| (v * 4.0).round()).collect();
        let g = numbers(channels * rows * columns, 15);
        for pooling in [Pooling::Max, Pooling::Average] {
            let mut forward = vec![if pooling == Pooling::Max { f64::MIN } else { 0.0 }; g.len()];
            let mut winner = vec![usize::MAX; g.len()];
            let mut back = vec![0.0; x.len()];
            let share = 1.0 / (kernel * kernel) as f64;
            case.taps(|[y, u], [v, t], _| {
                for c in 0..channels {
                    let (out, at) = ((c * rows + y) * columns + u, (c * size[0] + v) * size[1] + t);
                    let value = f64::from(x[at]);
                    match pooling {
                        Pooling::Average => {
                            forward[out] += share * value;
                            back[at] += share * f64::from(g[out]);
                        }
                        Pooling::Max if value > forward[out] => {
                            (forward[out], winner[out]) = (value, at);
                        }
                        Pooling::Max => {}
                    }
                }
            });
            if pooling == Pooling::Max {
                winner.iter().zip(&g).for_each(|(&at, &g)| back[at] += f64::from(g));
            }
            for isa in Isa::available() {
                for lanes in [1, isa.lanes()] {
                    let input = Map::planar([channels, size[0], size[1]]).laid_out(lanes, 1);
                    let output = Map::planar([channels, rows, columns]).laid_out(lanes, 0);
                    let pool = Pool {
                        pooling,
                        kernel: [kernel; 2],
                        stride: [stride; 2],
                        before: [before; 2],
                        input,
                        output,
                    };
                    let what = format!("{pool:?} on {isa}");
                    let (x, g) = (laid_out(&x, &input), laid_out(&g, &output));
                    let mut y = vec![f32::NAN; output.elements()];
                    let words = Pool::winners_map(&output, pool.kernel);
                    let mut winners = vec![f32::NAN; words.elements()];
                    pool.run(
                        isa,
                        &Crew::new(2).unwrap(),
                        &x,
                        &mut y,
                        Some(&mut winners),
                        Epilogue::NOTHING,
                    );
                    assert_close(&planar(&y, &output), &forward, &what);
                    let mut dx = vec![f32::NAN; input.elements()];
                    pool.run_back(
                        isa,
                        &Crew::new(2).unwrap(),
                        Operand { values: &g, map: output },
                        Some(&winners),
                        (&mut dx, &input),
                        Epilogue::NOTHING,
                    );
                    assert_close(&planar(&dx, &input), &back, &what);
                    assert_clean_halo(&dx, &input, &what);
                }
            }
        }
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let case = Case::new([32, 48], [30, 30], 3, 1, 1);
    let (x, w) = (numbers(32 * 900, 16), numbers(48 * 32 * 9, 17));
    for isa in Isa::available() {
        let input = Map::planar([32, 30, 30]).laid_out(isa.lanes(), 1);
        let output = Map::planar([48, 30, 30]).laid_out(isa.lanes(), 0);
        let maps = [input, output];
        for side in sides(isa, &case, maps) {
            let conv = Conv::new(isa, &case.window, &w, None, maps, side);
            let run = |threads| {
                let mut y = vec![0.0; output.elements()];
                conv.run(
                    &Crew::new(threads).unwrap(),
                    &laid_out(&x, &input),
                    &mut y,
                    Epilogue::NOTHING,
                );
                y.iter().map(|v| v.to_bits()).collect::<Vec<_>>()
            };
            let one = run(1);
            assert!([2, 3, 4].into_iter().all(|threads| run(threads) == one), "{isa}, {side:?}");
        }
    }
}

/// Slices with steps, borders and pixels set apart, over channels that do not fill a block.
#[test]
fn elements_that_move() {
    let (channels, size) = (21, [6, 7]);
    let x = numbers(channels * size[0] * size[1], 20);
    let shifted = |count: usize, by: usize, size: usize| -> Vec<Option<usize>> {
        (0..count).map(|at| at.checked_sub(by).filter(|&at| at < size)).collect()
    };
    let apart = |count: usize, step: usize| -> Vec<Option<usize>> {
        (0..count).map(|at| at.is_multiple_of(step).then_some(at / step)).collect()
    };
    let taken = |count: usize, step: usize| (0..count).map(|at| Some(at * step)).collect();
    let moves = [
        Moves::new([shifted(37, 8, channels), taken(3, 2), taken(4, 2)]),
        Moves::new([taken(16, 1), shifted(8, 1, size[0]), shifted(7, 0, size[1])]),
        Moves::new([taken(channels, 1), apart(11, 2), apart(13, 2)]),
        Moves::new([shifted(48, 16, channels), taken(size[0], 1), taken(size[1], 1)]),
    ];
    for moves in &moves {
        let [depth, rows, columns] = moves.axes().each_ref().map(Vec::len);
        let mut wanted = Vec::new();
        for c in &moves.axes()[0] {
            for y in &moves.axes()[1] {
                for x_at in &moves.axes()[2] {
                    wanted.push(match (c, y, x_at) {
                        (Some(c), Some(y), Some(u)) => x[(c * size[0] + y) * size[1] + u],
                        _ => 0.0,
                    });
                }
            }
        }
        for isa in Isa::available() {
            for lanes in [1, isa.lanes()] {
                for (before, behind) in [(1, 2), (0, 0)] {
                    let from = Map::planar([channels, size[0], size[1]]).laid_out(lanes, before);
                    let to = Map::planar([depth, rows, columns]).laid_out(lanes, behind);
                    let mut y = vec![f32::NAN; to.elements()];
                    let values = laid_out(&x, &from);
                    moves.run(
                        &Crew::new(2).unwrap(),
                        &Operand { values: &values, map: from },
                        (&mut y, &to),
                    );
                    assert_eq!(planar(&y, &to), wanted, "{lanes} lanes");
                    assert_clean_halo(&y, &to, "moves");
                }
            }
        }
    }
    // Rows that were shifted by one and are then set apart.
    let first = Moves::new([taken(1, 1), shifted(3, 1, 2), taken(1, 1)]);
    let then = Moves::new([taken(1, 1), apart(5, 2), taken(1, 1)]);
    assert_eq!(then.after(&first).axes()[1], [None, None, Some(0), None, Some(1)]);
}

#[test]
fn sums_over_channels_and_images_that_are_scaled() {
    let (channels, size) = (19, [5, 6]);
    let area = size[0] * size[1];
    let (x, w) = (numbers(channels * area, 21), numbers(channels, 22));
    let shift = numbers(channels, 23);
    let mut sums = vec![0.0; area];
    for (at, &v) in x.iter().enumerate() {
        sums[at % area] += f64::from(v) * f64::from(w[at / area]);
    }
    let map = Map::planar([channels, size[0], size[1]]);
    for isa in Isa::available() {
        for lanes in [1, isa.lanes()] {
            let from = map.laid_out(lanes, 1);
            let values = laid_out(&x, &from);
            let mut y = vec![f32::NAN; area];
            pointwise::weighted_sum(isa, &Operand { values: &values, map: from }, &w, &mut y);
            assert_close(&y, &sums, "weighted sum");
        }
    }
    let to = map.laid_out(1, 2);
    let mut y = vec![f32::NAN; to.elements()];
    pointwise::scale(&Operand { values: &x, map }, &shift, &w, (&mut y, &to));
    let wanted: Vec<f32> =
        x.iter().enumerate().map(|(at, v)| (v + shift[at / area]) * w[at / area]).collect();
    assert_eq!(planar(&y, &to), wanted);
    assert_clean_halo(&y, &to, "scale");
}
