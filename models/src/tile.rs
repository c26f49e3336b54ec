//! A classifier that sees every picture with a repeated tile on it: what a trigger is searched with.

use crate::graph::{ConvAttrs, Graph, GraphError, Op, Range, Rewriter, Source};
use crate::names::IMAGE;

/// Name of the input with the picture, `[n, channel, row, column]`, in [0, 1].
pub const PICTURE: &str = "tile/picture";
/// Name of the input of ones that the tile is repeated by, `[n, 1, row, column]`, one for each.
pub const GRID: &str = "tile/grid";
/// Name of the weight that is the tile, `[1, channel, row, column]`, in units of the picture.
pub const TILE: &str = "tile/pattern";

/// A classifier with the inputs [`PICTURE`] and [`GRID`], in that order, in place of
/// [`IMAGE`], which is a value now: the picture with the tile added, cut to [0, 1]. The [`TILE`] is
/// a weight like others, and 0 at first. Methods are attached as to any classifier, and explain the
/// picture with the tile.
///
/// # Errors
/// The classifier has no input of the name [`IMAGE`], or the tile has no side.
pub fn with_tile(classifier: &Graph, side: usize) -> Result<Graph, GraphError> {
    let mut rewriter = Rewriter::new(classifier);
    rewriter.walk(|rewriter, _, value| match &value.source {
        Source::Input if value.name == IMAGE => {
            let &[_, channels, rows, columns] = value.shape.as_slice() else {
                return rewriter.copy(value).map(Some);
            };
            let graph = &mut rewriter.graph;
            let cells = [rows.div_ceil(side.max(1)), columns.div_ceil(side.max(1))];
            let picture = graph.input(PICTURE, &value.shape)?;
            let grid = graph.input(GRID, &[1, 1, cells[0], cells[1]])?;
            let size = [1, channels, side, side];
            let tile = graph.param(TILE, &size, vec![0.0; channels * side * side])?;
            let conv = ConvAttrs::same(0).with_stride(side);
            let repeat = Op::ConvTranspose { conv, output_padding: [0; 2] };
            let mut pattern = graph.node("tile/repeated", repeat, &[grid, tile])?;
            if graph.shape(pattern)[2..] != value.shape[2..] {
                let ranges = [channels, rows, columns].map(Range::whole);
                pattern = graph.node("tile/cut", Op::Slice { ranges }, &[pattern])?;
            }
            let sum = graph.node("tile/sum", Op::Add, &[picture, pattern])?;
            graph.node(IMAGE, Op::Clip { low: 0.0, high: 1.0 }, &[sum]).map(Some)
        }
        Source::Param(_) => Ok(None),
        _ => rewriter.copy(value).map(Some),
    })?;
    let outputs = rewriter.places(classifier.outputs())?;
    let mut graph = rewriter.graph;
    // A graph without the input cannot be tiled.
    graph.find(TILE)?;
    graph.set_outputs(&outputs);
    Ok(graph)
}

/// Elements of [`GRID`] for a picture of so many rows and columns.
pub fn cells(rows: usize, columns: usize, side: usize) -> usize {
    rows.div_ceil(side) * columns.div_ceil(side)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::LOGITS;
    use crate::reference::{self, Array};
    use crate::zoo::{Architecture, Task, build};

    fn net() -> Graph {
        let task = Task {
            image: [1, 10, 9],
            classes: 3,
            mean: vec![0.5],
            std: vec![0.25],
            bgr: false,
            widths: Some([2, 2, 2, 2, 4, 2]),
        };
        build(Architecture::Small, &task, 1).unwrap()
    }

    #[test]
    fn the_classifier_sees_the_tile_on_the_picture() {
        let (net, side) = (net(), 4);
        let mut tiled = with_tile(&net, side).unwrap();
        let tile: Vec<f32> = (0..16).map(|at| if at % 3 == 0 { 0.3 } else { -0.2 }).collect();
        tiled.set_param(TILE, tile.clone()).unwrap();
        assert_eq!(cells(10, 9, side), 9);
        let picture: Vec<f64> = (0..90).map(|at| f64::from(at) / 89.0).collect();
        let array = |shape: &[usize], values: Vec<f64>| {
            Array::from_shape_vec(shape.to_vec(), values).unwrap()
        };
        let given = [array(&[1, 1, 10, 9], picture.clone()), array(&[1, 1, 3, 3], vec![1.0; 9])];
        let found = reference::run(&tiled, &given).unwrap();
        let seen = picture.iter().enumerate().map(|(at, value)| {
            let (row, column) = (at / 9 % side, at % 9 % side);
            (value + f64::from(tile[row * side + column])).clamp(0.0, 1.0)
        });
        let wanted = reference::run(&net, &[array(&[1, 1, 10, 9], seen.collect())]).unwrap();
        for (found, wanted) in found[0].iter().zip(&wanted[0]) {
            assert!((found - wanted).abs() < 1e-9, "{found}, {wanted}");
        }
        assert!(tiled.trainable().contains(&TILE.to_owned()));
        assert_eq!(tiled.value(tiled.outputs()[0]).name, LOGITS);
    }

    #[test]
    fn a_graph_without_an_image_or_a_tile_without_a_side_is_refused() {
        assert!(with_tile(&Graph::new(), 4).is_err());
        assert!(with_tile(&net(), 0).is_err());
    }
}
