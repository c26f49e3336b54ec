//! What the windows of a map's maxima hold in another map: the way back of a way back.

use crate::crew::Crew;
use crate::dispatch::{Kernel, run_on};
use crate::epilogue::{Epilogue, MapEpilogue, Operand};
use crate::isa::Isa;
use crate::map::Map;
use crate::pool::{Pool, Pooling, words};
use crate::simd::Simd;

impl Pool {
    /// Takes from `from`, a map like the input, the cell of every window that `winners` of
    /// [`run`](Self::run) name: the transpose of [`run_back`](Self::run_back). Clears the halo.
    ///
    /// # Panics
    /// As [`run`](Self::run), or the pool is not a maximum.
    pub fn gather(
        &self,
        isa: Isa,
        crew: &Crew,
        from: Operand<'_>,
        winners: &[f32],
        to: (&mut [f32], &Map),
        epilogue: Epilogue<'_>,
    ) {
        assert_eq!(self.pooling, Pooling::Max, "only maxima have winners");
        assert!(from.map.matches(&self.input) && to.1.matches(&self.output), "another size");
        assert_eq!(from.map.lanes(), to.1.lanes(), "lanes that differ");
        assert_eq!(from.values.len(), from.map.elements(), "operand");
        let (output, map) = to;
        assert_eq!(output.len(), map.elements(), "output");
        let bits = Self::winners_map(&self.output, self.kernel);
        assert_eq!(winners.len(), bits.elements(), "winners");
        let epilogue = &epilogue.of(map);
        crew.run_on_parts(self.input.elements(), output, map.plane(), &|block, output| {
            let kernel = Gather { pool: self, block, from, winners, output, map, epilogue };
            run_on(isa, map.lanes(), kernel);
        });
        map.clear_halo(output);
    }
}

struct Gather<'a> {
    pool: &'a Pool,
    block: usize,
    from: Operand<'a>,
    winners: &'a [f32],
    /// The plane of the block.
    output: &'a mut [f32],
    map: &'a Map,
    epilogue: &'a MapEpilogue<'a>,
}

impl Kernel for Gather<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { pool, block, from, winners, output, map, epilogue } = self;
        let words = words(pool.kernel);
        let plane = &from.values[block * from.map.plane()..][..from.map.plane()];
        let cells = plane[from.map.origin()..].as_ptr();
        for row in 0..map.rows() {
            let epilogue = epilogue.tile(block, [row, 0], 1);
            let line = &mut output[map.origin() + row * map.row()..];
            let line = line[..map.columns() * S::LANES].as_mut_ptr();
            let per_row = map.columns() * words;
            let start = (block * map.rows() + row) * per_row;
            let winners = winners[start..][..per_row].as_ptr().cast::<u32>();
            let [top, bottom] = pool.cells(0, row);
            for column in 0..map.columns() {
                let [left, right] = pool.cells(1, column);
                // SAFETY: cells lie in the map, of which this is a block, and are no more than the
                // window has; all rows were cut out with a check, and the block is this thread's.
                unsafe {
                    let mut value = S::splat(0.0);
                    for y in top..bottom {
                        for x in left..right {
                            let number = (y - top) * (right - left) + x - left;
                            let word = winners.add(column * words + number / 2).read();
                            let cell = S::load(cells.add(y * from.map.row() + x * S::LANES));
                            value = value.add(cell.only(word >> (16 * (number % 2))));
                        }
                    }
                    epilogue.apply(value, column, 0).store(line.add(column * S::LANES));
                }
            }
        }
    }
}
