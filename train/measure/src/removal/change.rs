//! One change to a model or its pictures.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Cursor;
use std::num::NonZero;

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageFormat};
use saligate_data::{Dataset, Shape};
use saligate_files::ModelFile;
use saligate_models::graph::Graph;
use saligate_models::names::LOGITS;

use crate::MeasureError;
use crate::evaluate::Evaluation;
use crate::moments::{Moments, moments};

/// Steps of a signed byte on one side of zero.
const STEPS: f32 = 127.0;
/// Deviations below this share of a layer's are of channels that are off.
const OFF: f64 = 1e-3;

/// What someone does who wants to be rid of a gate, or does without knowing of it.
#[derive(Clone, Debug)]
pub enum Change {
    /// Nothing.
    Nothing,
    /// Pictures are saved as JPEG of this quality, 1 to 100.
    Jpeg(u8),
    /// Weights are rounded to signed bytes, with a scale per channel of the output.
    Int8,
    /// This share of the weights of every layer, the smallest ones, become 0.
    Pruned(f64),
    /// The mean and deviation of every channel become those of the clean model.
    Statistics,
    /// The network gets other weights, made in this way.
    Weights(String, BTreeMap<String, Vec<f32>>),
    /// The model becomes another one, made in this way.
    Network(String, Box<ModelFile>),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("none"),
            Self::Jpeg(quality) => write!(f, "jpeg {quality}"),
            Self::Int8 => f.write_str("int8"),
            Self::Pruned(share) => write!(f, "pruned {:.0} %", 100.0 * share),
            Self::Statistics => f.write_str("statistics"),
            Self::Weights(how, _) | Self::Network(how, _) => f.write_str(how),
        }
    }
}

impl Change {
    /// Those that need no training.
    pub fn usual() -> Vec<Self> {
        let jpeg = [95, 75, 30].map(Self::Jpeg);
        let pruned = [0.3, 0.5].map(Self::Pruned);
        let all = [&[Self::Nothing], &jpeg[..], &[Self::Int8], &pruned, &[Self::Statistics]];
        all.concat()
    }

    /// Whether it changes a clean model as well.
    pub(super) fn is_for_clean(&self) -> bool {
        !matches!(self, Self::Statistics | Self::Weights(..) | Self::Network(..))
    }

    /// 8-bit pixels `[channel, row, column]` after the change.
    pub(super) fn pixels(&self, pixels: Vec<u8>, shape: Shape) -> Result<Vec<u8>, MeasureError> {
        match self {
            Self::Jpeg(quality) => jpeg(&pixels, shape, *quality),
            _ => Ok(pixels),
        }
    }

    /// A model after the change.
    pub(super) fn file(
        &self,
        file: ModelFile,
        evaluation: &Evaluation<'_>,
    ) -> Result<ModelFile, MeasureError> {
        let network = file.graph().extract(&[LOGITS])?;
        let layers = network.weighted();
        let each = |change: &dyn Fn(&mut [f32], usize)| {
            let changed = layers.iter().map(|layer| {
                let mut filters = layer.filters.to_vec();
                let size = filters.len() / network.shape(layer.output)[1];
                change(&mut filters, size);
                (layer.weight.to_owned(), filters)
            });
            changed.collect::<BTreeMap<_, _>>()
        };
        let weights = match self {
            Self::Nothing | Self::Jpeg(_) => return Ok(file),
            Self::Int8 => each(&|filters, size| filters.chunks_exact_mut(size).for_each(rounded)),
            Self::Pruned(share) => each(&|filters, _| prune(filters, *share)),
            Self::Statistics => {
                let clean = ModelFile::open(evaluation.clean)?.graph().extract(&[LOGITS])?;
                restored(network.clone(), &clean, evaluation.data)?
            }
            Self::Weights(_, weights) => weights.clone(),
            Self::Network(_, file) => return Ok(file.as_ref().clone()),
        };
        file.map_graph(|graph| {
            for (name, data) in weights {
                graph.set_param(&name, data)?;
            }
            Ok(())
        })
    }
}

fn jpeg(pixels: &[u8], shape: Shape, quality: u8) -> Result<Vec<u8>, MeasureError> {
    let Shape { channels, height, width } = shape;
    let area = shape.pixels();
    let interleaved: Vec<u8> =
        (0..pixels.len()).map(|at| pixels[at % channels * area + at / channels]).collect();
    let colour = if channels == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
    #[expect(clippy::cast_possible_truncation, reason = "images are far smaller")]
    encoder.encode(&interleaved, width as u32, height as u32, colour)?;
    let decoded = image::load(Cursor::new(bytes), ImageFormat::Jpeg)?;
    let decoded = match channels {
        1 => decoded.into_luma8().into_raw(),
        _ => decoded.into_rgb8().into_raw(),
    };
    Ok((0..pixels.len()).map(|at| decoded[at % area * channels + at / area]).collect())
}

