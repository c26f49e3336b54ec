//! Rules of the pooling operations.
//!
//! Both window rules work on small maps, one per cell of the window, and put them together at the
//! end: cell (i, j) of all windows together is a map as large as the pooled one.

use super::{At, Tape};
use crate::graph::{GraphError, Op, PoolAttrs, Range, ValueId};

/// Most cells of a window: every cell takes some nodes of its own.
const MAX_CELLS: usize = 1024;

/// g goes to the first cell, row by row, that equals the maximum of its window.
///
/// With `s = sign(y - x_cell)`, 0 for a winner and 1 for a loser, and `free` the windows that no
/// earlier cell has won, a cell takes `free (1 - s)` and leaves `free s`.
pub(super) fn max(
    tape: &mut Tape<'_>,
    at: &At<'_>,
    attrs: &PoolAttrs,
    g: ValueId,
) -> Result<ValueId, GraphError> {
    let mut winners = Winners::new(tape, at, attrs, g)?;
    scatter(tape, at, attrs, g, |tape, cell| {
        let won = winners.of(tape, cell)?;
        tape.add("routed", Op::Mul, &[g, won])
    })
}

/// The transpose of [`max`]: for every window what c, of the operand's shape, has at its first
/// largest cell.
pub(super) fn max_adjoint(
    tape: &mut Tape<'_>,
    at: &At<'_>,
    attrs: &PoolAttrs,
    c: ValueId,
) -> Result<ValueId, GraphError> {
    let mut winners = Winners::new(tape, at, attrs, at.result)?;
    let [top, left, bottom, right] = attrs.pads;
    let padded = if attrs.pads == [0; 4] {
        c
    } else {
        let pads = [[0, 0], [top, bottom], [left, right]];
        tape.add("framed", Op::Pad { pads, value: 0.0 }, &[c])?
    };
    let mut sum: Option<ValueId> = None;
    let [rows, columns] = attrs.kernel;
    for cell in (0..rows).flat_map(|i| (0..columns).map(move |j| [i, j])) {
        let won = winners.of(tape, cell)?;
        let own = tape.add("taken", Op::Slice { ranges: winners.ranges(cell) }, &[padded])?;
        let part = tape.add("gathered", Op::Mul, &[own, won])?;
        sum = Some(match sum {
            Some(sum) => tape.add("gathered", Op::Add, &[sum, part])?,
            None => part,
        });
    }
    sum.ok_or_else(|| tape.no_rule(at.op, "its window is empty"))
}

/// Which cell of each window is the first that equals its maximum, cell by cell.
struct Winners {
    padded: ValueId,
    result: ValueId,
    stride: [usize; 2],
    /// Channels, and rows and columns of windows.
    pooled: [usize; 3],
    free: ValueId,
}

impl Winners {
    /// `like` has the shape of the pooled map.
    fn new(
        tape: &mut Tape<'_>,
        at: &At<'_>,
        attrs: &PoolAttrs,
        like: ValueId,
    ) -> Result<Self, GraphError> {
        let padded = pad_to_windows(tape, at, attrs)?;
        let [_, channels, rows, columns] = image(tape, like);
        let free = tape.constant(&[1, 1, 1, 1], 1.0)?;
        let pooled = [channels, rows, columns];
        Ok(Self { padded, result: at.result, stride: attrs.stride, pooled, free })
    }

    /// Where a cell of all windows lies in the padded map.
    fn ranges(&self, cell: [usize; 2]) -> [Range; 3] {
        let along = |axis: usize| Range {
            start: cell[axis],
            end: cell[axis] + self.stride[axis] * (self.pooled[axis + 1] - 1) + 1,
            step: self.stride[axis],
        };
        [Range::whole(self.pooled[0]), along(0), along(1)]
    }

    /// 1 for windows whose winner the next cell is, 0 elsewhere.
    fn of(&mut self, tape: &mut Tape<'_>, cell: [usize; 2]) -> Result<ValueId, GraphError> {
        let own = tape.add("cell", Op::Slice { ranges: self.ranges(cell) }, &[self.padded])?;
        let below = tape.add("below", Op::Sub, &[self.result, own])?;
        let loser = tape.add("loser", Op::Sign, &[below])?;
        let left = tape.add("free", Op::Mul, &[self.free, loser])?;
        let won = tape.add("won", Op::Sub, &[self.free, left])?;
        self.free = left;
        Ok(won)
    }
}

/// g / cells goes to every cell of the window.
pub(super) fn average(
    tape: &mut Tape<'_>,
    at: &At<'_>,
    attrs: &PoolAttrs,
    g: ValueId,
) -> Result<ValueId, GraphError> {
    let cells = attrs.kernel[0] * attrs.kernel[1];
    let share = tape.constant(&[1, 1, 1, 1], 1.0 / cells as f32)?;
    let part = tape.add("share", Op::Mul, &[g, share])?;
    scatter(tape, at, attrs, g, |_, _| Ok(part))
}

