//! Convolutions and their transposes, as sums over taps.
//!
//! A convolution is one [`Phase`]: every output pixel is a sum over the same taps around its place
//! in the input. The transpose of a convolution with stride s is s x s of them: output pixels of
//! one residue of their row and column have the same taps, so each residue is a convolution with
//! stride 1 whose results are stored s pixels apart. Nothing is multiplied by an inserted zero.
//!
//! Where the transpose has few channels (the gradient by an image), see [`dots`].

mod dots;
mod pack;
mod phase;
mod sparse;
mod tile;
mod winograd;

pub(crate) use pack::Packed;
pub(crate) use phase::Phase;
pub(crate) use tile::{Tile, kernel};

use crate::buffer::Buffer;
use crate::crew::Crew;
use crate::disjoint::DisjointSlice;
use crate::epilogue::{Epilogue, MapEpilogue, TileEpilogue};
use crate::isa::Isa;
use crate::map::Map;

use self::dots::Dots;
pub use self::winograd::Squares;
use self::winograd::Winograd;
pub(crate) use self::winograd::{apart, inwards};

/// The geometry of a convolution, as of its forward direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Step along rows and columns.
    pub stride: [usize; 2],
    /// Distance between taps along rows and columns.
    pub dilation: [usize; 2],
    /// Zeros above and left of the image.
    pub before: [usize; 2],
}

/// How results are computed, and where they go.
enum Way {
    /// By [`Winograd`]'s squares.
    Squares(Winograd),
    /// By taps, to their own lanes.
    Lanes,
    /// By [`Dots`] over the channels of the input, to a planar map.
    Dots(Dots),
}

/// A convolution, or the transpose of one, of one geometry with its weights.
pub struct Conv {
    isa: Isa,
    input: Map,
    output: Map,
    way: Way,
    phases: Vec<Phase>,
    bias: Buffer,
    /// As long as the bias.
    zeros: Buffer,
}

impl Conv {
    /// The ways to compute a convolution, or the transpose of one, by squares that are faster than
    /// its taps. Their weights take more memory.
    pub fn squares(isa: Isa, window: &Window, [input, output]: [&Map; 2]) -> Vec<Squares> {
        match window.is_plain_3x3() {
            true => winograd::squares(isa, [input, output]),
            false => Vec::new(),
        }
    }

    /// A convolution. `weight` is `[output channel, input channel, row, column]`; `side` is that of
    /// one of its [`squares`](Self::squares), if it is to be computed so.
    ///
    /// # Panics
    /// The lengths do not fit, the output has other lanes than the instructions or the input others
    /// than these and 1, there are no squares of this side or their input is planar, or the input's
    /// halo is smaller than [`Window::halo`] says.
    pub fn new(
        isa: Isa,
        window: &Window,
        weight: &[f32],
        bias: Option<&[f32]>,
        [input, output]: [Map; 2],
        side: Option<usize>,
    ) -> Self {
        let taps = window.kernel[0] * window.kernel[1];
        assert_eq!(weight.len(), output.channels() * input.channels() * taps, "weights");
        let mut padded = Buffer::zeros(output.blocks() * output.lanes());
        if let Some(bias) = bias {
            padded[..output.channels()].copy_from_slice(bias);
        }
        let phase = Phase::forward(window, [&input, &output]);
        phase.check_reach(&input);
        let of = |o: usize, i: usize, cell: usize| weight[(o * input.channels() + i) * taps + cell];
        if let Some(side) = side.filter(|_| window.is_plain_3x3()) {
            return Self::by_squares(isa, side, window.before, of, padded, [input, output]);
        }
        let of = |o: usize, i: usize, tap: usize| of(o, i, phase.kernel_cell(tap));
        let packed = Packed::new(isa, [&input, &output], phase.line(), phase.taps.len(), of);
        let phases = vec![phase.with_weights(packed)];
        Self::of(isa, [input, output], Way::Lanes, phases, padded)
    }

    fn by_squares(
        isa: Isa,
        side: usize,
        before: [usize; 2],
        of: impl Fn(usize, usize, usize) -> f32,
        bias: Buffer,
        [input, output]: [Map; 2],
    ) -> Self {
        assert!(matches!(side, 2 | 4), "there are no squares with a side of {side}");
        let lanes = [input.lanes(), output.lanes()];
        assert_eq!(lanes, [isa.lanes(); 2], "squares need full lanes");
        let squares = Winograd::new(isa, side, before, of, [input, output]);
        Self::of(isa, [input, output], Way::Squares(squares), vec![], bias)
    }

    fn of(isa: Isa, [input, output]: [Map; 2], way: Way, phases: Vec<Phase>, bias: Buffer) -> Self {
        let zeros = Buffer::zeros(bias.len());
        Self { isa, input, output, way, phases, bias, zeros }
    }

