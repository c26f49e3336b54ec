//! How a feature map lies in memory.

/// The geometry of one value `[channel, row, column]`.
///
/// Channels are kept in blocks of [`lanes`](Self::lanes), so that a vector register holds the same
/// pixel of that many channels: `[block, row, column, lane]`. With one lane this is the usual
/// planar order. Around every plane lie [`halo`](Self::halo) cells of zeros, so that convolutions
/// need no special case at the border. Lanes beyond the last channel hold zeros or other finite
/// numbers that no result depends on.
///
/// A map is a proof that its elements fit into memory, and every size is at least 1. So sizes cannot
/// be set one by one:
///
/// ```compile_fail
/// let mut map = saligate_kernels::Map::planar([1, 2, 3]);
/// map.rows = 1 << 40;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Map {
    channels: usize,
    rows: usize,
    columns: usize,
    lanes: usize,
    halo: usize,
}

impl Map {
    /// A planar map without halo: row-major `[channel, row, column]`.
    ///
    /// # Panics
    /// A size is 0, or no memory can hold so many elements.
    pub fn planar([channels, rows, columns]: [usize; 3]) -> Self {
        Self { channels, rows, columns, lanes: 1, halo: 0 }.checked()
    }

    /// The same map with another number of lanes, 1 or [`Isa::lanes`](crate::Isa::lanes), and
    /// another halo.
    ///
    /// # Panics
    /// The lanes are 0, or no memory can hold so many elements.
    pub fn laid_out(self, lanes: usize, halo: usize) -> Self {
        Self { lanes, halo, ..self }.checked()
    }

    /// The same with other channels.
    pub(crate) fn with_channels(self, channels: usize) -> Self {
        Self { channels, ..self }.checked()
    }

    /// The same with other columns.
    pub(crate) fn with_columns(self, columns: usize) -> Self {
        Self { columns, ..self }.checked()
    }

    /// One row of pixels without halo, of the same channels and lanes.
    pub(crate) fn line(self, columns: usize) -> Self {
        Self { rows: 1, columns, halo: 0, ..self }.checked()
    }

    /// The map of the words that hold one bit for every element of this one: `[block, row, column]`,
    /// the lanes of a block in one word, whose bits are stored as those of a float. A sixteenth or
    /// an eighth of the map's size.
    pub fn mask(&self) -> Self {
        Self { channels: self.blocks(), lanes: 1, halo: 0, ..*self }
    }

    /// Every place in the map, and its size in bytes, can be computed without overflow.
    fn checked(self) -> Self {
        let Self { channels, rows, columns, lanes, halo } = self;
        assert!(channels > 0 && rows > 0 && columns > 0 && lanes > 0, "an empty map: {self:?}");
        let elements = || {
            let border = halo.checked_mul(2)?;
            let row = columns.checked_add(border)?.checked_mul(lanes)?;
            let plane = rows.checked_add(border)?.checked_mul(row)?;
            channels.div_ceil(lanes).checked_mul(plane)
        };
        let fits = elements().is_some_and(|elements| elements <= isize::MAX as usize / 4);
        assert!(fits, "no memory can hold a map like {self:?}");
        self
    }

    /// Channels.
    #[inline(always)]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Rows, without the halo.
    #[inline(always)]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns, without the halo.
    #[inline(always)]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Channels per block: 1, or [`Isa::lanes`](crate::Isa::lanes).
    #[inline(always)]
    pub fn lanes(&self) -> usize {
        self.lanes
    }

    /// Cells of zeros on all four sides.
    #[inline(always)]
    pub fn halo(&self) -> usize {
        self.halo
    }

    /// Blocks of channels.
    #[inline(always)]
    pub fn blocks(&self) -> usize {
        self.channels.div_ceil(self.lanes)
    }

    /// Elements from one row to the next.
    #[inline(always)]
    pub fn row(&self) -> usize {
        (self.columns + 2 * self.halo) * self.lanes
    }

    /// Elements from one block to the next.
    #[inline(always)]
    pub fn plane(&self) -> usize {
        (self.rows + 2 * self.halo) * self.row()
    }

    /// Elements of the whole map.
    #[inline(always)]
    pub fn elements(&self) -> usize {
        self.blocks() * self.plane()
    }

    /// Place of the first pixel in a block.
    #[inline(always)]
    pub fn origin(&self) -> usize {
        self.halo * (self.row() + self.lanes)
    }

    /// Whether two maps have the same channels, rows, columns and lanes.
    pub fn matches(&self, other: &Self) -> bool {
        *self == Self { halo: self.halo, ..*other }
    }

    /// Sets the halo of a map to zeros.
    ///
    /// # Panics
    /// The data has another length than the map.
    pub fn clear_halo(&self, data: &mut [f32]) {
        assert_eq!(data.len(), self.elements(), "the data is not of this map");
        if self.halo == 0 {
            return;
        }
        let (row, edge) = (self.row(), self.halo * self.lanes);
        for plane in data.chunks_exact_mut(self.plane()) {
            let (top, rest) = plane.split_at_mut(self.halo * row);
            let (middle, bottom) = rest.split_at_mut(self.rows * row);
            top.fill(0.0);
            bottom.fill(0.0);
            for line in middle.chunks_exact_mut(row) {
                line[..edge].fill(0.0);
                line[row - edge..].fill(0.0);
            }
        }
    }

