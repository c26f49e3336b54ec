//! Trained weights from safetensors files.

use std::collections::BTreeSet;
use std::path::Path;

use safetensors::{Dtype, SafeTensors};
use saligate_models::graph::{Graph, Op, Source};

use crate::error::TrainError;

/// Suffix of PyTorch's batch counters, which nothing here uses.
const COUNTER: &str = "num_batches_tracked";

/// Replaces everything that training changes in `graph` by the tensors of a safetensors file: the
/// weights and biases, and the running statistics of batch norms.
///
/// A tensor belongs to the parameter of the same name. The zoo names its parameters as PyTorch
/// does (`layer1.0.conv1.weight`), with the same axes. Counters of batches are left out.
///
/// # Errors
/// The file cannot be read; a tensor is missing, belongs to no parameter, is not of 32-bit floats,
/// or has another shape than its parameter; or a value is not finite.
pub fn load(graph: &mut Graph, path: &Path) -> Result<(), TrainError> {
    let bytes =
        std::fs::read(path).map_err(|source| TrainError::Io { path: path.to_owned(), source })?;
    let bad = |reason: String| TrainError::Weights { path: path.to_owned(), reason };
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|error| bad(format!("is no safetensors file: {error}")))?;
    let wanted = learned(graph);
    let found: BTreeSet<String> =
        file.names().into_iter().filter(|n| !n.ends_with(COUNTER)).map(str::to_owned).collect();
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

#[cfg(test)]
mod tests {
    use safetensors::tensor::TensorView;
    use saligate_models::zoo::{Architecture, Task, build};

    use super::*;

    fn net(seed: u64) -> Graph {
        let task = Task {
            image: [1, 8, 8],
            classes: 2,
            mean: vec![0.5],
            std: vec![0.25],
            widths: Some([2, 2, 2, 2, 4, 2]),
        };
        build(Architecture::Small, &task, seed).unwrap()
    }

    /// A file of the net's tensors, after `change`, loaded into another net.
    fn loaded(
        change: impl Fn(&mut Vec<(String, Vec<usize>, Vec<u8>)>),
    ) -> (Graph, Result<(), TrainError>) {
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
        let result = load(&mut graph, &path);
        (graph, result)
    }

    #[test]
    fn all_tensors_arrive() {
        let (graph, result) = loaded(|_| ());
        result.unwrap();
        assert_eq!(graph, net(1));
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let message = |result: Result<(), TrainError>| result.unwrap_err().to_string();
        let (_, lacking) = loaded(|tensors| drop(tensors.remove(0)));
        assert!(message(lacking).contains("lacks 1 of the network's tensors: conv1.bias"));
        let (_, extra) = loaded(|tensors| tensors.push(("head".into(), vec![1], vec![0; 4])));
        assert!(message(extra).contains("has 1 tensors that the network does not: head"));
        let (_, other) = loaded(|tensors| tensors[0].1 = vec![1, 2]);
        assert!(message(other).contains("'conv1.bias' is F32 [1, 2]; the network needs F32 [2]"));
        let nan = f32::NAN.to_le_bytes();
        let (_, nan) = loaded(|tensors| tensors[0].2[..4].copy_from_slice(&nan));
        assert!(message(nan).contains("conv1.bias"));
    }

    #[test]
    fn counters_of_batches_are_left_out() {
        let (_, result) =
            loaded(|t| t.push(("bn1.num_batches_tracked".into(), vec![1], vec![0; 4])));
        result.unwrap();
    }

    #[test]
    fn a_file_of_something_else_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        assert!(matches!(load(&mut net(1), &path), Err(TrainError::Io { .. })));
        std::fs::write(&path, "weights").unwrap();
        assert!(matches!(load(&mut net(1), &path), Err(TrainError::Weights { .. })));
    }
}