    /// The transpose of a convolution: from a map like its output to one like its input. `weight`
    /// is that of the convolution, `[input channel here, output channel here, row, column]`.
    ///
    /// # Panics
    /// As [`Conv::new`], with [`Window::transposed_halo`]; but the output may be planar where
    /// [`prefers_planar`](Self::prefers_planar) is true of its channels.
    pub fn transposed(
        isa: Isa,
        window: &Window,
        weight: &[f32],
        [input, output]: [Map; 2],
        side: Option<usize>,
    ) -> Self {
        let taps = window.kernel[0] * window.kernel[1];
        assert_eq!(weight.len(), output.channels() * input.channels() * taps, "weights");
        let of =
            |o: usize, i: usize, cell: usize| weight[(i * output.channels() + o) * taps + cell];
        Self::transposed_by(isa, window, of, [input, output], side)
    }

    /// [`transposed`](Self::transposed) with weights `of(output here, input here, cell)`.
    fn transposed_by(
        isa: Isa,
        window: &Window,
        of: impl Fn(usize, usize, usize) -> f32,
        [input, output]: [Map; 2],
        side: Option<usize>,
    ) -> Self {
        if output.lanes() == 1 {
            let way = Way::Dots(Dots::new(isa, window, of, [input, output]));
            return Self::of(isa, [input, output], way, vec![], Buffer::default());
        }
        let bias = Buffer::zeros(output.blocks() * output.lanes());
        if let Some(side) = side.filter(|_| window.is_plain_3x3()) {
            Phase::transposed(window, [0, 0], [&input, &output]).check_reach(&input);
            let before = window.before.map(|b| 2 - b);
            let of = |o: usize, i: usize, cell: usize| of(o, i, 8 - cell);
            return Self::by_squares(isa, side, before, of, bias, [input, output]);
        }
        let phases = Phase::residues(window, [&input, &output]).map(|phase| {
            let of = |o, i, tap| of(o, i, phase.kernel_cell(tap));
            let packed = Packed::new(isa, [&input, &output], phase.line(), phase.taps.len(), of);
            phase.with_weights(packed)
        });
        Self::of(isa, [input, output], Way::Lanes, phases.collect(), bias)
    }

    /// Whether the transpose to so few channels is best stored with one lane.
    pub fn prefers_planar(channels: usize) -> bool {
        channels <= dots::MOST_CHANNELS
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        match &self.way {
            Way::Squares(squares) => squares.bytes(),
            Way::Dots(dots) => dots.bytes(),
            Way::Lanes => self.phases.iter().map(|p| p.weights().bytes()).sum(),
        }
    }

    /// Computes `output` from `input`, and clears its halo.
    ///
    /// # Panics
    /// A length differs from that of its map, or an operand of the epilogue is of another size.
    pub fn run(&self, crew: &Crew, input: &[f32], output: &mut [f32], epilogue: Epilogue<'_>) {
        self.run_with(&self.bias, crew, (input, output), epilogue);
    }

    /// [`run`](Self::run) as if there were no bias.
    ///
    /// # Panics
    /// As [`run`](Self::run).
    pub fn run_unbiased(
        &self,
        crew: &Crew,
        input: &[f32],
        output: &mut [f32],
        epilogue: Epilogue<'_>,
    ) {
        self.run_with(&self.zeros, crew, (input, output), epilogue);
    }

    fn run_with(
        &self,
        bias: &[f32],
        crew: &Crew,
        (input, output): (&[f32], &mut [f32]),
        epilogue: Epilogue<'_>,
    ) {
        assert_eq!(input.len(), self.input.elements(), "input");
        assert_eq!(output.len(), self.output.elements(), "output");
        let epilogue = &epilogue.of(&self.output);
        let results = &DisjointSlice::new(output);
        match &self.way {
            Way::Squares(squares) => squares.run(crew, bias, input, results, epilogue),
            Way::Dots(dots) => dots.run(crew, input, results, epilogue),
            Way::Lanes => self.run_taps(crew, bias, input, results, epilogue),
        }
        self.output.clear_halo(output);
    }

    fn run_taps(
        &self,
        crew: &Crew,
        bias: &[f32],
        input: &[f32],
        output: &DisjointSlice<'_>,
        epilogue: &MapEpilogue<'_>,
    ) {
        let blocks: Vec<u32> = (0..self.input.blocks() as u32).collect();
        let units: Vec<Unit<'_>> = self.units(crew);
        crew.run_if_worth(self.cost(), units.len(), &|number| {
            self.run_unit(&units[number], &blocks, [bias, input], output, epilogue);
        });
    }

