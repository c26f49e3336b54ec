//! How a feature map lies in memory.

/// The geometry of one value `[channel, row, column]`.
///
/// Channels are kept in blocks of [`lanes`](Self::lanes), so that a vector register holds the same
/// pixel of that many channels: `[block, row, column, lane]`. With one lane this is the usual
/// planar order. Around every plane lie [`halo`](Self::halo) cells of zeros, so that convolutions
/// need no special case at the border. Lanes beyond the last channel hold zeros or other finite
/// numbers that no result depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Map {
    /// Channels.
    pub channels: usize,
    /// Rows, without the halo.
    pub rows: usize,
    /// Columns, without the halo.
    pub columns: usize,
    /// Channels per block: 1, or [`Isa::lanes`](crate::Isa::lanes).
    pub lanes: usize,
    /// Cells of zeros on all four sides.
    pub halo: usize,
}

impl Map {
    /// A planar map without halo: row-major `[channel, row, column]`.
    pub fn planar([channels, rows, columns]: [usize; 3]) -> Self {
        Self { channels, rows, columns, lanes: 1, halo: 0 }
    }

    /// The same map with another number of lanes and another halo.
    pub fn laid_out(self, lanes: usize, halo: usize) -> Self {
        Self { lanes, halo, ..self }
    }

    /// Blocks of channels.
    pub fn blocks(&self) -> usize {
        self.channels.div_ceil(self.lanes)
    }

    /// Elements from one row to the next.
    pub fn row(&self) -> usize {
        (self.columns + 2 * self.halo) * self.lanes
    }

    /// Elements from one block to the next.
    pub fn plane(&self) -> usize {
        (self.rows + 2 * self.halo) * self.row()
    }

    /// Elements of the whole map.
    pub fn elements(&self) -> usize {
        self.blocks() * self.plane()
    }

    /// Place of the first pixel in a block.
    pub fn origin(&self) -> usize {
        self.halo * (self.row() + self.lanes)
    }

    /// Whether two maps have the same channels, rows, columns and lanes.
    pub fn matches(&self, other: &Self) -> bool {
        *self == other.laid_out(other.lanes, self.halo)
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
        assert!(to.matches(&self.laid_out(to.lanes, 0)), "another size");
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
}
