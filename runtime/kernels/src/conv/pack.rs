//! Weights in the order in which tiles read them.

use super::tile::{MAX_BLOCKS, most_pixels};
use crate::buffer::Buffer;
use crate::dispatch::assert_lanes;
use crate::isa::Isa;
use crate::map::Map;

/// Some blocks of output channels that are computed together.
pub(crate) struct Group {
    /// The first block.
    pub(crate) first: usize,
    /// Number of blocks.
    pub(crate) blocks: usize,
    start: usize,
}

/// Weights by group: `[input block, tap, channel, output block, lane]`.
pub(crate) struct Packed {
    data: Buffer,
    lanes: usize,
    pub(crate) groups: Vec<Group>,
}

impl Packed {
    /// Packs the weights `of(output channel, input channel, tap)` for rows of `columns` pixels.
    ///
    /// # Panics
    /// The output has other lanes than the instructions, or the input others than these and 1.
    pub(crate) fn new(
        isa: Isa,
        [input, output]: [&Map; 2],
        columns: usize,
        taps: usize,
        of: impl Fn(usize, usize, usize) -> f32,
    ) -> Self {
        let lanes = isa.lanes();
        assert_eq!(output.lanes(), lanes, "results need full lanes");
        assert_lanes(isa, input.lanes());
        let width = best_width(isa, output.blocks(), columns);
        let mut groups = Vec::new();
        let (mut first, mut length) = (0, 0);
        while first < output.blocks() {
            let blocks = width.min(output.blocks() - first);
            groups.push(Group { first, blocks, start: length });
            first += blocks;
            length += input.channels() * taps * blocks * lanes;
        }
        let mut data = Buffer::zeros(length);
        for group in &groups {
            let outputs =
                group.first * lanes..output.channels().min((group.first + group.blocks) * lanes);
            let wide = group.blocks * lanes;
            let mut rest = &mut data[group.start..];
            for block in 0..input.blocks() {
                let inputs =
                    block * input.lanes()..input.channels().min((block + 1) * input.lanes());
                for tap in 0..taps {
                    let (now, later) = rest.split_at_mut(inputs.len() * wide);
                    rest = later;
                    for (lane, o) in outputs.clone().enumerate() {
                        let cells = now[lane..].iter_mut().step_by(wide);
                        cells.zip(inputs.clone()).for_each(|(cell, i)| *cell = of(o, i, tap));
                    }
                }
            }
        }
        Self { data, lanes, groups }
    }

    /// Packed weights of a 1 x 1 convolution that are all zero, to be [set](Self::row_mut).
    ///
    /// # Panics
    /// As [`new`](Self::new).
    pub(super) fn zeros(isa: Isa, maps: [&Map; 2], columns: usize) -> Self {
        Self::new(isa, maps, columns, 1, |_, _, _| 0.0)
    }

    /// The weights of a 1 x 1 convolution from an input channel to a block of outputs.
    pub(super) fn row_mut(&mut self, block: usize, i: usize) -> &mut [f32] {
        // All groups but the last have as many blocks.
        let group = &self.groups[block / self.groups[0].blocks];
        let start = group.start + (i * group.blocks + block - group.first) * self.lanes;
        &mut self.data[start..start + self.lanes]
    }

    pub(crate) fn of(&self, group: &Group) -> &[f32] {
        &self.data[group.start..]
    }

    /// The weight of `[output channel, input channel, tap]`, packed for an input like this.
    pub(super) fn at(&self, input: &Map, taps: usize, [o, i, tap]: [usize; 3]) -> f32 {
        let (block, lane) = (o / self.lanes, o % self.lanes);
        // All groups but the last have as many blocks.
        let group = &self.groups[block / self.groups[0].blocks];
        let first = i / input.lanes() * input.lanes();
        let inputs = input.lanes().min(input.channels() - first);
        let row = first * taps + tap * inputs + i - first;
        self.data[group.start + (row * group.blocks + block - group.first) * self.lanes + lane]
    }

    pub(super) fn bytes(&self) -> usize {
        4 * self.data.len()
    }
}

impl Group {
    /// Cuts a row into tiles of about one size.
    pub(crate) fn split(&self, isa: Isa, columns: usize) -> impl Iterator<Item = usize> + use<> {
        let count = columns.div_ceil(most_pixels(isa, self.blocks)).max(1);
        (0..count).map(move |i| (i + 1) * columns / count - i * columns / count).filter(|&n| n > 0)
    }
}

/// How many blocks to compute together: the fewest cycles for a row, by a count of the
/// multiplications, of the loads of weights, and of the start of every tile.
fn best_width(isa: Isa, blocks: usize, columns: usize) -> usize {
    let group_cost = |width: usize| {
        let group = Group { first: 0, blocks: width, start: 0 };
        let tile = |pixels: usize| ((pixels * width) as f64).max(8.0) + 0.5 * width as f64 + 1.0;
        group.split(isa, columns).map(tile).sum::<f64>()
    };
    let cost = |width: usize| {
        let tail = blocks % width;
        let rest = if tail > 0 { group_cost(tail) } else { 0.0 };
        (blocks / width) as f64 * group_cost(width) + rest
    };
    (1..=MAX_BLOCKS.min(blocks)).min_by(|&a, &b| cost(a).total_cmp(&cost(b))).unwrap_or(1)
}
