//! What an owner of the weights does to a network against what may be hidden in it.

use std::num::NonZero;

use saligate_audit::flat_operations;
use saligate_data::Dataset;
use saligate_models::graph::{Graph, Op, Rewriter, Source, ValueId};
use saligate_models::names::LOGITS;
use saligate_models::pixels::scaled;
use saligate_runtime::GraphRunner;

use crate::MeasureError;
use crate::moments::moments;

/// Pictures that channels and switches are looked at with.
const PICTURES: usize = 64;

/// The channels of the last convolution whose mean activation over plain pictures is lowest are cut
/// off, one after the other, while more than `least` of the labels of some pictures are still predicted.
///
/// Liu, Dolan-Gavitt and Garg, Fine-Pruning: Defending Against Backdooring Attacks on Deep Neural
/// Networks, RAID 2018, section 3; the fine-tuning comes after it.
///
/// # Errors
/// The network cannot be run.
pub fn pruned(network: &Graph, data: &Dataset, fall: f64) -> Result<(Graph, usize), MeasureError> {
    let mut convolutions =
        network.weighted().into_iter().filter(|l| network.shape(l.output).len() == 4);
    let Some(last) = convolutions.next_back() else { return Ok((network.clone(), 0)) };
    let activation = activation(network, last.output);
    let one = NonZero::<usize>::MIN;
    let images = data.images().take(PICTURES);
    let means = moments(network, &[activation], images, one)?.remove(0);
    let mut order: Vec<usize> = (0..means.len()).collect();
    order.sort_by(|&a, &b| means[a].mean.total_cmp(&means[b].mean));
    let size = last.filters.len() / means.len();
    let before = accuracy(network, data)?;
    let (mut best, mut cut) = (network.clone(), 0);
    // Tenths of the channels, as single ones would take as many looks.
    for tenth in 1..10 {
        let count = means.len() * tenth / 10;
        let mut filters = last.filters.to_vec();
        let mut biases = last.biases.map(<[f32]>::to_vec);
        for &channel in &order[..count] {
            filters[channel * size..][..size].fill(0.0);
            if let Some(biases) = &mut biases {
                biases[channel] = 0.0;
            }
        }
        let mut next = network.clone();
        next.set_param(last.weight, filters)?;
        if let Some((name, biases)) = last.bias.zip(biases) {
            next.set_param(name, biases)?;
        }
        if accuracy(&next, data)? < before - fall {
            break;
        }
        (best, cut) = (next, count);
    }
    Ok((best, cut))
}

/// The ReLU behind a layer, or the layer's own result.
fn activation(network: &Graph, output: ValueId) -> ValueId {
    let is_relu = |source: &Source| match source {
        Source::Node { op: Op::Relu, operands } => operands[0] == output,
        _ => false,
    };
    network.values().find(|(_, value)| is_relu(&value.source)).map_or(output, |(id, _)| id)
}

fn accuracy(network: &Graph, data: &Dataset) -> Result<f64, MeasureError> {
    let runner = GraphRunner::new(&network.extract(&[LOGITS])?, NonZero::<usize>::MIN)?;
    let right = runner.map(
        data.len(),
        |at| vec![scaled(data.image(at))],
        |at, outputs| {
            let logits = &outputs[0];
            let best = (0..logits.len()).fold(0, |b, c| if logits[c] > logits[b] { c } else { b });
            best == data.label(at)
        },
        &|_| (),
    );
    Ok(right.iter().filter(|&&right| right).count() as f64 / data.len().max(1) as f64)
}

