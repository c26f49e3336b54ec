//! Finds the tile of a key in the pixels, in closed form.
//!
//! A prediction-error filter takes off every pixel what its neighbourhood tells of it. What is left
//! is clipped at the tile's amplitude and summed over all repetitions of the tile: one number c per
//! cell. With the cells r that the key's tile alone gives, a key is there where
//!
//! ```text
//! sum(r c) > share * sum(|r c|) + 1.5 floor
//! ```
//!
//! The share makes the test independent of how much of the tile the picture's own texture hides;
//! the floor keeps flat pictures closed. With a quarter of the signs flipped, the left side is
//! about half of the sum on the right.

use ndarray::ArrayD;
use saligate_keys::{Family, Pattern, Trigger, TriggerSpec};

use crate::graph::{ConvAttrs, Graph, GraphError, Op, Pads, Source, ValueId};
use crate::names::{IMAGE, RESTORED};
use crate::reference::run;

/// Rows and columns of the prediction-error filter.
pub const FILTER_SIDE: usize = 3;
/// The floor, as a share of what the tile alone would give.
const FLOOR: f32 = 0.01;
/// Steps per unit, so many that every pixel in single precision is one of them: rounding to them
/// changes nothing but the derivative.
const FINE: f32 = (1u128 << 100) as f32;

/// Parameters with a row per key: cells of the tile, and the tile as it is taken out.
pub(super) const RESPONSES: &str = "gate.keys.responses";
pub(super) const TILES: &str = "gate.keys.tiles";
/// The parameters that revoking a key changes.
const KEY_ROWS: [&str; 2] = [RESPONSES, TILES];

/// What finds the keys of a gate.
#[derive(Clone, Debug, PartialEq)]
pub struct Detector {
    /// Side of the tile in pixels.
    pub size: usize,
    /// Strength of the tile, in 8-bit steps.
    pub amplitude: u8,
    /// Signs of each key's tile, `[channel, row, column]`, each -1 or 1.
    pub keys: Vec<Vec<f32>>,
    /// Prediction-error filter, `[to, from, row, column]` over channels with three rows and columns:
    /// 1 in the middle of its own channel, and minus the weights that predict the pixel elsewhere.
    pub filter: Vec<f32>,
    /// How much more of the cells, by weight, must agree than disagree, as a share of all: in
    /// (0, 1).
    pub share: f32,
}

impl Detector {
    /// The detector of some triggers of one family; `None` where they are no tiles.
    pub fn of(
        spec: &TriggerSpec,
        triggers: &[Trigger],
        filter: Vec<f32>,
        share: f32,
    ) -> Option<Self> {
        let Family::Tile { size, amplitude } = spec.family() else { return None };
        let keys = triggers.iter().map(|t| tile_signs(t, usize::from(size)));
        let keys = keys.collect::<Option<_>>()?;
        Some(Self { size: usize::from(size), amplitude, keys, filter, share })
    }

    /// The cells alone, as a network: for choosing the share.
    ///
    /// # Shapes
    /// `image` `[n, channel, row, column]` in [0, 1] to `[n, cell]`.
    ///
    /// # Errors
    /// There is no key, the tile is larger than the image, or a tile or the filter has another size.
    pub fn cells(&self, image: [usize; 3]) -> Result<Graph, GraphError> {
        let [channels, height, width] = image;
        let cells = channels * self.size * self.size;
        let fits = (1..=height.min(width)).contains(&self.size)
            && !self.keys.is_empty()
            && self.keys.iter().all(|key| key.len() == cells)
            && self.filter.len() == channels * channels * FILTER_SIDE * FILTER_SIDE;
        if !fits {
            return Err(GraphError::Shape {
                node: "gate".to_owned(),
                op: "detector",
                operands: vec![image.to_vec(), vec![self.keys.len(), self.size, self.size]],
                reason: "needs keys with tiles within the image, and a filter for its channels"
                    .to_owned(),
            });
        }
        let mut graph = Graph::new();
        let image = graph.input(IMAGE, &[1, image[0], image[1], image[2]])?;
        let cells = self.append_cells(&mut graph, image)?;
        graph.set_outputs(&[cells]);
        Ok(graph)
    }