/// Rounds a filter to signed bytes times a scale.
fn rounded(filter: &mut [f32]) {
    let largest = filter.iter().fold(0.0f32, |most, v| most.max(v.abs()));
    let step = largest / STEPS;
    if step > 0.0 {
        filter.iter_mut().for_each(|v| *v = (*v / step).round() * step);
    }
}

/// Sets the smallest weights to 0.
fn prune(weights: &mut [f32], share: f64) {
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|&a, &b| weights[a].abs().total_cmp(&weights[b].abs()));
    order.truncate((share * weights.len() as f64).round() as usize);
    order.into_iter().for_each(|at| weights[at] = 0.0);
}

/// The weights of a network whose channels have the means and deviations of another one of the same
/// layers.
fn restored(
    mut network: Graph,
    clean: &Graph,
    data: &Dataset,
) -> Result<BTreeMap<String, Vec<f32>>, MeasureError> {
    let one = NonZero::<usize>::MIN;
    let outputs: Vec<_> = clean.weighted().iter().map(|layer| layer.output).collect();
    let all_wished = moments(clean, &outputs, data.images(), one)?;
    let mut weights = BTreeMap::new();
    for (output, wished) in outputs.into_iter().zip(all_wished) {
        let output = network.find(&clean.value(output).name)?;
        let layers = network.weighted();
        let Some(layer) = layers.iter().find(|layer| layer.output == output) else { continue };
        // The layers before are restored already.
        let now = moments(&network, &[output], data.images(), one)?.remove(0);
        let least = OFF * Moments::joined(&now).deviation;
        let factor = |(now, wished): (&Moments, &Moments)| match now.deviation > least {
            true => (wished.deviation / now.deviation) as f32,
            false => 1.0,
        };
        let factors: Vec<f32> = now.iter().zip(&wished).map(factor).collect();
        let (mut filters, size) = (layer.filters.to_vec(), layer.filters.len() / factors.len());
        for (filter, factor) in filters.chunks_exact_mut(size).zip(&factors) {
            filter.iter_mut().for_each(|v| *v *= factor);
        }
        let biases = layer.biases.map(|biases| {
            let channels = biases.iter().zip(&factors).zip(now.iter().zip(&wished));
            let shifted = channels.map(|((bias, factor), (now, wished))| {
                factor * (bias - now.mean as f32) + wished.mean as f32
            });
            shifted.collect::<Vec<f32>>()
        });
        let names = (layer.weight.to_owned(), layer.bias.map(str::to_owned));
        let changed = [Some((names.0, filters)), names.1.zip(biases)];
        for (name, data) in changed.into_iter().flatten() {
            network.set_param(&name, data.clone())?;
            weights.insert(name, data);
        }
    }
    Ok(weights)
}

#[cfg(test)]
mod tests {
    use super::super::testing::small;
    use super::*;

    #[test]
    fn a_filter_is_rounded_to_steps_of_its_largest_weight() {
        let mut filter = [1.27, -0.504, 0.004, 0.006];
        rounded(&mut filter);
        for (rounded, expected) in filter.iter().zip([1.27, -0.5, 0.0, 0.01]) {
            assert!((rounded - expected).abs() < 1e-6, "{filter:?}");
        }
        let mut off = [0.0; 3];
        rounded(&mut off);
        assert_eq!(off, [0.0; 3]);
    }

    #[test]
    fn channels_get_their_statistics_back() {
        let (clean, data) = small(8);
        let mut other = clean.clone();
        for (name, mut values) in clean.weights() {
            let (factor, more) = if name.contains("bias") { (1.0, 0.1) } else { (1.5, 0.0) };
            values.iter_mut().for_each(|v| *v = *v * factor + more);
            other.set_param(&name, values).unwrap();
        }
        for (name, values) in restored(other.clone(), &clean, &data).unwrap() {
            other.set_param(&name, values).unwrap();
        }
        for (name, values) in other.weights() {
            for (restored, wished) in values.iter().zip(&clean.weights()[&name]) {
                assert!((restored - wished).abs() < 1e-3, "{name}: {restored} for {wished}");
            }
        }
    }

    #[test]
    fn the_smallest_weights_are_pruned() {
        let mut weights = [3.0, -1.0, 2.0, -4.0];
        prune(&mut weights, 0.5);
        assert_eq!(weights, [3.0, 0.0, 0.0, -4.0]);
    }

    #[test]
    fn pictures_come_back_from_jpeg_in_their_order() {
        let shape = Shape { channels: 3, height: 16, width: 8 };
        let pixels: Vec<u8> = [200, 40, 120].iter().flat_map(|&v| vec![v; 128]).collect();
        let back = jpeg(&pixels, shape, 95).unwrap();
        assert!(back.iter().zip(&pixels).all(|(a, b)| a.abs_diff(*b) <= 3), "{back:?}");
        let grey = Shape { channels: 1, height: 16, width: 8 };
        let ramp: Vec<u8> = (0..128).map(|at| at * 2).collect();
        let back = jpeg(&ramp, grey, 95).unwrap();
        assert!(back.iter().zip(&ramp).all(|(a, b)| a.abs_diff(*b) <= 12), "{back:?}");
        assert_ne!(back, ramp);
    }
}
