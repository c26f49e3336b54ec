//! Operations on single elements and whole planes of a map.

use crate::buffer::Buffer;
use crate::crew::Crew;
use crate::dispatch::{Kernel, run_on};
use crate::epilogue::{Epilogue, MapEpilogue, Operand};
use crate::isa::Isa;
use crate::map::Map;
use crate::simd::Simd;

/// Copies a map and applies an epilogue; clears the halo.
///
/// # Panics
/// A length differs from that of its map, the maps are of different sizes, an operand of the
/// epilogue is of another size, or the lanes are neither 1 nor those of the instructions.
pub fn apply(
    isa: Isa,
    crew: &Crew,
    from: &Operand<'_>,
    to: (&mut [f32], &Map),
    epilogue: Epilogue<'_>,
) {
    let (output, map) = to;
    assert!(from.map.matches(map), "another size");
    assert_eq!((from.values.len(), output.len()), (from.map.elements(), map.elements()), "length");
    let is_flat = |map: &Map| map.lanes() == 1 && map.halo() == 0;
    if is_flat(map) && is_flat(&from.map) && epilogue.is_flat() {
        let epilogue = epilogue.of(map);
        return flat(isa, crew, from.values, output, &epilogue);
    }
    let epilogue = &epilogue.of(map);
    crew.run_on_parts(map.elements(), output, map.plane(), &|block, plane| {
        run_on(isa, map.lanes(), Copies { block, from, plane, map, epilogue });
    });
    map.clear_halo(output);
}

/// The same where all lies in one row.
fn flat(isa: Isa, crew: &Crew, from: &[f32], output: &mut [f32], epilogue: &MapEpilogue<'_>) {
    const PART: usize = 1 << 13;
    crew.run_on_parts(output.len(), output, PART, &|part, output| {
        let own = part * PART..part * PART + output.len();
        let (residual, bounds) = epilogue.flat();
        let residual = residual.map(|residual| &residual[own.clone()]);
        run_on(isa, isa.lanes(), Flat { from: &from[own], residual, bounds, output });
    });
}

struct Flat<'a> {
    from: &'a [f32],
    residual: Option<&'a [f32]>,
    bounds: [f32; 2],
    output: &'a mut [f32],
}

impl Kernel for Flat<'_> {
    /// Plain loops, which the compiler makes ones over registers of these instructions.
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { from, residual, bounds: [low, high], output } = self;
        let bounded = |x: f32| {
            let x = if low > x { low } else { x };
            if x > high { high } else { x }
        };
        match residual {
            Some(residual) => {
                let pairs = from.iter().zip(residual);
                output.iter_mut().zip(pairs).for_each(|(o, (x, r))| *o = bounded(x + r));
            }
            None => output.iter_mut().zip(from).for_each(|(o, x)| *o = bounded(*x)),
        }
    }
}

/// One block of channels.
struct Copies<'a> {
    block: usize,
    from: &'a Operand<'a>,
    plane: &'a mut [f32],
    map: &'a Map,
    epilogue: &'a MapEpilogue<'a>,
}

impl Kernel for Copies<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { block, from, plane, map, epilogue } = self;
        let origin = block * from.map.plane() + from.map.origin();
        for row in 0..map.rows() {
            let epilogue = epilogue.tile(block, [row, 0], 1);
            let length = map.columns() * map.lanes();
            let source = from.values[origin + row * from.map.row()..][..length].as_ptr();
            let target = plane[map.origin() + row * map.row()..][..length].as_mut_ptr();
            for column in 0..map.columns() {
                // SAFETY: both rows were cut out with a check; the block is this thread's, and the
                // map has this pixel.
                unsafe {
                    let value = S::load(source.add(column * S::LANES));
                    epilogue.apply(value, column, 0).store(target.add(column * S::LANES));
                }
            }
        }
    }
}

/// The sum over all pixels of a channel, times `factor`: one number per channel, in the order of
/// channels.
///
/// # Panics
/// A length differs from that of its map, or the lanes are neither 1 nor those of the instructions.
pub fn plane_sums(isa: Isa, from: &Operand<'_>, factor: f32, to: &mut [f32]) {
    assert_eq!(from.values.len(), from.map.elements(), "length");
    assert_eq!(to.len(), from.map.channels(), "one sum per channel");
    for (block, sums) in to.chunks_mut(from.map.lanes()).enumerate() {
        run_on(isa, from.map.lanes(), Sums { block, from, factor, sums });
    }
}

struct Sums<'a> {
    block: usize,
    from: &'a Operand<'a>,
    factor: f32,
    sums: &'a mut [f32],
}

impl Kernel for Sums<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let map = &self.from.map;
        let mut lanes = [0.0; 16];
        // SAFETY: rows are cut out of the values with a check; the array holds the widest register.
        unsafe {
            let mut sum = [S::splat(0.0); 4];
            for row in 0..map.rows() {
                let place = self.block * map.plane() + map.origin() + row * map.row();
                let line = self.from.values[place..][..map.columns() * S::LANES].as_ptr();
                for column in 0..map.columns() {
                    let part = &mut sum[column % 4];
                    *part = part.add(S::load(line.add(column * S::LANES)));
                }
            }
            let sum = sum[0].add(sum[1]).add(sum[2].add(sum[3])).mul(S::splat(self.factor));
            sum.store(lanes.as_mut_ptr());
        }
        let count = self.sums.len();
        self.sums.copy_from_slice(&lanes[..count]);
    }
}