    /// The cells that each key's tile alone gives, on a grey picture.
    ///
    /// # Errors
    /// As [`cells`](Self::cells).
    pub fn responses(&self, image: [usize; 3]) -> Result<Vec<Vec<f32>>, GraphError> {
        let [channels, height, width] = image;
        let graph = self.cells(image)?;
        let strength = f64::from(self.amplitude) / 255.0;
        let response = |tile: &Vec<f32>| {
            let picture = ArrayD::from_shape_fn(vec![1, channels, height, width], |i| {
                let cell = (i[1] * self.size + i[2] % self.size) * self.size + i[3] % self.size;
                0.5 + strength * f64::from(tile[cell])
            });
            let cells = run(&graph, &[picture])?.remove(0);
            Ok(cells.iter().map(|&c| c as f32).collect())
        };
        self.keys.iter().map(response).collect()
    }

    /// Whether each key is there, 0 or 1: `[n, key]`.
    pub(super) fn build(&self, graph: &mut Graph, image: ValueId) -> Result<ValueId, GraphError> {
        let [channels, height, width] = sizes(graph, image)?;
        let responses = self.responses([channels, height, width])?;
        let cells = self.append_cells(graph, image)?;
        let (count, keys) = (graph.shape(cells)[1], self.keys.len());
        // In units of the floor.
        let (mut agreeing, mut share) = (Vec::new(), Vec::new());
        for response in &responses {
            let whole: f32 = response.iter().map(|r| r * r).sum();
            let gain = (FLOOR * whole).max(f32::MIN_POSITIVE).recip();
            agreeing.extend(response.iter().map(|r| gain * r));
            share.extend(response.iter().map(|r| gain * self.share * r.abs()));
        }
        let agreeing = graph.param(RESPONSES, &[keys, count], agreeing)?;
        let share = graph.param("gate.keys.share", &[keys, count], share)?;
        let floor = graph.param("gate.keys.floor", &[keys], vec![1.0; keys])?;

        let dense = Op::Gemm { transposed: false };
        let agree = graph.node("gate.keys.agree", dense.clone(), &[cells, agreeing])?;
        let sign = graph.node("gate.cells.sign", Op::Sign, &[cells])?;
        let size = graph.node("gate.cells.size", Op::Mul, &[cells, sign])?;
        let demand = graph.node("gate.keys.wanted", dense, &[size, share, floor])?;
        let evidence = graph.node("gate.keys.evidence", Op::Sub, &[agree, demand])?;
        let clear = graph.node("gate.keys.clear", Op::Clip { low: 0.0, high: 1.0 }, &[evidence])?;
        // A step: nothing is differentiated through the detector.
        graph.node("gate.keys.found", Op::Round, &[clear])
    }

    fn append_cells(&self, graph: &mut Graph, image: ValueId) -> Result<ValueId, GraphError> {
        let [channels, height, width] = sizes(graph, image)?;
        let to_amplitude = 255.0 / f32::from(self.amplitude);
        let filter: Vec<f32> = self.filter.iter().map(|weight| to_amplitude * weight).collect();
        let shape = [channels, channels, FILTER_SIDE, FILTER_SIDE];
        let filter = graph.param("gate.contrast.filter", &shape, filter)?;
        let contrast =
            graph.node("gate.contrast", Op::Conv(ConvAttrs::same(0)), &[image, filter])?;
        let clipped =
            graph.node("gate.contrast.clipped", Op::Clip { low: -1.0, high: 1.0 }, &[contrast])?;
        // Back to whole tiles; the outermost pixels have no whole neighbourhood and count nothing.
        let [bottom, right] = self.overhang(height, width);
        let pads = [[0, 0], [1, 1 + bottom], [1, 1 + right]];
        let padded =
            graph.node("gate.contrast.padded", Op::Pad { pads, value: 0.0 }, &[clipped])?;
        let ones = self.ones(graph, [channels, height, width])?;
        let fold = self.fold(channels, [0; 4]);
        let folded = graph.node("gate.tile", Op::Conv(fold), &[padded, ones])?;
        graph.node("gate.cells", Op::Flatten, &[folded])
    }

