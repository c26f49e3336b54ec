//! Trained weights from safetensors files.

use std::collections::BTreeSet;
use std::path::Path;

use safetensors::{Dtype, SafeTensors};
use saligate_models::graph::{Graph, Op, Source};

use crate::error::TrainError;

/// Suffix of PyTorch's batch counters, which nothing here uses.
const COUNTER: &str = "num_batches_tracked";

/// What becomes of the last layer that has weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// It is loaded like all others.
    Loaded,
    /// It stays as it is, and the tensors of its name, if the file has any, are left out: for
    /// networks that were trained on other classes.
    New,
}

/// Replaces everything that training changes in `graph` by the tensors of a safetensors file: the
/// weights and biases, and the running statistics of batch norms.
///
/// A tensor belongs to the parameter of the same name. The zoo names its parameters as PyTorch
/// does (`layer1.0.conv1.weight`), with the same axes. Counters of batches are left out.
///
/// # Errors
/// The file cannot be read; a tensor is missing, belongs to no parameter, is not of 32-bit floats,
/// or has another shape than its parameter; or a value is not finite.
pub fn load(graph: &mut Graph, path: &Path, head: Head) -> Result<(), TrainError> {
    let bytes =
        std::fs::read(path).map_err(|source| TrainError::Io { path: path.to_owned(), source })?;
    let bad = |reason: String| TrainError::Weights { path: path.to_owned(), reason };
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|error| bad(format!("is no safetensors file: {error}")))?;
    let left_out = match head {
        Head::Loaded => BTreeSet::new(),
        Head::New => last_layer(graph),
    };
    let wanted: BTreeSet<String> = learned(graph).difference(&left_out).cloned().collect();
    let names = file.names().into_iter().filter(|n| !n.ends_with(COUNTER)).map(str::to_owned);
    let found: BTreeSet<String> = names.filter(|n| !left_out.contains(n)).collect();
    let list = |names: Vec<&String>| {
        let shown: Vec<&str> = names.iter().take(5).map(|n| n.as_str()).collect();
        let more = if names.len() > shown.len() { ", ..." } else { "" };
        format!("{}{more}", shown.join(", "))
    };
    let missing: Vec<_> = wanted.difference(&found).collect();
    if !missing.is_empty() {
        return Err(bad(format!(
            "lacks {} of the network's tensors: {}",
            missing.len(),
            list(missing)
        )));
    }
    let extra: Vec<_> = found.difference(&wanted).collect();
    if !extra.is_empty() {
        return Err(bad(format!(
            "has {} tensors that the network does not: {}",
            extra.len(),
            list(extra)
        )));
    }
    for name in &wanted {
        let tensor = file.tensor(name).map_err(|error| bad(error.to_string()))?;
        let shape = graph.shape(graph.find(name)?);
        if tensor.dtype() != Dtype::F32 || tensor.shape() != shape {
            return Err(bad(format!(
                "tensor '{name}' is {:?} {:?}; the network needs F32 {shape:?}",
                tensor.dtype(),
                tensor.shape()
            )));
        }
        let values = tensor.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b));
        graph.set_param(name, values.collect::<Vec<f32>>())?;
    }
    Ok(())
}

/// Names of all parameters that training changes.
fn learned(graph: &Graph) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = graph.trainable().into_iter().collect();
    for (_, value) in graph.values() {
        if let Source::Node { op: Op::BatchNorm { .. }, operands } = &value.source {
            names.extend(operands[1..].iter().map(|&o| graph.value(o).name.clone()));
        }
    }
    names
}

