//! VisualBackProp.

use super::Method;
use crate::graph::shape::left_over;
use crate::graph::{ConvAttrs, Graph, GraphError, Op, PoolAttrs, Range, Source, ValueId};
use crate::names::VISUAL_BACKPROP;

/// Mean activations of the layers `A_1 ... A_L`, multiplied from the deepest one back to the image:
///
/// ```text
/// m_L = mean_c A_L
/// m_l = mean_c A_l * up(m_(l+1))
/// ```
///
/// `up` is a chain of transposed convolutions, one for every convolution and pooling on the way
/// from layer l to layer l + 1, with the same window, stride and pads and an output padding that
/// restores the size. Where paths join, the one with the most windows is followed, the first among
/// equals; one number per channel (as of squeeze-and-excite) is no path.
///
/// M. Bojarski, A. Choromanska, K. Choromanski, B. Firner, L. Jackel, U. Muller, K. Zieba,
/// "VisualBackProp: Efficient Visualization of CNNs", arXiv 1611.05418, 2016, section III. Its
/// kernels of ones are divided by their number of taps here, which multiplies the map by one
/// constant: with ones, the values of a network of fifty layers do not fit 32-bit floats.
///
/// For the same reason a product whose largest value is above [`LARGE`] is multiplied by [`SHRINK`],
/// a power of two, so that the map of such a picture is the defined one but for a positive factor.
/// Networks whose activations are as large as pixels of 0 to 255 get there within some thirteen layers.
///
/// # Shapes
/// For a first layer `[n, channel, row, column]` the result is `[n, 1, row, column]`.
pub(super) fn attribution(graph: &mut Graph, layers: &[ValueId]) -> Result<ValueId, GraphError> {
    let mut map: Option<ValueId> = None;
    for (position, &layer) in layers.iter().enumerate().rev() {
        let mean = channel_mean(graph, layer)?;
        map = Some(match map {
            None => mean,
            Some(deeper) => {
                let raised = up(graph, layer, layers[position + 1], deeper)?;
                let product = node(graph, "product", Op::Mul, &[mean, raised])?;
                // The means of fewer layers do not get there.
                let deep = layers.len() - position > SAFE_LAYERS;
                if deep { bounded(graph, product)? } else { product }
            }
        });
    }
    map.ok_or_else(|| wrong("reads one layer or more".to_owned()))
}

/// Layers whose means, each at most 2^24, have a product of at most [`LARGE`].
const SAFE_LAYERS: usize = 4;
/// What the largest value of a product is brought below: the next product, by a mean of up to 2^24
/// more, is then within 32-bit floats, which end at 2^128.
const LARGE: f32 = (1u128 << 100) as f32;
/// The factor. With `1 - SHRINK`, which is the largest float below 1, it is computed exactly.
const SHRINK: f32 = 1.0 / (1u32 << 24) as f32;

/// A map as it is, or [`SHRINK`] times it where its largest value is above [`LARGE`]; for each image
/// by itself.
fn bounded(graph: &mut Graph, map: ValueId) -> Result<ValueId, GraphError> {
    let &[_, _, rows, columns] = graph.shape(map) else { return Ok(map) };
    let whole = PoolAttrs { kernel: [rows, columns], stride: [1, 1], pads: [0; 4] };
    let limit = graph.constant(&[1, 1, 1, 1], LARGE)?;
    let one = graph.constant(&[1, 1, 1, 1], 1.0)?;
    let drop = graph.constant(&[1, 1, 1, 1], 1.0 - SHRINK)?;
    // The means of a SiLU or LeakyRelu may be negative.
    let size = node(graph, "size", Op::LeakyRelu { alpha: -1.0 }, &[map])?;
    let largest = node(graph, "largest", Op::MaxPool(whole), &[size])?;
    let above = node(graph, "above", Op::Sub, &[largest, limit])?;
    let excess = node(graph, "excess", Op::Relu, &[above])?;
    let is_large = node(graph, "is-large", Op::Sign, &[excess])?;
    let dropped = node(graph, "dropped", Op::Mul, &[is_large, drop])?;
    let factor = node(graph, "factor", Op::Sub, &[one, dropped])?;
    node(graph, "bounded", Op::Mul, &[map, factor])
}