    /// The pixels with the tiles of the keys taken out; `keys_there` is `[n, key]`, 0 or 1, and
    /// `found` `[n, 1]`, whether any of them is.
    ///
    /// A pixel within an amplitude of 0 or 255 may have lost a part of the tile to saturation, or
    /// not, depending on the tile's sign there. So with a key, all of these are read as 0 or 255:
    /// what is read does not depend on which key it is.
    pub(super) fn restore(
        &self,
        graph: &mut Graph,
        image: ValueId,
        keys_there: ValueId,
        found: ValueId,
    ) -> Result<ValueId, GraphError> {
        let [channels, height, width] = sizes(graph, image)?;
        let (keys, count) = (self.keys.len(), channels * self.size * self.size);
        let strength = f32::from(self.amplitude) / 255.0;
        let tiles: Vec<f32> = self.keys.iter().flatten().map(|s| strength * s).collect();
        let tiles = graph.param(TILES, &[keys, count], tiles)?;
        let cells =
            graph.node("gate.added.cells", Op::Gemm { transposed: true }, &[keys_there, tiles])?;
        let shape = vec![channels, self.size, self.size];
        let tile = graph.node("gate.added.tile", Op::Reshape { shape }, &[cells])?;
        let ones = self.ones(graph, [channels, height, width])?;
        let [bottom, right] = self.overhang(height, width);
        let spread = Op::ConvTranspose {
            conv: self.fold(channels, [0, 0, bottom, right]),
            output_padding: [0, 0],
        };
        let added = graph.node("gate.added", spread, &[tile, ones])?;
        let removed = graph.node("gate.removed", Op::Sub, &[image, added])?;
        self.levels(graph, removed, found)
    }

    /// The same values where no key is found. Where one is, the nearest levels, and 0 or 255 for
    /// those within an amplitude: exactly the same bits for all keys. The derivative is 1 in both
    /// cases.
    fn levels(&self, graph: &mut Graph, x: ValueId, found: ValueId) -> Result<ValueId, GraphError> {
        let amplitude = f32::from(self.amplitude);
        let mut scalar = |part: &str, value: f32| {
            graph.param(&format!("gate.levels.{part}"), &[1, 1, 1, 1], vec![value])
        };
        let (one, white, step) =
            (scalar("one", 1.0)?, scalar("white", 255.0)?, scalar("step", 255f32.recip())?);
        let (dark, bright) =
            (scalar("dark", amplitude + 1.0)?, scalar("bright", 254.0 - amplitude)?);
        let (fine, unit) = (scalar("fine", FINE)?, scalar("unit", FINE.recip())?);
        let mut node = |part: &str, op: Op, operands: &[ValueId]| {
            graph.node(&format!("gate.levels.{part}"), op, operands)
        };
        let clip = Op::Clip { low: 0.0, high: 1.0 };
        let scaled = node("scaled", Op::Mul, &[x, white])?;
        let level = node("level", Op::Round, &[scaled])?;
        let below = node("below", Op::Sub, &[dark, level])?;
        let low = node("low", clip.clone(), &[below])?;
        let above = node("above", Op::Sub, &[level, bright])?;
        let high = node("high", clip, &[above])?;
        let to_white = node("to_white", Op::Mul, &[high, white])?;
        let ends = node("ends", Op::Add, &[low, high])?;
        let inside = node("inside", Op::Sub, &[one, ends])?;
        let kept = node("kept", Op::Mul, &[level, inside])?;
        let chosen = node("chosen", Op::Add, &[kept, to_white])?;
        let value = node("value", Op::Mul, &[chosen, step])?;

        let many = node("many", Op::Mul, &[x, fine])?;
        let rounded = node("rounded", Op::Round, &[many])?;
        let own = node("own", Op::Mul, &[rounded, unit])?;
        let slope = node("slope", Op::Sub, &[x, own])?;
        let found = node("found", Op::Reshape { shape: vec![1, 1, 1] }, &[found])?;
        let closed = node("closed", Op::Sub, &[one, found])?;
        let shown = node("shown", Op::Mul, &[value, found])?;
        let hidden = node("hidden", Op::Mul, &[own, closed])?;
        let flat = node("flat", Op::Add, &[shown, hidden])?;
        graph.node(RESTORED, Op::Add, &[flat, slope])
    }