/// g / (rows columns) goes to every pixel.
pub(super) fn global_average(
    tape: &mut Tape<'_>,
    at: &At<'_>,
    g: ValueId,
) -> Result<ValueId, GraphError> {
    let [_, _, h, w] = image(tape, at.operand);
    let share = tape.constant(&[1, 1, h, w], 1.0 / (h * w) as f32)?;
    tape.add("spread", Op::Mul, &[g, share])
}

fn image(tape: &Tape<'_>, id: ValueId) -> [usize; 4] {
    let shape = tape.shape(id);
    [shape[0], shape[1], shape[2], shape[3]]
}

/// The pooled operand with its padding as cells that never win.
fn pad_to_windows(
    tape: &mut Tape<'_>,
    at: &At<'_>,
    attrs: &PoolAttrs,
) -> Result<ValueId, GraphError> {
    let [top, left, bottom, right] = attrs.pads;
    if attrs.pads == [0; 4] {
        return Ok(at.operand);
    }
    let pads = [[0, 0], [top, bottom], [left, right]];
    tape.add("padded", Op::Pad { pads, value: f32::NEG_INFINITY }, &[at.operand])
}

/// Adds up window cells at the pixels they stand for.
///
/// Cell (i, j) of window (r, c) is padded pixel (stride r + i, stride c + j). With i = stride m + a
/// that pixel is entry r + m of phase a, so cells of one phase are added as small maps shifted by
/// m, and the phases are interleaved at the end.
fn scatter(
    tape: &mut Tape<'_>,
    at: &At<'_>,
    attrs: &PoolAttrs,
    g: ValueId,
    mut cell: impl FnMut(&mut Tape<'_>, [usize; 2]) -> Result<ValueId, GraphError>,
) -> Result<ValueId, GraphError> {
    let PoolAttrs { kernel, stride, pads } = *attrs;
    let [_, channels, pooled_rows, pooled_columns] = image(tape, g);
    let pooled = [pooled_rows, pooled_columns];
    // Along an axis with one window it makes no step.
    let stride = match pooled {
        [1, 1] => [1; 2],
        [1, _] => [stride[1]; 2],
        [_, 1] => [stride[0]; 2],
        _ => stride,
    };
    if kernel[0].saturating_mul(kernel[1]) > MAX_CELLS {
        return Err(tape.no_rule(at.op, "its window has more than 1024 cells"));
    }
    if stride[0] != stride[1] {
        return Err(tape.no_rule(at.op, "its strides along rows and columns differ"));
    }
    let [_, _, rows, columns] = image(tape, at.operand);
    let size = [rows, columns];
    let blocks = [0, 1].map(|axis| {
        let covered = (size[axis] + pads[axis]).div_ceil(stride[axis]);
        covered.max(pooled[axis] + (kernel[axis] - 1) / stride[axis])
    });

    let side = stride[0];
    let mut phases: Vec<Option<ValueId>> = vec![None; side * side];
    for (i, j) in (0..kernel[0]).flat_map(|i| (0..kernel[1]).map(move |j| (i, j))) {
        let part = cell(tape, [i, j])?;
        let shift = [i / side, j / side];
        let around = [0, 1].map(|axis| [shift[axis], blocks[axis] - pooled[axis] - shift[axis]]);
        let placed = if around == [[0; 2]; 2] {
            part
        } else {
            let pads = [[0, 0], around[0], around[1]];
            tape.add("placed", Op::Pad { pads, value: 0.0 }, &[part])?
        };
        let phase = &mut phases[(i % side) * side + j % side];
        *phase = Some(match *phase {
            Some(sum) => tape.add("phase", Op::Add, &[sum, placed])?,
            None => placed,
        });
    }
    let filled = fill_phases(tape, phases)?;
    let whole_map = if side == 1 {
        filled[0]
    } else {
        let stacked = tape.add("phases", Op::Concat, &filled)?;
        tape.add("interleaved", Op::DepthToSpace { block: side }, &[stacked])?
    };
    if tape.shape(whole_map) == tape.shape(at.operand) {
        return Ok(whole_map);
    }
    let along = |axis: usize| Range { start: pads[axis], end: pads[axis] + size[axis], step: 1 };
    let ranges = [Range::whole(channels), along(0), along(1)];
    tape.add("cropped", Op::Slice { ranges }, &[whole_map])
}

/// Zeros for the phases that no cell falls on: pixels between windows.
fn fill_phases(
    tape: &mut Tape<'_>,
    phases: Vec<Option<ValueId>>,
) -> Result<Vec<ValueId>, GraphError> {
    let Some(any) = phases.iter().copied().flatten().next() else { return Ok(Vec::new()) };
    let mut zeros = None;
    let mut filled = Vec::with_capacity(phases.len());
    for phase in phases {
        filled.push(match (phase, zeros) {
            (Some(phase), _) => phase,
            (None, Some(zeros)) => zeros,
            (None, None) => {
                let nothing = tape.constant(&[1, 1, 1, 1], 0.0)?;
                *zeros.insert(tape.add("zeros", Op::Mul, &[any, nothing])?)
            }
        });
    }
    Ok(filled)
}