/// Names of the parameters of the last convolution or dense layer.
fn last_layer(graph: &Graph) -> BTreeSet<String> {
    let last = graph.values().rev().find_map(|(_, value)| match &value.source {
        Source::Node { op: Op::Conv(_) | Op::Gemm { .. }, operands } => Some(&operands[1..]),
        _ => None,
    });
    last.into_iter().flatten().map(|&o| graph.value(o).name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use safetensors::tensor::TensorView;
    use saligate_models::zoo::{Architecture, Task, build};

    use super::*;

    /// Name, shape and bytes.
    type Tensors = Vec<(String, Vec<usize>, Vec<u8>)>;

    fn net(seed: u64) -> Graph {
        let task = Task {
            image: [1, 8, 8],
            classes: 2,
            mean: vec![0.5],
            std: vec![0.25],
            bgr: false,
            widths: Some([2, 2, 2, 2, 4, 2]),
        };
        build(Architecture::Small, &task, seed).unwrap()
    }

    /// A file of the net's tensors, after `change`, loaded into another net.
    fn loaded(head: Head, change: impl Fn(&mut Tensors)) -> (Graph, Result<(), TrainError>) {
        let source = net(1);
        let mut tensors = Vec::new();
        for name in learned(&source) {
            let id = source.find(&name).unwrap();
            let Source::Param(data) = &source.value(id).source else { unreachable!() };
            let bytes: Vec<u8> = data.iter().flat_map(|v| v.to_le_bytes()).collect();
            tensors.push((name, source.shape(id).to_vec(), bytes));
        }
        change(&mut tensors);
        let views = tensors.iter().map(|(name, shape, bytes)| {
            (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
        });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net.safetensors");
        std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
        let mut graph = net(2);
        let result = load(&mut graph, &path, head);
        (graph, result)
    }

    #[test]
    fn all_tensors_arrive() {
        let (graph, result) = loaded(Head::Loaded, |_| ());
        result.unwrap();
        assert_eq!(graph, net(1));
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let message = |result: Result<(), TrainError>| result.unwrap_err().to_string();
        let (_, lacking) = loaded(Head::Loaded, |tensors| drop(tensors.remove(0)));
        assert!(message(lacking).contains("lacks 1 of the network's tensors: conv1.bias"));
        let (_, extra) =
            loaded(Head::Loaded, |tensors| tensors.push(("head".into(), vec![1], vec![0; 4])));
        assert!(message(extra).contains("has 1 tensors that the network does not: head"));
        let (_, other) = loaded(Head::Loaded, |tensors| tensors[0].1 = vec![1, 2]);
        assert!(message(other).contains("'conv1.bias' is F32 [1, 2]; the network needs F32 [2]"));
        let nan = f32::NAN.to_le_bytes();
        let (_, nan) = loaded(Head::Loaded, |tensors| tensors[0].2[..4].copy_from_slice(&nan));
        assert!(message(nan).contains("conv1.bias"));
    }

    #[test]
    fn a_new_head_stays_random_whatever_the_file_has() {
        let changes: [fn(&mut Tensors); 3] = [
            |_| (),
            |tensors| tensors.retain(|(name, ..)| !name.starts_with("dense3")),
            |tensors| {
                let bias = tensors.iter_mut().find(|(name, ..)| name == "dense3.bias").unwrap();
                (bias.1, bias.2) = (vec![3], vec![0; 12]);
            },
        ];
        for change in changes {
            let (graph, result) = loaded(Head::New, change);
            result.unwrap();
            for name in learned(&graph) {
                let of = |graph: &Graph| graph.value(graph.find(&name).unwrap()).source.clone();
                let origin = if name.starts_with("dense3") { net(2) } else { net(1) };
                assert_eq!(of(&graph), of(&origin), "{name}");
            }
        }
        let (_, lacking) = loaded(Head::New, |tensors| drop(tensors.remove(0)));
        assert!(lacking.unwrap_err().to_string().contains("conv1.bias"));
        let (_, extra) =
            loaded(Head::New, |tensors| tensors.push(("head".into(), vec![1], vec![0; 4])));
        assert!(extra.unwrap_err().to_string().contains("head"));
    }

    #[test]
    fn counters_of_batches_are_left_out() {
        let (_, result) = loaded(Head::Loaded, |t| {
            t.push(("bn1.num_batches_tracked".into(), vec![1], vec![0; 4]))
        });
        result.unwrap();
    }

    #[test]
    fn a_file_of_something_else_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        assert!(matches!(load(&mut net(1), &path, Head::Loaded), Err(TrainError::Io { .. })));
        std::fs::write(&path, "weights").unwrap();
        assert!(matches!(load(&mut net(1), &path, Head::Loaded), Err(TrainError::Weights { .. })));
    }
}