fn channel_mean(graph: &mut Graph, layer: ValueId) -> Result<ValueId, GraphError> {
    let channels = graph.shape(layer)[1];
    let sum = node(graph, "sum", Op::ReduceSum { axes: vec![1] }, &[layer])?;
    let share = graph.constant(&[1, 1, 1, 1], 1.0 / channels as f32)?;
    node(graph, "mean", Op::Mul, &[sum, share])
}

/// What moves or resizes the pixels between two layers.
enum Step {
    /// Windows over an image of `size` rows and columns.
    Windows { conv: ConvAttrs, kernel: [usize; 2], size: [usize; 2] },
    /// Cells around an image of `size` rows and columns; `before` of them above and to the left.
    Frame { before: [usize; 2], size: [usize; 2] },
}

/// `map` at the resolution of layer `from`, given at that of the deeper layer `to`.
fn up(
    graph: &mut Graph,
    from: ValueId,
    to: ValueId,
    mut map: ValueId,
) -> Result<ValueId, GraphError> {
    let ways = Ways::between(graph, from, to);
    let mut at = to;
    while at != from {
        let Source::Node { op, operands } = graph.value(at).source.clone() else {
            let name = |id| &graph.value(id).name;
            let reason = format!("cannot walk from '{}' back to '{}'", name(to), name(from));
            return Err(wrong(reason));
        };
        let operand = operands[ways.longest(&operands).map_or(0, |(position, _)| position)];
        let &[_, _, rows, columns] = graph.shape(map) else {
            return Err(no_way_back(graph, at, &op));
        };
        if let Some(step) = step(graph, at, &op, &operands, operand, [rows, columns])? {
            map = undo(graph, &step, map)?;
        }
        at = operand;
    }
    Ok(map)
}

/// Most windows on a way from a value to the later ones.
struct Ways {
    from: ValueId,
    /// For `from` and each value behind it; `None` where there is no way.
    windows: Vec<Option<usize>>,
}

impl Ways {
    /// The ways from `from` up to `to`.
    fn between(graph: &Graph, from: ValueId, to: ValueId) -> Self {
        let mut ways = Self { from, windows: vec![Some(0)] };
        for (_, value) in graph.values().take(to.index() + 1).skip(from.index() + 1) {
            let windows = match &value.source {
                Source::Node { op, operands } if has_pixels(&value.shape) => {
                    let own = matches!(op, Op::Conv(_) | Op::MaxPool(_) | Op::AveragePool(_));
                    ways.longest(operands).map(|(_, count)| count + usize::from(own))
                }
                _ => None,
            };
            ways.windows.push(windows);
        }
        ways
    }

    /// Position and windows of the operand with the most of them, the first among equals.
    fn longest(&self, operands: &[ValueId]) -> Option<(usize, usize)> {
        let windows = |id: &ValueId| {
            let behind = id.index().checked_sub(self.from.index())?;
            self.windows.get(behind).copied().flatten()
        };
        let ways = operands.iter().enumerate();
        let ways = ways.filter_map(|(i, operand)| windows(operand).map(|n| (i, n)));
        ways.reduce(|best, other| if other.1 > best.1 { other } else { best })
    }
}

/// Whether a shape is more than one number per channel.
fn has_pixels(shape: &[usize]) -> bool {
    shape.get(2..).is_some_and(|rest| rest.iter().any(|&size| size > 1))
}

/// Rows and columns of a map.
fn pixels(shape: &[usize]) -> Option<[usize; 2]> {
    match *shape {
        [_, _, rows, columns] => Some([rows, columns]),
        _ => None,
    }
}

