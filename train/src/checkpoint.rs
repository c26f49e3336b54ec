//! The state of a stage between two steps, in one safetensors file.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use saligate_files::atomic::write_atomic;

use crate::engine::{Array, State, Trained};
use crate::error::TrainError;

/// Start of the names of what a stage knows beside its parameters.
const NOTE: &str = "note/";

/// What a checkpoint must agree with.
pub(crate) struct Label<'a> {
    /// Name of the stage.
    pub(crate) stage: &'a str,
    /// Digest of the configuration and of whatever else the stage starts from.
    pub(crate) origin: &'a str,
}

/// Writes the state after `steps` steps, replacing the file as a whole.
pub(crate) fn save(
    path: &Path,
    label: &Label<'_>,
    steps: usize,
    trained: &Trained,
) -> Result<(), TrainError> {
    let mut arrays: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    let mut push = |name: String, shape: Vec<usize>, data: &[f32]| {
        arrays.push((name, shape, data.iter().flat_map(|v| v.to_le_bytes()).collect()));
    };
    for (name, shape, data) in trained.parameters.iter() {
        push(format!("weight/{name}"), shape, &data);
    }
    for (name, state) in trained.optim.states() {
        push(format!("first/{name}"), state.first.shape(), &state.first.to_vec());
        push(format!("second/{name}"), state.second.shape(), &state.second.to_vec());
    }
    for (name, data) in &trained.statistics {
        push(format!("statistic/{name}"), vec![data.len()], data);
    }
    for (name, data) in &trained.notes {
        push(format!("{NOTE}{name}"), vec![data.len()], data);
    }
    for (name, data) in trained.average.iter().flat_map(|average| &average.values) {
        push(format!("average/{name}"), vec![data.len()], data);
    }
    write(path, label, steps, arrays)
}

/// Replaces a file by arrays of a name, a shape and bytes.
fn write(
    path: &Path,
    label: &Label<'_>,
    steps: usize,
    arrays: Vec<(String, Vec<usize>, Vec<u8>)>,
) -> Result<(), TrainError> {
    let views = arrays.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
        view.map(|view| (name.as_str(), view))
    });
    let metadata = HashMap::from([
        ("stage".to_owned(), label.stage.to_owned()),
        ("origin".to_owned(), label.origin.to_owned()),
        ("steps".to_owned(), steps.to_string()),
    ]);
    let bytes = views
        .collect::<Result<Vec<_>, _>>()
        .and_then(|views| safetensors::serialize(views, Some(metadata)))
        .map_err(|error| bad(path, format!("cannot be written: {error}")))?;
    write_atomic(path, &bytes).map_err(|source| TrainError::Io { path: path.to_owned(), source })
}

/// Reads the state into `trained`, which has the same parameters, and returns the steps done.
pub(crate) fn load(
    path: &Path,
    label: &Label<'_>,
    trained: &mut Trained,
) -> Result<usize, TrainError> {
    let bytes = read(path)?;
    let (file, steps) = opened(path, label, &bytes)?;
    let array = |name: &str, shape: &[usize]| array(path, &file, name, shape);
    let shapes: Vec<(String, Vec<usize>)> =
        trained.parameters.iter().map(|(name, shape, _)| (name.to_owned(), shape)).collect();
    let inner = trained.device().clone().inner();
    for (name, shape) in shapes {
        trained.parameters.set(&name, array(&format!("weight/{name}"), &shape)?, &shape);
        if file.tensor(&format!("first/{name}")).is_ok() {
            let moment = |kind: &str| {
                Ok::<_, TrainError>(Array::new(
                    array(&format!("{kind}/{name}"), &shape)?,
                    &shape,
                    &inner,
                ))
            };
            let state = State { time: steps, first: moment("first")?, second: moment("second")? };
            trained.optim.restore(&name, state);
        }
    }
    for (name, data) in &mut trained.statistics {
        *data = array(&format!("statistic/{name}"), &[data.len()])?;
    }
    trained.notes.clear();
    for (name, view) in file.tensors() {
        if let Some(note) = name.strip_prefix(NOTE) {
            trained.notes.insert(note.to_owned(), array(&name, view.shape())?);
        }
    }
    if let Some(average) = &mut trained.average {
        average.steps = steps;
        for (name, data) in &mut average.values {
            *data = array(&format!("average/{name}"), &[data.len()])?;
        }
    }
    trained.refold();
    Ok(steps)
}

/// Weights of a network by name, and the number of steps that they took, in a file that is replaced
/// as a whole.
pub(crate) fn save_weights(
    path: &Path,
    label: &Label<'_>,
    steps: usize,
    weights: &BTreeMap<String, Vec<f32>>,
) -> Result<(), TrainError> {
    let bytes = |data: &Vec<f32>| data.iter().flat_map(|v| v.to_le_bytes()).collect();
    let arrays = weights.iter().map(|(name, data)| (name.clone(), vec![data.len()], bytes(data)));
    write(path, label, steps, arrays.collect())
}

/// What [`save_weights`] has written.
pub(crate) fn load_weights(
    path: &Path,
    label: &Label<'_>,
) -> Result<(usize, BTreeMap<String, Vec<f32>>), TrainError> {
    let bytes = read(path)?;
    let (file, steps) = opened(path, label, &bytes)?;
    let found = file.tensors().into_iter().map(|(name, view)| {
        let values = array(path, &file, &name, view.shape())?;
        Ok((name, values))
    });
    Ok((steps, found.collect::<Result<_, TrainError>>()?))
}

fn read(path: &Path) -> Result<Vec<u8>, TrainError> {
    std::fs::read(path).map_err(|source| TrainError::Io { path: path.to_owned(), source })
}

/// The file of a checkpoint and its number of steps.
fn opened<'a>(
    path: &Path,
    label: &Label<'_>,
    bytes: &'a [u8],
) -> Result<(SafeTensors<'a>, usize), TrainError> {
    let damaged = |error| bad(path, format!("is no checkpoint or a damaged one: {error}"));
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let metadata = header.metadata().clone().unwrap_or_default();
    let said = |key: &str| metadata.get(key).map(String::as_str);
    if said("stage") != Some(label.stage) || said("origin") != Some(label.origin) {
        let reason = "belongs to another stage, configuration or starting model; give the original \
                      ones, or another output folder";
        return Err(bad(path, reason.to_owned()));
    }
    let steps = said("steps").and_then(|s| s.parse().ok());
    let steps = steps.ok_or_else(|| bad(path, "does not say how many steps were done".into()))?;
    Ok((file, steps))
}

fn array(
    path: &Path,
    file: &SafeTensors<'_>,
    name: &str,
    shape: &[usize],
) -> Result<Vec<f32>, TrainError> {
    let view = file.tensor(name).map_err(|e| bad(path, format!("has no '{name}': {e}")))?;
    if view.dtype() != Dtype::F32 || view.shape() != shape {
        return Err(bad(path, format!("has another shape for '{name}': {:?}", view.shape())));
    }
    Ok(view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect())
}

fn bad(path: &Path, reason: String) -> TrainError {
    TrainError::Checkpoint { path: path.to_owned(), reason }
}
