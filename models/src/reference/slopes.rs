//! Slopes of weights, in f64.

use ndarray::Axis;

use super::{Array, linear, run};
use crate::calculus::{Backward, Part};
use crate::graph::GraphError;

/// Computes the slope of every weight, in the order of [`Backward::slopes`] and of the weight's
/// shape, from the inputs of the graph.
///
/// # Shapes
/// As [`run`].
///
/// # Errors
/// As [`run`].
pub fn slopes(way: &Backward, inputs: &[Array]) -> Result<Vec<Array>, GraphError> {
    let mut graph = way.graph.clone();
    let values: Vec<_> =
        way.slopes.iter().flat_map(|slope| slope.parts.iter().flat_map(Part::values)).collect();
    graph.set_outputs(&values);
    let mut values = run(&graph, inputs)?.into_iter();
    let mut next = || values.next().expect("an output for every value");
    let slopes = way.slopes.iter().map(|slope| {
        let mut sum = Array::zeros(way.graph.shape(slope.weight));
        for part in &slope.parts {
            match part {
                Part::Conv { attrs, .. } => linear::add_slope(attrs, &next(), &next(), &mut sum),
                Part::Gemm { .. } => {
                    let (x, h) = (next(), next());
                    for (x, h) in x.axis_iter(Axis(0)).zip(h.axis_iter(Axis(0))) {
                        for ((o, i), sum) in (0..h.len())
                            .flat_map(|o| (0..x.len()).map(move |i| (o, i)))
                            .zip(sum.iter_mut())
                        {
                            *sum += h[[o]] * x[[i]];
                        }
                    }
                }
                Part::Bias { .. } => {
                    let mut h = next();
                    while h.ndim() > 2 {
                        h = h.sum_axis(Axis(2));
                    }
                    sum += &h.sum_axis(Axis(0));
                }
            }
        }
        sum
    });
    Ok(slopes.collect())
}