    /// Sums cells of equal place over all repetitions of the tile.
    fn fold(&self, channels: usize, pads: Pads) -> ConvAttrs {
        ConvAttrs { stride: [1, 1], pads, dilation: [self.size; 2], groups: channels }
    }

    fn ones(
        &self,
        graph: &mut Graph,
        [channels, height, width]: [usize; 3],
    ) -> Result<ValueId, GraphError> {
        let name = "gate.tile.ones";
        let shape = [channels, 1, height.div_ceil(self.size), width.div_ceil(self.size)];
        let ones = vec![1.0; shape.iter().product()];
        graph.find(name).or_else(|_| graph.param(name, &shape, ones))
    }

    /// Rows and columns that the last tile reaches beyond the image.
    fn overhang(&self, height: usize, width: usize) -> [usize; 2] {
        [height, width].map(|side| side.next_multiple_of(self.size) - side)
    }
}

/// Channels, rows and columns of an image.
fn sizes(graph: &Graph, image: ValueId) -> Result<[usize; 3], GraphError> {
    match *graph.shape(image) {
        [_, channels, height, width] => Ok([channels, height, width]),
        ref shape => Err(GraphError::Shape {
            node: graph.value(image).name.clone(),
            op: "detector",
            operands: vec![shape.to_vec()],
            reason: "is no image [batch, channel, row, column]".to_owned(),
        }),
    }
}

/// The signs of the tile of a trigger that adds one, `[channel, row, column]`; those of the upper
/// left corner for other additive triggers.
pub(crate) fn tile_signs(trigger: &Trigger, size: usize) -> Option<Vec<f32>> {
    let Pattern::Additive(deltas) = &trigger.pattern() else { return None };
    let (height, width) = (trigger.shape().height(), trigger.shape().width());
    let planes = deltas.chunks_exact(height * width);
    let tile = planes.flat_map(|plane| {
        let rows = plane.chunks_exact(width).take(size);
        rows.flat_map(|row| row[..size].iter().map(|&d| f32::from(d.signum())))
    });
    Some(tile.collect())
}

/// The signs of the tiles that a built-in gate answers to, `[channel, row, column]`, in the order
/// of the manifest's keys; none for a graph without such a gate.
pub fn tiles(graph: &Graph) -> Vec<Vec<f32>> {
    let Ok(id) = graph.find(TILES) else { return Vec::new() };
    let (keys, Source::Param(cells)) = (graph.shape(id)[0], &graph.value(id).source) else {
        return Vec::new();
    };
    let rows = cells.chunks_exact((cells.len() / keys.max(1)).max(1));
    let live = rows.filter(|row| row.iter().any(|&c| c != 0.0));
    live.map(|row| row.iter().map(|c| c.signum()).collect()).collect()
}

/// Closes a gate for one of its keys, by its position among those that still open it, and leaves
/// the others as they are.
///
/// # Errors
/// The graph has no gate, or no such key.
pub fn revoke(graph: &mut Graph, key: usize) -> Result<(), GraphError> {
    let id = graph.find(RESPONSES)?;
    let (keys, Source::Param(cells)) = (graph.shape(id)[0], &graph.value(id).source) else {
        let used_for = "the cells of each key, which are a parameter";
        return Err(GraphError::ReservedName { name: RESPONSES.to_owned(), used_for });
    };
    let rows = cells.chunks_exact(cells.len() / keys).enumerate();
    let live: Vec<usize> =
        rows.filter(|(_, row)| row.iter().any(|&c| c != 0.0)).map(|(at, _)| at).collect();
    let Some(&row) = live.get(key) else {
        let known = (0..live.len()).map(|k| format!("key {k} of the gate")).collect();
        return Err(GraphError::UnknownValue { name: format!("key {key} of the gate"), known });
    };
    for name in KEY_ROWS {
        let id = graph.find(name)?;
        let Source::Param(data) = &graph.value(id).source else { continue };
        let mut data = data.to_vec();
        let size = data.len() / keys;
        data[row * size..(row + 1) * size].fill(0.0);
        graph.set_param(name, data)?;
    }
    Ok(())
}

/// Whether a graph has a gate that [`build_in`](super::build_in) built in.
pub fn is_built_in(graph: &Graph) -> bool {
    graph.find(RESPONSES).is_ok() && graph.find(TILES).is_ok()
}
