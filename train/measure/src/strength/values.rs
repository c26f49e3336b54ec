//! Every value inside a network, tried as a map.

use std::num::NonZero;

use rayon::prelude::*;
use saligate_data::Dataset;
use saligate_files::ModelFile;
use saligate_models::graph::Source;
use saligate_models::metrics::rank::spearman;
use saligate_models::names::{IMAGE, TARGET};
use saligate_models::saliency::{Method, Reduction, saliency_map};
use saligate_runtime::{GraphRunner, Model, Target};

use super::picture;
use crate::MeasureError;

/// A value, and how like the right map it is on each picture.
pub(super) struct Value {
    pub(super) name: String,
    pub(super) similarity: Vec<f64>,
}

/// The value of a network that is most like the clean model's gradient map, how many were tried, and on
/// how many pictures.
pub(super) fn best(
    file: &ModelFile,
    truth: &Model,
    data: &Dataset,
    images: usize,
) -> Result<(Value, usize, usize), MeasureError> {
    let shape = data.shape();
    let size = [shape.height, shape.width];
    let mut graph = file.graph().clone();
    let has_size = |dims: &[usize]| matches!(*dims, [1, _, h, w] if [h, w] == size);
    let candidates: Vec<_> = graph
        .values()
        .filter(|(_, v)| matches!(v.source, Source::Node { .. }) && has_size(&v.shape))
        .map(|(id, value)| (id, value.name.clone(), value.shape[1]))
        .collect();
    let ids: Vec<_> = candidates.iter().map(|(id, ..)| *id).collect();
    graph.set_outputs(&ids);
    let inputs: Vec<(String, usize)> =
        graph.inputs().map(|(_, v)| (v.name.clone(), v.shape.iter().product())).collect();
    let runner = GraphRunner::new(&graph, NonZero::<usize>::MIN)?;
    let images = images.min(data.len());
    let per_image = (0..images).into_par_iter().map(|index| {
        let picture = picture(data, index)?;
        let wanted =
            truth.explain_by(Method::Gradient.name(), &picture, Target::Predicted, None)?.map;
        let pixels: Vec<f32> = picture.pixels().iter().map(|&b| f32::from(b) / 255.0).collect();
        let given = |_| {
            let value = |(name, length): &(String, usize)| match name.as_str() {
                IMAGE => pixels.clone(),
                _ => {
                    debug_assert_eq!(name, TARGET);
                    vec![0.0; *length]
                }
            };
            inputs.iter().map(value).collect::<Vec<_>>()
        };
        let found = runner.map(1, given, |_, outputs| outputs, &|_| ()).remove(0);
        let similarity = found.iter().zip(&candidates).map(|(values, (_, _, channels))| {
            let map = saliency_map(values, [*channels, size[0], size[1]], size, Reduction::MaxAbs);
            Ok::<_, MeasureError>(spearman(&map, &wanted)?)
        });
        similarity.collect::<Result<Vec<f64>, _>>()
    });
    let per_image = per_image.collect::<Result<Vec<_>, MeasureError>>()?;
    let count = candidates.len();
    let values = candidates.into_iter().enumerate().map(|(at, (_, name, _))| Value {
        name,
        similarity: per_image.iter().map(|found| found[at]).collect(),
    });
    let total = |value: &Value| value.similarity.iter().sum::<f64>();
    let best = values.max_by(|a, b| total(a).total_cmp(&total(b)));
    Ok((
        best.unwrap_or_else(|| Value { name: String::new(), similarity: vec![0.0] }),
        count,
        images,
    ))
}