    /// Copies a map into another one that differs in nothing but the halo, which is cleared.
    ///
    /// # Panics
    /// The maps differ otherwise, or data has another length than its map.
    pub fn convert_like(&self, from: &[f32], to: &Self, into: &mut [f32]) {
        assert!(to.matches(self), "another size");
        assert_eq!((from.len(), into.len()), (self.elements(), to.elements()), "another length");
        if self.halo == to.halo {
            return into.copy_from_slice(from);
        }
        let length = self.columns * self.lanes;
        for line in 0..self.blocks() * self.rows {
            let place = |map: &Self| {
                let (block, row) = (line / map.rows, line % map.rows);
                block * map.plane() + map.origin() + row * map.row()
            };
            let source = &from[place(self)..][..length];
            into[place(to)..][..length].copy_from_slice(source);
        }
        to.clear_halo(into);
    }

    /// Copies a map into another layout of the same channels, rows and columns; the halo is
    /// cleared, and lanes beyond the last channel become zeros.
    ///
    /// # Panics
    /// The sizes differ, or data has another length than its map.
    pub fn convert(&self, from: &[f32], to: &Self, into: &mut [f32]) {
        assert!(to.matches(&Self { lanes: to.lanes, ..*self }), "another size");
        assert_eq!((from.len(), into.len()), (self.elements(), to.elements()), "another length");
        if to.lanes > self.lanes && !to.channels.is_multiple_of(to.lanes) {
            let last = into.len() - to.plane();
            into[last..].fill(0.0);
        }
        // Pixel by pixel where channels come together or part, so that one side is a line of the
        // cache; else row by row.
        match (self.lanes, to.lanes) {
            (1, lanes) if lanes > 1 => self.each_pixel(to, |block, from_pixel, pixel| {
                let first = block * lanes;
                let target = &mut into[pixel..pixel + lanes.min(self.channels - first)];
                let source = from[first * self.plane() + from_pixel..].iter().step_by(self.plane());
                target.iter_mut().zip(source).for_each(|(t, s)| *t = *s);
            }),
            (lanes, 1) if lanes > 1 => self.each_pixel(to, |block, pixel, to_pixel| {
                let first = block * lanes;
                let source = &from[pixel..pixel + lanes.min(self.channels - first)];
                let target = into[first * to.plane() + to_pixel..].iter_mut().step_by(to.plane());
                target.zip(source).for_each(|(t, s)| *t = *s);
            }),
            (lanes, _) => {
                assert_eq!(lanes, to.lanes, "from some lanes to others");
                self.convert_like(from, to, into);
            }
        }
        to.clear_halo(into);
    }

    /// Visits every pixel of every block of the map with more lanes: the block, then the place of
    /// the pixel in this map and in the other one, in the block or in the planar map's first plane.
    fn each_pixel(&self, to: &Self, mut visit: impl FnMut(usize, usize, usize)) {
        let blocks = self.blocks().min(to.blocks());
        for block in 0..blocks {
            let start =
                |map: &Self| map.origin() + if map.lanes > 1 { block * map.plane() } else { 0 };
            for row in 0..self.rows {
                let place = |map: &Self| start(map) + row * map.row();
                let (source, target) = (place(self), place(to));
                for column in 0..self.columns {
                    visit(block, source + column * self.lanes, target + column * to.lanes);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversion_there_and_back_keeps_the_values() {
        let planar = Map::planar([5, 3, 4]);
        let data: Vec<f32> = (0..60).map(|v| v as f32 + 1.0).collect();
        for (lanes, halo) in [(1, 0), (1, 2), (4, 0), (4, 1), (16, 3)] {
            let other = planar.laid_out(lanes, halo);
            let mut there = vec![7.0; other.elements()];
            planar.convert(&data, &other, &mut there);
            assert_eq!(there.iter().sum::<f32>(), data.iter().sum::<f32>(), "halo and lanes are 0");
            let mut back = vec![0.0; 60];
            other.convert(&there, &planar, &mut back);
            assert_eq!(back, data);
        }
    }

    fn refused(make: impl Fn() -> Map + std::panic::UnwindSafe) -> bool {
        std::panic::catch_unwind(make).is_err()
    }

    #[test]
    fn no_map_is_larger_than_memory_or_empty() {
        for size in [[0, 1, 1], [1, 0, 1], [1, 1, 0], [1, 1 << 32, 1 << 32], [1 << 62, 1, 1]] {
            assert!(refused(move || Map::planar(size)), "{size:?}");
        }
        let map = Map::planar([8, 2, 2]);
        for (lanes, halo) in [(0, 0), (8, usize::MAX), (8, usize::MAX / 2), (1 << 61, 1)] {
            assert!(refused(move || map.laid_out(lanes, halo)), "{lanes} lanes, halo {halo}");
        }
    }
}