/// Whether a shape ends with these rows and columns, as two axes or as one: so they stay where
/// channels are shuffled.
fn ends_with(shape: &[usize], grid: [usize; 2]) -> bool {
    shape.ends_with(&grid) || shape.ends_with(&[grid[0] * grid[1]])
}

/// The last axes of a shape that an order of those behind the batch leaves in their places.
fn left_in_place<'a>(order: &[usize], shape: &'a [usize]) -> &'a [usize] {
    let moved = order.iter().enumerate().rposition(|(position, &from)| from != position + 1);
    &shape[1 + moved.map_or(0, |position| position + 1)..]
}

/// How the node `at`, whose maps have the rows and columns of `grid`, moved the pixels of `operand`;
/// `None` where each stayed in its place.
fn step(
    graph: &Graph,
    at: ValueId,
    op: &Op,
    operands: &[ValueId],
    operand: ValueId,
    grid: [usize; 2],
) -> Result<Option<Step>, GraphError> {
    let [before, after] = [operand, at].map(|id| graph.shape(id));
    let stays = match op {
        Op::Reshape { .. } => ends_with(before, grid) && ends_with(after, grid),
        Op::Transpose { order } => ends_with(left_in_place(order, before), grid),
        _ => false,
    };
    if stays {
        return Ok(None);
    }
    let Some(size) = pixels(before).filter(|_| pixels(after) == Some(grid)) else {
        return Err(no_way_back(graph, at, op));
    };
    match op {
        Op::Conv(conv) => {
            let weight = graph.shape(operands[1]);
            let kernel = [weight[2], weight[3]];
            Ok(Some(Step::Windows { conv: ConvAttrs { groups: 1, ..*conv }, kernel, size }))
        }
        Op::MaxPool(pool) | Op::AveragePool(pool) => {
            let PoolAttrs { kernel, stride, pads } = *pool;
            let conv = ConvAttrs { stride, pads, dilation: [1, 1], groups: 1 };
            Ok(Some(Step::Windows { conv, kernel, size }))
        }
        Op::Pad { pads: [_, [top, _], [left, _]], .. } => {
            Ok(Some(Step::Frame { before: [*top, *left], size }))
        }
        Op::Transpose { .. } | Op::Reshape { .. } => Err(no_way_back(graph, at, op)),
        _ if grid == size => Ok(None),
        _ => Err(no_way_back(graph, at, op)),
    }
}

fn undo(graph: &mut Graph, step: &Step, map: ValueId) -> Result<ValueId, GraphError> {
    match *step {
        Step::Windows { conv, kernel: [1, 1], .. }
            if conv.stride == [1, 1] && conv.pads == [0; 4] =>
        {
            Ok(map)
        }
        Step::Windows { conv, kernel, size } => {
            let tap = 1.0 / (kernel[0] * kernel[1]) as f32;
            let weight = graph.constant(&[1, 1, kernel[0], kernel[1]], tap)?;
            let output_padding = left_over(&conv, size, kernel);
            node(graph, "up", Op::ConvTranspose { conv, output_padding }, &[map, weight])
        }
        Step::Frame { before, size } => {
            let along = |axis: usize| Range {
                start: before[axis],
                end: before[axis] + size[axis],
                step: 1,
            };
            let ranges = [Range { start: 0, end: 1, step: 1 }, along(0), along(1)];
            node(graph, "cropped", Op::Slice { ranges }, &[map])
        }
    }
}

fn node(
    graph: &mut Graph,
    part: &str,
    op: Op,
    operands: &[ValueId],
) -> Result<ValueId, GraphError> {
    let name = graph.fresh_name(&format!("{VISUAL_BACKPROP}{part}"));
    graph.node(&name, op, operands)
}

fn no_way_back(graph: &Graph, at: ValueId, op: &Op) -> GraphError {
    wrong(format!("cannot walk back through '{}' ({})", graph.value(at).name, op.name()))
}

