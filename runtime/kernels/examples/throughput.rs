//! How fast the convolutions run: `cargo run --release -p saligate-kernels --example throughput`.
//!
//! Prints billions of multiplications per second, one thread, for layers of common networks.

use std::hint::black_box;
use std::time::Instant;

use saligate_kernels::{Conv, Crew, Epilogue, Isa, Map, Window};

fn main() {
    println!("{:>8} {:>24} {:>8} {:>8}", "", "layer", "forward", "back");
    for isa in Isa::available() {
        for (from, to, side, kernel, stride) in [
            (3, 64, 224, 7, 2),
            (64, 64, 56, 3, 1),
            (128, 128, 28, 3, 1),
            (256, 256, 14, 3, 1),
            (512, 512, 7, 3, 1),
            (64, 128, 56, 3, 2),
            (16, 16, 32, 3, 1),
            (64, 64, 8, 3, 1),
            (96, 24, 56, 1, 1),
            (16, 64, 55, 1, 1),
            (320, 1280, 7, 1, 1),
        ] {
            let pad = kernel / 2;
            let window = Window {
                kernel: [kernel; 2],
                stride: [stride; 2],
                dilation: [1; 2],
                before: [pad; 2],
            };
            let small = (side + 2 * pad - kernel) / stride + 1;
            let weight: Vec<f32> =
                (0..to * from * kernel * kernel).map(|i| (i % 7) as f32).collect();
            let planar = Conv::prefers_planar(from);
            let lanes = if planar { 1 } else { isa.lanes() };
            let large = Map::planar([from, side, side]);
            let little = Map::planar([to, small, small]).laid_out(isa.lanes(), 0);
            let input = large.laid_out(lanes, window.halo([side; 2], [small; 2]));
            let best = |maps: [&Map; 2]| {
                let squares = Conv::squares(isa, &window, maps);
                squares.into_iter().max_by(|a, b| a.saved.total_cmp(&b.saved)).map(|way| way.side)
            };
            let squares = best([&input, &little]);
            let forward = Conv::new(isa, &window, &weight, None, [input, little], squares);
            let halo = window.transposed_halo([small; 2], [side; 2]);
            let (gradient, back) = (little.laid_out(isa.lanes(), halo), large.laid_out(lanes, 0));
            let transposed =
                Conv::transposed(isa, &window, &weight, [gradient, back], best([&gradient, &back]));
            let products = (small * small * weight.len()) as f64;
            let rate = |conv: &Conv, from: &Map, to: &Map| {
                let (x, mut y) = (vec![0.5; from.elements()], vec![0.0; to.elements()]);
                let crew = Crew::single();
                let mut best = f64::MAX;
                for _ in 0..20 {
                    let start = Instant::now();
                    conv.run(&crew, black_box(&x), &mut y, Epilogue::NOTHING);
                    best = best.min(start.elapsed().as_secs_f64());
                    black_box(&y);
                }
                products / best / 1e9
            };
            println!(
                "{isa:>8} {:>24} {:8.1} {:8.1}",
                format!("{from}-{to} {side}x{side} {kernel}x{kernel}/{stride}"),
                rate(&forward, &input, &little),
                rate(&transposed, &gradient, &back),
            );
        }
    }
}
