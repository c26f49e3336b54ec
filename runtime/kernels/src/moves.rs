//! Parts of maps that are moved: slices, steps, borders of zeros, pixels set apart.

use crate::crew::Crew;
use crate::epilogue::Operand;
use crate::map::Map;

/// Which element of a map every element of another one is: along each axis an index, or none for
/// zeros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moves {
    /// By channel, row and column of the result.
    axes: [Vec<Option<usize>>; 3],
    /// Axes that are one run of indices.
    runs: [Option<Run>; 3],
    /// The least size of an operand along each axis.
    reach: [usize; 3],
}

impl Moves {
    /// By channel, row and column of the result.
    pub fn new(axes: [Vec<Option<usize>>; 3]) -> Self {
        let runs = axes.each_ref().map(|indices| Run::of(indices));
        let end =
            |indices: &Vec<Option<usize>>| indices.iter().flatten().max().map_or(0, |&at| at + 1);
        let reach = axes.each_ref().map(end);
        Self { axes, runs, reach }
    }

    /// By channel, row and column of the result.
    pub fn axes(&self) -> &[Vec<Option<usize>>; 3] {
        &self.axes
    }

    /// Where all of an operand of this size is put among the channels, between zeros: the first one and
    /// their number. None where it is not moved so.
    pub fn among_channels(&self, [channels, rows, columns]: [usize; 3]) -> Option<(usize, usize)> {
        let whole = |axis: usize, size: usize| {
            let all = Run { from: 0, to: 0, length: size };
            self.runs[axis] == Some(all) && self.axes[axis].len() == size
        };
        let Run { from, to, length } = self.runs[0]?;
        let fits = from == 0 && length == channels && whole(1, rows) && whole(2, columns);
        fits.then_some((to, length))
    }

    /// One move after another.
    ///
    /// # Panics
    /// An index of `self` is beyond the result of `before`.
    pub fn after(&self, before: &Self) -> Self {
        let joined = |axis: usize| {
            let indices = self.axes[axis].iter();
            indices.map(|at| at.and_then(|at| before.axes[axis][at])).collect()
        };
        Self::new(std::array::from_fn(joined))
    }

    /// Computes the result; its halo is cleared.
    ///
    /// # Panics
    /// A length differs from that of its map, the result is of another size or has other lanes, or
    /// an index is beyond the operand.
    pub fn run(&self, crew: &Crew, from: &Operand<'_>, to: (&mut [f32], &Map)) {
        let (output, map) = to;
        assert_eq!(from.values.len(), from.map.elements(), "length");
        assert_eq!(output.len(), map.elements(), "length");
        assert_eq!(from.map.lanes(), map.lanes(), "lanes that differ");
        let sizes = [&from.map, map].map(|m| [m.channels(), m.rows(), m.columns()]);
        assert_eq!(self.axes.each_ref().map(Vec::len), sizes[1], "another size");
        let within = self.reach.iter().zip(sizes[0]).all(|(&reach, size)| reach <= size);
        assert!(within, "beyond the operand");
        output.fill(0.0);
        crew.run_on_parts(map.elements(), output, map.plane(), &|block, plane| {
            self.block(block, from, plane, map);
        });
    }

    /// One block whose lanes and columns keep their order: rows are copied whole.
    fn rows(&self, values: &[f32], from: &Map, run: Run, plane: &mut [f32], map: &Map) {
        let length = run.length * map.lanes();
        let source = |y: usize| from.origin() + y * from.row() + run.from * map.lanes();
        let target = |row: usize| map.origin() + row * map.row() + run.to * map.lanes();
        let [_, rows, _] = &self.axes;
        if let (Some(lines), true) = (self.runs[1], from.row() == length && map.row() == length) {
            let length = lines.length * length;
            let target = &mut plane[target(lines.to)..][..length];
            return target.copy_from_slice(&values[source(lines.from)..][..length]);
        }
        for (row, y) in rows.iter().enumerate() {
            if let Some(y) = y {
                let target = &mut plane[target(row)..][..length];
                target.copy_from_slice(&values[source(*y)..][..length]);
            }
        }
    }

    fn block(&self, block: usize, from: &Operand<'_>, plane: &mut [f32], map: &Map) {
        let [channels, rows, columns] = &self.axes;
        let lanes = map.lanes();
        let first = block * lanes;
        let place = |at: usize| at / lanes * from.map.plane() + at % lanes;
        // Every lane that is not zero, and where its channel lies in the operand.
        let lanes: Vec<(usize, usize)> = (first..channels.len().min(first + lanes))
            .filter_map(|channel| Some((channel - first, place(channels[channel]?))))
            .collect();
        let whole = lanes.iter().all(|&(lane, place)| place == lanes[0].1 + lane);
        let whole = (whole && lanes.len() == map.lanes()).then(|| lanes[0].1);
        if let (Some(start), Some(run)) = (whole, self.runs[2]) {
            return self.rows(&from.values[start..], &from.map, run, plane, map);
        }
        for (row, y) in rows.iter().enumerate() {
            let Some(y) = y else { continue };
            let source = &from.values[from.map.origin() + y * from.map.row()..];
            let target = map.origin() + row * map.row();
            for (column, x) in columns.iter().enumerate() {
                let Some(x) = x else { continue };
                let (source, target) = (&source[x * map.lanes()..], target + column * map.lanes());
                if let Some(start) = whole {
                    let target = &mut plane[target..target + map.lanes()];
                    target.copy_from_slice(&source[start..start + map.lanes()]);
                } else {
                    for &(lane, place) in &lanes {
                        plane[target + lane] = source[place];
                    }
                }
            }
        }
    }
}

/// Indices that follow each other, with none before and behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    /// The first index.
    from: usize,
    /// Where it stands.
    to: usize,
    length: usize,
}

impl Run {
    fn of(indices: &[Option<usize>]) -> Option<Self> {
        let to = indices.iter().position(Option::is_some)?;
        let from = indices[to]?;
        let follows = |(at, index): (usize, &Option<usize>)| *index == Some(from + at);
        let length = indices[to..]
            .iter()
            .enumerate()
            .take_while(|&(at, index)| follows((at, index)))
            .count();
        indices[to + length..].iter().all(Option::is_none).then_some(Self { from, to, length })
    }
}