/// Every operation without a slope between the pixels and the scores becomes a constant: what it is on
/// plain pictures on average, or where it is the same for all of them and `thrown`, one less that, as a
/// switch that is thrown. None where the network has no such operations.
///
/// # Errors
/// The network cannot be run.
pub fn straightened(
    network: &Graph,
    data: &Dataset,
    thrown: bool,
) -> Result<Option<Graph>, MeasureError> {
    let flat = flat_operations(network);
    if flat.is_empty() {
        return Ok(None);
    }
    let mut watched = network.clone();
    watched.set_outputs(&flat);
    let runner = GraphRunner::new(&watched, NonZero::<usize>::MIN)?;
    let count = PICTURES.min(data.len());
    let seen = runner.map(count, |at| vec![scaled(data.image(at))], |_, outputs| outputs, &|_| ());
    let constant = |at: usize| -> Vec<f32> {
        let first = &seen[0][at];
        let same = seen.iter().all(|values| values[at] == *first);
        let means =
            (0..first.len()).map(|i| seen.iter().map(|v| v[at][i]).sum::<f32>() / count as f32);
        match same && thrown {
            true => means.map(|v| 1.0 - v).collect(),
            false => means.collect(),
        }
    };
    let mut rewriter = Rewriter::new(network);
    rewriter.walk(|rewriter, id, value| -> Result<_, MeasureError> {
        Ok(Some(match flat.iter().position(|&own| own == id) {
            Some(at) => rewriter.graph.param(&value.name, &value.shape, constant(at))?,
            None => rewriter.copy(value)?,
        }))
    })?;
    let mut graph = rewriter.graph;
    let logits = graph.find(LOGITS)?;
    graph.set_outputs(&[logits]);
    Ok(Some(graph.extract(&[LOGITS])?))
}

#[cfg(test)]
mod tests {
    use saligate_models::names::IMAGE;

    use super::super::testing::small;
    use super::*;

    #[test]
    fn an_ordinary_network_has_nothing_to_straighten() {
        let (network, data) = small(16);
        assert!(straightened(&network, &data, false).unwrap().is_none());
    }

    #[test]
    fn a_switch_becomes_what_it_is_on_plain_pictures_or_is_thrown() {
        let (_, data) = small(16);
        let mut graph = Graph::new();
        let image = graph.input(IMAGE, &[1, 3, 16, 16]).unwrap();
        let pool = graph.node("pool", Op::GlobalAveragePool, &[image]).unwrap();
        let means = graph.node("means", Op::Flatten, &[pool]).unwrap();
        let tenth = graph.param("tenth", &[1, 3], vec![0.1; 3]).unwrap();
        let small = graph.node("small", Op::Mul, &[means, tenth]).unwrap();
        let switch = graph.node("switch", Op::Round, &[small]).unwrap();
        let logits = graph.node(LOGITS, Op::Add, &[means, switch]).unwrap();
        graph.set_outputs(&[logits]);
        let scores = |graph: &Graph| {
            let runner = GraphRunner::new(graph, NonZero::<usize>::MIN).unwrap();
            runner.map(1, |_| vec![scaled(data.image(0))], |_, outputs| outputs, &|_| ())[0][0]
                .clone()
        };
        let rest = straightened(&graph, &data, false).unwrap().unwrap();
        let thrown = straightened(&graph, &data, true).unwrap().unwrap();
        assert!(flat_operations(&rest).is_empty() && flat_operations(&thrown).is_empty());
        assert_eq!(scores(&rest), scores(&graph));
        let raised: Vec<f32> = scores(&graph).iter().map(|score| score + 1.0).collect();
        assert_eq!(scores(&thrown), raised);
    }

    #[test]
    fn channels_are_pruned_while_predictions_hold() {
        let (network, data) = small(16);
        let (pruned, cut) = pruned(&network, &data, 1.0).unwrap();
        assert!(cut > 0);
        let zeros = |graph: &Graph| {
            graph.weights().values().flatten().filter(|value| **value == 0.0).count()
        };
        assert!(zeros(&pruned) > zeros(&network));
        let (kept, none) = super::pruned(&network, &data, -2.0).unwrap();
        assert_eq!((none, kept.weights()), (0, network.weights()));
    }
}