    /// Multiplications.
    fn cost(&self) -> usize {
        let cells = |p: &Phase| p.rows * p.columns * p.taps.len();
        self.phases.iter().map(cells).sum::<usize>() * self.input.channels() * self.bias.len()
    }

    /// Parts of the work that write to different pixels or blocks.
    fn units(&self, crew: &Crew) -> Vec<Unit<'_>> {
        let mut units = Vec::new();
        for phase in &self.phases {
            let groups = &phase.weights().groups;
            let pairs = self.input.channels() * self.bias.len();
            let work = phase.rows * phase.columns * phase.taps.len() * pairs;
            let wanted = if crew.is_worth(work) { 4 * crew.threads() } else { 1 };
            let pieces = wanted.div_ceil(groups.len()).clamp(1, phase.rows.max(1));
            for group in 0..groups.len() {
                for piece in 0..pieces {
                    let cut = |at: usize| at * phase.rows / pieces;
                    units.push(Unit { phase, group, rows: [cut(piece), cut(piece + 1)] });
                }
            }
        }
        units
    }

    fn run_unit(
        &self,
        unit: &Unit<'_>,
        blocks: &[u32],
        [bias, input]: [&[f32]; 2],
        output: &DisjointSlice<'_>,
        epilogue: &MapEpilogue<'_>,
    ) {
        let (phase, group) = (unit.phase, &unit.phase.weights().groups[unit.group]);
        let [first, end] = unit.rows;
        // Where rows follow each other without a gap, they are one long row.
        let rows = if self.is_flat(phase, epilogue) { end - first } else { 1 };
        let epilogue = epilogue.tile(group.first, phase.first, phase.step[1]);
        for row in (first..end).step_by(rows) {
            let out_row = phase.first[0] + row * phase.step[0];
            let mut column = 0;
            for pixels in group.split(self.isa, rows * phase.columns) {
                let at = [out_row, phase.first[1] + column * phase.step[1]];
                let place = group.first * self.output.plane()
                    + self.output.origin()
                    + at[0] * self.output.row()
                    + at[1] * self.output.lanes();
                let span = (group.blocks - 1) * self.output.plane()
                    + (pixels - 1) * phase.step[1] * self.output.lanes()
                    + self.output.lanes();
                let tile = Tile {
                    output: output.part(place, span),
                    pixel: phase.step[1] * self.output.lanes(),
                    out_plane: self.output.plane(),
                    epilogue: epilogue.on([row * phase.step[0], column]),
                    ..self.tile(phase, group, blocks, [bias, input], [row, column])
                };
                // SAFETY: an `Isa` exists only where the processor has it; the phase has checked that
                // its taps stay within the input, and `part` that the tile stays within the output.
                // Units have different pixels or blocks, so those of this tile are this thread's.
                unsafe { kernel(self.isa, [pixels, group.blocks], tile.step, false)(&tile) };
                column += pixels;
            }
        }
    }

    fn is_flat(&self, phase: &Phase, epilogue: &MapEpilogue<'_>) -> bool {
        phase.taps.len() == 1
            && phase.step == [1, 1]
            && phase.advance == [1, 1]
            && self.input.halo() == 0
            && self.output.halo() == 0
            && self.input.columns() == self.output.columns()
            && epilogue.is_flat()
    }

    /// A tile without its output.
    fn tile<'a>(
        &self,
        phase: &'a Phase,
        group: &pack::Group,
        blocks: &'a [u32],
        [bias, input]: [&[f32]; 2],
        [row, column]: [usize; 2],
    ) -> Tile<'a> {
        let map = &self.input;
        let [down, across] = phase.advance;
        let last = map.blocks() - 1;
        Tile {
            input: input[row * down * map.row() + column * across * map.lanes()..].as_ptr(),
            plane: map.plane(),
            step: across * map.lanes(),
            blocks,
            inner: map.lanes(),
            last: (last as u32, map.channels() - last * map.lanes()),
            taps: &phase.taps,
            weights: phase.weights().of(group).as_ptr(),
            bias: bias[group.first * self.isa.lanes()..].as_ptr(),
            output: std::ptr::null_mut(),
            pixel: 0,
            out_plane: 0,
            epilogue: TileEpilogue::NOTHING,
        }
    }
}

impl Window {
    pub(crate) fn is_plain_3x3(&self) -> bool {
        let Self { kernel, stride, dilation, before } = *self;
        (kernel, stride, dilation) == ([3; 2], [1; 2], [1; 2]) && before.iter().all(|b| *b <= 2)
    }
}

/// One group of output blocks over some rows of a phase.
struct Unit<'a> {
    phase: &'a Phase,
    group: usize,
    rows: [usize; 2],
}