fn wrong(reason: String) -> GraphError {
    GraphError::Layers { method: Method::VisualBackProp.name(), reason }
}

#[cfg(test)]
mod tests {
    use ndarray::ArrayD;

    use super::*;
    use crate::names::{IMAGE, LOGITS};
    use crate::reference::run;
    use crate::saliency::{Attachment, attach};

    /// Two ReLU layers of one channel, and what lies between them.
    fn check(
        size: [usize; 2],
        between: impl Fn(&mut Graph, ValueId) -> ValueId,
        deep: &[f64],
        raised: &[f64],
    ) {
        let mut g = Graph::new();
        let x = g.input(IMAGE, &[1, 1, size[0], size[1]]).unwrap();
        let first = g.node("first", Op::Relu, &[x]).unwrap();
        let y = between(&mut g, first);
        let second = g.node("second", Op::Relu, &[y]).unwrap();
        g.node(LOGITS, Op::Flatten, &[second]).unwrap();
        let layers = ["first", "second"].map(str::to_owned).to_vec();
        let graph = attach(&g, &[Attachment::at(Method::VisualBackProp, layers)]).unwrap();
        let ones = ArrayD::from_elem(vec![1, 1, size[0], size[1]], 1.0);
        let classes = graph.shape(graph.outputs()[0])[1];
        let target = ArrayD::zeros(vec![1, classes]);
        let outputs = run(&graph, &[ones, target]).unwrap();
        assert_eq!(outputs[0].iter().copied().collect::<Vec<_>>(), deep);
        assert_eq!(outputs[1].iter().copied().collect::<Vec<_>>(), raised);
    }

    fn windows(kernel: [usize; 2], stride: usize, pads: [usize; 4]) -> Op {
        Op::MaxPool(PoolAttrs { kernel, stride: [stride; 2], pads })
    }

