//! No path drops a part of an epilogue: every kernel that takes one beside its plain result and the
//! same steps one by one.

mod common;

use saligate_kernels::{
    Conv, Crew, Depthwise, Epilogue, Isa, Map, MaskRecord, Operand, Pool, Pooling, Window,
    pointwise,
};

use self::common::{laid_out, numbers, planar};

const BOUNDS: [f32; 2] = [-0.5, 1.0];
const RECORDED: [f32; 2] = [0.0, 0.75];
const MASKED: [f32; 2] = [-0.25, 0.5];

fn is_inside(value: f32, [low, high]: [f32; 2]) -> bool {
    low < value && value < high
}

/// Runs a kernel with nothing behind it, and with everything.
fn check(what: &str, isa: Isa, output: Map, run: &dyn Fn(&mut [f32], Epilogue<'_>)) {
    let size = [output.channels(), output.rows(), output.columns()];
    let count = size.iter().product();
    let (r, m) = (numbers(count, 31), numbers(count, 32));
    let (wide, narrow) = (output.laid_out(output.lanes(), 2), output.laid_out(output.lanes(), 0));
    let (residual, masking) = (laid_out(&r, &wide), laid_out(&m, &narrow));
    let mut mask = vec![f32::NAN; narrow.mask().elements()];
    let record = Some(MaskRecord::new(&mut mask, MASKED));
    pointwise::apply(
        isa,
        &Crew::single(),
        &Operand { values: &masking, map: narrow },
        (&mut vec![0.0; narrow.elements()], &narrow),
        Epilogue { record, ..Epilogue::NOTHING },
    );
    let mut plain = vec![f32::NAN; output.elements()];
    run(&mut plain, Epilogue::NOTHING);
    let mut found = vec![f32::NAN; output.elements()];
    let mut words = vec![f32::NAN; output.mask().elements()];
    let all = Epilogue {
        residual: Some(Operand { values: &residual, map: wide }),
        bounds: BOUNDS,
        mask: Some(&mask),
        record: Some(MaskRecord::new(&mut words, RECORDED)),
    };
    run(&mut found, all);
    let (plain, found) = (planar(&plain, &output), planar(&found, &output));
    let area = output.rows() * output.columns();
    for i in 0..count {
        let clipped = (plain[i] + r[i]).clamp(BOUNDS[0], BOUNDS[1]);
        let wanted = if is_inside(m[i], MASKED) { clipped } else { 0.0 };
        assert_eq!(found[i], wanted, "{what}: element {i} on {isa}");
        let (channel, pixel) = (i / area, i % area);
        let word = words[channel / output.lanes() * area + pixel].to_bits();
        let bit = word >> (channel % output.lanes()) & 1 == 1;
        assert_eq!(bit, is_inside(wanted, RECORDED), "{what}: bit {i} on {isa}");
    }
}

#[test]
fn convolutions_and_their_transposes() {
    for (from, to, stride) in [(16, 24, 1), (16, 24, 2), (3, 20, 1), (1, 16, 2), (4, 17, 3)] {
        let window =
            Window { kernel: [3; 2], stride: [stride; 2], dilation: [1; 2], before: [1; 2] };
        let size = [11, 10];
        let small = size.map(|s| (s - 1) / stride + 1);
        let image = Map::planar([from, size[0], size[1]]);
        let result = Map::planar([to, small[0], small[1]]);
        let (x, g) = (numbers(from * 110, 33), numbers(to * small[0] * small[1], 34));
        let w = numbers(to * from * 9, 35);
        let crew = Crew::new(2).unwrap();
        for isa in Isa::available() {
            let lanes = isa.lanes();
            let forward =
                [image.laid_out(lanes, window.halo(size, small)), result.laid_out(lanes, 1)];
            let back = [
                result.laid_out(lanes, window.transposed_halo(small, size)),
                image.laid_out(lanes, 0),
            ];
            for squares in
                [None, Some(2), Some(4)].into_iter().filter(|s| s.is_none() || stride == 1)
            {
                let what = format!("{from} to {to}, step {stride}, squares of {squares:?}");
                let conv = Conv::new(isa, &window, &w, None, forward, squares);
                let x = laid_out(&x, &forward[0]);
                check(&what, isa, forward[1], &|y, epilogue| conv.run(&crew, &x, y, epilogue));
                let conv = Conv::transposed(isa, &window, &w, back, squares);
                let g = laid_out(&g, &back[0]);
                check(&what, isa, back[1], &|y, epilogue| conv.run(&crew, &g, y, epilogue));
            }
            let conv = Conv::new(isa, &window, &w, None, forward, None);
            let values = laid_out(&g, &back[0]);
            check("the way back", isa, back[1], &|y, epilogue| {
                conv.run_back(&crew, &window, back, (&values, y), epilogue);
            });
            if Conv::prefers_planar(from) {
                for given in [1, lanes] {
                    let maps = [back[0].laid_out(given, back[0].halo()), image.laid_out(1, 1)];
                    let conv = Conv::transposed(isa, &window, &w, maps, None);
                    let g = laid_out(&g, &maps[0]);
                    let what = format!("{to} to {from} planar, from {given} lanes");
                    check(&what, isa, maps[1], &|y, epilogue| conv.run(&crew, &g, y, epilogue));
                }
            }
        }
    }
}

#[test]
fn depthwise_convolutions_and_pools() {
    let (channels, size, small) = (19, [9, 8], [5, 4]);
    let window = Window { kernel: [3; 2], stride: [2; 2], dilation: [1; 2], before: [1; 2] };
    let [image, result] =
        [size, small].map(|[rows, columns]| Map::planar([channels, rows, columns]));
    let (x, g) = (numbers(channels * 72, 36), numbers(channels * 20, 37));
    let w = numbers(channels * 9, 38);
    let crew = Crew::new(2).unwrap();
    for isa in Isa::available() {
        for lanes in [1, isa.lanes()] {
            let large = image.laid_out(lanes, window.halo(size, small));
            let little = result.laid_out(lanes, window.transposed_halo(small, size));
            let (x, g) = (laid_out(&x, &large), laid_out(&g, &little));
            let conv = Depthwise::new(isa, &window, &w, None, [large, little]);
            check("depthwise", isa, little, &|y, epilogue| conv.run(&crew, &x, y, epilogue));
            let conv = Depthwise::transposed(isa, &window, &w, [little, large]);
            check("back", isa, large, &|y, epilogue| conv.run(&crew, &g, y, epilogue));
            for pooling in [Pooling::Max, Pooling::Average] {
                let (kernel, stride) = ([3; 2], [2; 2]);
                let pool =
                    Pool { pooling, kernel, stride, before: [1; 2], input: large, output: little };
                let mut winners = vec![0.0; Pool::winners_map(&little, kernel).elements()];
                let mut y = vec![0.0; little.elements()];
                pool.run(isa, &crew, &x, &mut y, Some(&mut winners), Epilogue::NOTHING);
                check("pool", isa, little, &|y, epilogue| {
                    pool.run(isa, &crew, &x, y, None, epilogue);
                });
                check("pool back", isa, large, &|y, epilogue| {
                    let gradient = Operand { values: &g, map: little };
                    pool.run_back(isa, &crew, gradient, Some(&winners), (y, &large), epilogue);
                });
            }
            check("spread", isa, large, &|y, epilogue| {
                pointwise::spread(isa, &crew, &w[..channels], (y, &large), epilogue);
            });
            check("apply", isa, large, &|y, epilogue| {
                let from = Operand { values: &x, map: large };
                pointwise::apply(isa, &crew, &from, (y, &large), epilogue);
            });
        }
    }
}