/// Sum over channels, each times a number: one number per pixel, row by row.
///
/// # Panics
/// A length differs from that of its map, or the lanes are neither 1 nor those of the instructions.
pub fn weighted_sum(isa: Isa, from: &Operand<'_>, weights: &[f32], to: &mut [f32]) {
    assert_eq!(from.values.len(), from.map.elements(), "length");
    assert_eq!(weights.len(), from.map.channels(), "one weight per channel");
    assert_eq!(to.len(), from.map.rows() * from.map.columns(), "one sum per pixel");
    let mut padded = Buffer::zeros(from.map.blocks() * from.map.lanes());
    padded[..weights.len()].copy_from_slice(weights);
    run_on(isa, from.map.lanes(), WeightedSum { from, weights: &padded, to });
}

struct WeightedSum<'a> {
    from: &'a Operand<'a>,
    weights: &'a [f32],
    to: &'a mut [f32],
}

impl Kernel for WeightedSum<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let map = &self.from.map;
        for (row, sums) in self.to.chunks_exact_mut(map.columns()).enumerate() {
            let start = map.origin() + row * map.row();
            let last = start + (map.blocks() - 1) * map.plane() + map.columns() * S::LANES;
            let line = self.from.values[start..last].as_ptr();
            for (column, to) in sums.iter_mut().enumerate() {
                // SAFETY: the row of every block was cut out with a check, and there is a weight for
                // every lane.
                unsafe {
                    let mut sum = S::splat(0.0);
                    for block in 0..map.blocks() {
                        let x = S::load(line.add(block * map.plane() + column * S::LANES));
                        sum =
                            x.times_plus(S::load(self.weights.as_ptr().add(block * S::LANES)), sum);
                    }
                    *to = sum.sum();
                }
            }
        }
    }
}

/// Every pixel of a channel becomes that channel's value, and an epilogue is applied; clears the
/// halo.
///
/// # Panics
/// A length differs from that of its map, there are fewer values than channels, an operand of the
/// epilogue is of another size, or the lanes are neither 1 nor those of the instructions.
pub fn spread(isa: Isa, crew: &Crew, from: &[f32], to: (&mut [f32], &Map), epilogue: Epilogue<'_>) {
    let (output, map) = to;
    assert!(from.len() >= map.channels(), "one value per channel");
    assert_eq!(output.len(), map.elements(), "length");
    let epilogue = &epilogue.of(map);
    crew.run_on_parts(map.elements(), output, map.plane(), &|block, plane| {
        run_on(isa, map.lanes(), Spread { block, from, plane, map, epilogue });
    });
    map.clear_halo(output);
}

/// One block of channels.
struct Spread<'a> {
    block: usize,
    from: &'a [f32],
    plane: &'a mut [f32],
    map: &'a Map,
    epilogue: &'a MapEpilogue<'a>,
}

impl Kernel for Spread<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { block, from, plane, map, epilogue } = self;
        let mut lanes = [0.0; 16];
        let first = block * map.lanes();
        let count = map.lanes().min(map.channels() - first);
        lanes[..count].copy_from_slice(&from[first..first + count]);
        // SAFETY: the array holds the widest register; each row is cut out with a check, the block
        // is this thread's, and the map has these pixels.
        unsafe {
            let value = S::load(lanes.as_ptr());
            for row in 0..map.rows() {
                let epilogue = epilogue.tile(block, [row, 0], 1);
                let line = &mut plane[map.origin() + row * map.row()..];
                let line = line[..map.columns() * S::LANES].as_mut_ptr();
                for column in 0..map.columns() {
                    epilogue.apply(value, column, 0).store(line.add(column * S::LANES));
                }
            }
        }
    }
}

/// `(x + shift) * factor` with numbers for each channel, between planar maps; clears the halo.
///
/// # Panics
/// A length differs from that of its map, or the maps are not planar or of different sizes.
pub fn scale(from: &Operand<'_>, shift: &[f32], factor: &[f32], to: (&mut [f32], &Map)) {
    let (output, map) = to;
    assert!(map.lanes() == 1 && from.map.matches(map), "another size");
    assert_eq!((from.values.len(), output.len()), (from.map.elements(), map.elements()), "length");
    assert_eq!([shift.len(), factor.len()], [map.channels(); 2], "numbers for each channel");
    let place = |map: &Map, row: usize| map.origin() + row * map.row();
    let channels = from.values.chunks_exact(from.map.plane());
    for (channel, (x, y)) in channels.zip(output.chunks_exact_mut(map.plane())).enumerate() {
        let (shift, factor) = (shift[channel], factor[channel]);
        for row in 0..map.rows() {
            let x = &x[place(&from.map, row)..][..map.columns()];
            let y = &mut y[place(map, row)..][..map.columns()];
            y.iter_mut().zip(x).for_each(|(y, x)| *y = (x + shift) * factor);
        }
    }
    map.clear_halo(output);
}

/// `f` of every pixel and lane of two maps of one geometry; the halo is cleared.
///
/// # Panics
/// A length differs from that of the map.
pub fn zip(a: &[f32], b: &[f32], to: (&mut [f32], &Map), f: impl Fn(f32, f32) -> f32) {
    let (output, map) = to;
    assert_eq!([a.len(), b.len()], [output.len(); 2], "length");
    output.iter_mut().zip(a.iter().zip(b)).for_each(|(o, (&a, &b))| *o = f(a, b));
    map.clear_halo(output);
}