    #[test]
    fn a_row_between_windows_gets_nothing() {
        let between = |g: &mut Graph, x| g.node("p", windows([1, 1], 2, [0; 4]), &[x]).unwrap();
        check([1, 4], between, &[1.0; 2], &[1.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn overlapping_windows_add_up_and_padding_is_cut_off() {
        let between =
            |g: &mut Graph, x| g.node("p", windows([1, 2], 1, [0, 1, 0, 0]), &[x]).unwrap();
        check([1, 3], between, &[1.0; 3], &[1.0, 1.0, 0.5]);
    }

    #[test]
    fn the_way_with_the_most_windows_is_followed() {
        let between = |g: &mut Graph, x| {
            let once = g.node("once", windows([1, 2], 2, [0; 4]), &[x]).unwrap();
            let a = g.node("a", windows([1, 1], 1, [0; 4]), &[x]).unwrap();
            let twice = g.node("twice", windows([1, 1], 2, [0; 4]), &[a]).unwrap();
            g.node("sum", Op::Add, &[once, twice]).unwrap()
        };
        check([1, 4], between, &[2.0; 2], &[2.0, 0.0, 2.0, 0.0]);
    }

    #[test]
    fn added_cells_are_taken_off_again() {
        let between = |g: &mut Graph, x| {
            let pads = [[0, 0], [0, 0], [1, 2]];
            let wide = g.node("wide", Op::Pad { pads, value: 3.0 }, &[x]).unwrap();
            g.node("p", windows([1, 1], 1, [0; 4]), &[wide]).unwrap()
        };
        check([1, 2], between, &[3.0, 1.0, 1.0, 3.0, 3.0], &[1.0, 1.0]);
    }

    #[test]
    fn shuffled_channels_leave_pixels_in_their_places() {
        let between = |g: &mut Graph, x| {
            let two = g.node("two", Op::Concat, &[x, x]).unwrap();
            let apart = Op::Reshape { shape: vec![2, 1, 4] };
            let apart = g.node("apart", apart, &[two]).unwrap();
            let turned = Op::Transpose { order: vec![2, 1, 3] };
            let turned = g.node("turned", turned, &[apart]).unwrap();
            let shape = vec![2, 1, 4];
            let together = g.node("together", Op::Reshape { shape }, &[turned]).unwrap();
            g.node("p", windows([1, 1], 2, [0; 4]), &[together]).unwrap()
        };
        check([1, 4], between, &[1.0; 4], &[1.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn what_cannot_be_walked_back_is_named() {
        let mut g = Graph::new();
        let x = g.input(IMAGE, &[1, 1, 4, 4]).unwrap();
        let first = g.node("first", Op::Relu, &[x]).unwrap();
        let shape = vec![1, 8, 2];
        let bent = g.node("bent", Op::Reshape { shape }, &[first]).unwrap();
        let second = g.node("second", Op::Relu, &[bent]).unwrap();
        g.node(LOGITS, Op::Flatten, &[second]).unwrap();
        let layers = ["first", "second"].map(str::to_owned).to_vec();
        let error = attach(&g, &[Attachment::at(Method::VisualBackProp, layers)]).unwrap_err();
        assert!(error.to_string().contains("'bent' (Reshape)"), "{error}");
    }

    /// Layers whose activations are `gain` times those before, on one picture.
    fn deep(layers: usize, gain: f32) -> (Graph, Vec<String>) {
        let mut g = Graph::new();
        let mut x = g.input(IMAGE, &[1, 1, 2, 3]).unwrap();
        let names: Vec<String> = (0..layers).map(|layer| format!("relu{layer}")).collect();
        for (layer, name) in names.iter().enumerate() {
            let gain = if layer == 0 { gain } else { 1.0 };
            let w = g.param(&format!("w{layer}"), &[1, 1, 1, 1], vec![gain]).unwrap();
            let y = g.node(&format!("conv{layer}"), Op::Conv(ConvAttrs::same(0)), &[x, w]).unwrap();
            x = g.node(name, Op::Relu, &[y]).unwrap();
        }
        g.node(LOGITS, Op::Flatten, &[x]).unwrap();
        (g, names)
    }

    fn map(layers: usize, gain: f32, pixels: &[f64; 6]) -> Vec<f64> {
        let (net, names) = deep(layers, gain);
        let graph = attach(&net, &[Attachment::at(Method::VisualBackProp, names)]).unwrap();
        let image = ArrayD::from_shape_vec(vec![1, 1, 2, 3], pixels.to_vec()).unwrap();
        let outputs = run(&graph, &[image, ArrayD::zeros(vec![1, 6])]).unwrap();
        outputs[1].iter().copied().collect()
    }

    const PIXELS: [f64; 6] = [0.0, 0.25, 0.5, 0.75, 1.0, 0.125];

    /// The product of thirty layers would be 255^30, far beyond 32-bit floats.
    #[test]
    fn networks_that_take_pixels_of_0_to_255_have_finite_maps() {
        for (layers, gain) in [(16, 255.0), (30, 255.0), (60, 255.0), (30, 1e6)] {
            let map = map(layers, gain, &PIXELS);
            let largest = map.iter().copied().fold(0.0, f64::max);
            assert!(largest > 0.0 && largest < f64::from(f32::MAX), "{layers} layers: {largest}");
            // All but the factor is as defined: the pixels to the power of the number of layers.
            for (value, pixel) in map.iter().zip(PIXELS) {
                let expected = pixel.powi(layers as i32);
                assert!((value / largest - expected).abs() < 1e-9, "{layers} layers: {value}");
            }
        }
    }

    #[test]
    fn maps_that_fit_are_exactly_as_defined() {
        for (value, pixel) in map(12, 2.0, &PIXELS).iter().zip(PIXELS) {
            assert_eq!(*value, (2.0 * pixel).powi(12));
        }
    }
}
