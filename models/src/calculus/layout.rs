//! Rules of the operations that move elements.

use super::{At, Tape};
use crate::graph::{ConvAttrs, GraphError, Op, Range, ValueId};

/// g in the shape of the operand.
pub(super) fn reshape(tape: &mut Tape<'_>, at: &At<'_>, g: ValueId) -> Result<ValueId, GraphError> {
    let shape = tape.shape(at.operand)[1..].to_vec();
    tape.add("reshape", Op::Reshape { shape }, &[g])
}

/// g with its axes in the old order.
pub(super) fn transpose(
    tape: &mut Tape<'_>,
    order: &[usize],
    g: ValueId,
) -> Result<ValueId, GraphError> {
    let mut back = vec![0; order.len()];
    order.iter().enumerate().for_each(|(to, &from)| back[from - 1] = to + 1);
    tape.add("transpose", Op::Transpose { order: back }, &[g])
}

/// The phases of g, in the order in which they were interleaved.
pub(super) fn depth_to_space(
    tape: &mut Tape<'_>,
    block: usize,
    g: ValueId,
) -> Result<ValueId, GraphError> {
    let &[_, channels, rows, columns] = tape.shape(g) else {
        unreachable!("the graph has checked the rank")
    };
    let every = |start: usize, end: usize| Range { start, end, step: block };
    let mut phases = Vec::with_capacity(block * block);
    for (i, j) in (0..block).flat_map(|i| (0..block).map(move |j| (i, j))) {
        let ranges = [Range::whole(channels), every(i, rows), every(j, columns)];
        phases.push(tape.add("phase", Op::Slice { ranges }, &[g])?);
    }
    tape.add("phases", Op::Concat, &phases)
}

/// The channels of g that came from the operand.
pub(super) fn concat(tape: &mut Tape<'_>, at: &At<'_>, g: ValueId) -> Result<ValueId, GraphError> {
    let own = tape.shape(at.operand).to_vec();
    let start = at.operands[..at.position].iter().map(|&o| tape.shape(o)[1]).sum();
    let channels = Range { start, end: start + own[1], step: 1 };
    let total = tape.shape(g)[1];
    let rest: usize = own[2..].iter().product();
    let image = tape.add("reshape", Op::Reshape { shape: vec![total, rest, 1] }, &[g])?;
    let ranges = [channels, Range::whole(rest), Range::whole(1)];
    let part = tape.add("part", Op::Slice { ranges }, &[image])?;
    tape.add("reshape", Op::Reshape { shape: own[1..].to_vec() }, &[part])
}

/// g without the padding.
pub(super) fn pad(
    tape: &mut Tape<'_>,
    at: &At<'_>,
    pads: &[[usize; 2]; 3],
    g: ValueId,
) -> Result<ValueId, GraphError> {
    let sizes = tape.shape(at.operand)[1..].to_vec();
    let ranges = [0, 1, 2].map(|axis| {
        let start = pads[axis][0];
        Range { start, end: start + sizes[axis], step: 1 }
    });
    tape.add("cropped", Op::Slice { ranges }, &[g])
}

/// g at the cells that were taken, zeros elsewhere.
pub(super) fn slice(
    tape: &mut Tape<'_>,
    at: &At<'_>,
    ranges: &[Range; 3],
    g: ValueId,
) -> Result<ValueId, GraphError> {
    let [channels, rows, columns] = ranges;
    if channels.step != 1 {
        let all = tape.shape(at.operand)[1];
        let g = apart(tape, channels, all, g)?;
        return slice(tape, at, &[Range::whole(all), *rows, *columns], g);
    }
    let sparse = match [rows.step, columns.step] {
        [1, 1] => g,
        [a, b] if a == b => spread(tape, a, g)?,
        steps => spread_unevenly(tape, steps, g)?,
    };
    let sizes = tape.shape(at.operand)[1..].to_vec();
    let spans: Vec<usize> = ranges.iter().zip(&sizes).map(|(r, size)| size - r.start).collect();
    let sizes_now = tape.shape(sparse)[1..].to_vec();
    let kept = [0, 1, 2].map(|axis| Range::whole(sizes_now[axis].min(spans[axis])));
    let cropped = tape.add("cropped", Op::Slice { ranges: kept }, &[sparse])?;
    let pads = [0, 1, 2].map(|axis| [ranges[axis].start, spans[axis] - kept[axis].end]);
    tape.add("padded", Op::Pad { pads, value: 0.0 }, &[cropped])
}

/// Channels of g where they were taken from among `all`, zeros elsewhere: as rows of a map of one channel.
fn apart(
    tape: &mut Tape<'_>,
    channels: &Range,
    all: usize,
    g: ValueId,
) -> Result<ValueId, GraphError> {
    let &[_, taken, height, width] = tape.shape(g) else {
        unreachable!("the graph has checked the rank")
    };
    let shape = vec![1, taken, height * width];
    let rows = tape.add("rows", Op::Reshape { shape }, &[g])?;
    let sparse = spread_unevenly(tape, [channels.step, 1], rows)?;
    let span = all - channels.start;
    let kept = tape.shape(sparse)[2].min(span);
    let ranges = [Range::whole(1), Range::whole(kept), Range::whole(height * width)];
    let cropped = tape.add("cropped", Op::Slice { ranges }, &[sparse])?;
    let pads = [[0, 0], [channels.start, span - kept], [0, 0]];
    let padded = tape.add("padded", Op::Pad { pads, value: 0.0 }, &[cropped])?;
    let shape = vec![all, height, width];
    tape.add("channels", Op::Reshape { shape }, &[padded])
}

/// g spread over the summed axes.
pub(super) fn reduce_sum(
    tape: &mut Tape<'_>,
    at: &At<'_>,
    g: ValueId,
) -> Result<ValueId, GraphError> {
    // Ones along the summed axes alone.
    let sizes = tape.shape(at.operand).iter().zip(tape.shape(g));
    let shape: Vec<usize> = sizes.map(|(&own, &sum)| if sum == own { 1 } else { own }).collect();
    let ones = tape.constant(&shape, 1.0)?;
    tape.add("spread", Op::Mul, &[g, ones])
}

/// Entry (i, j) of g moves to (a i, b j), with zeros between.
fn spread_unevenly(
    tape: &mut Tape<'_>,
    stride: [usize; 2],
    g: ValueId,
) -> Result<ValueId, GraphError> {
    let channels = tape.shape(g)[1];
    let ones = tape.constant(&[channels, 1, 1, 1], 1.0)?;
    let conv = ConvAttrs { stride, pads: [0; 4], dilation: [1, 1], groups: channels };
    let op = Op::ConvTranspose { conv, output_padding: [0, 0] };
    tape.add("sparse", op, &[g, ones])
}

/// Zeros between the rows and columns of g: entry (i, j) moves to (step i, step j).
fn spread(tape: &mut Tape<'_>, step: usize, g: ValueId) -> Result<ValueId, GraphError> {
    let nothing = tape.constant(&[1, 1, 1, 1], 0.0)?;
    let zeros = tape.add("zeros", Op::Mul, &[g, nothing])?;
    let mut phases = vec![zeros; step * step];
    phases[0] = g;
    let stacked = tape.add("phases", Op::Concat, &phases)?;
    tape.add("sparse", Op::DepthToSpace { block: step }, &[stacked])
}
