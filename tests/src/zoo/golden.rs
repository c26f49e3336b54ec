//! What PyTorch answers, and what the engines here do.

use std::fs;

use ndarray::ArrayD;
use safetensors::SafeTensors;
use saligate_files::ModelFile;
use saligate_models::reference;
use saligate_runtime::Target;
use saligate_runtime::picture::Picture;
use saligate_train::{Backend, run_graph};

use super::{CLASSES, Case, Closeness, METHODS};
use crate::root;

/// Of the gradient every so many values are kept: a number that no stride of a network divides.
const STEP: usize = 13;

/// Logits and the attributions of [`METHODS`] for the predicted class, in that order, flat; of the
/// gradient only some values.
pub struct Answers(Vec<Vec<f64>>);

impl Answers {
    fn new(mut outputs: Vec<Vec<f64>>) -> Self {
        outputs[1] = outputs[1].iter().copied().step_by(STEP).collect();
        Self(outputs)
    }

    /// Closeness of each output to the expected one.
    pub fn closeness(&self, expected: &Self) -> Vec<Closeness> {
        let pairs = self.0.iter().zip(&expected.0);
        pairs.map(|(found, expected)| Closeness::of(found, expected)).collect()
    }
}

/// An engine that runs model files or graphs.
#[derive(Clone, Copy, Debug)]
pub enum Engine {
    /// The reference in f64.
    Reference,
    /// Burn on its flex backend, in f32.
    Burn,
    /// The runtime's own engine, in f32.
    Native,
    /// tract, in f32, from the bytes of the file.
    Tract,
}

impl Engine {
    /// What the engine answers for a model of a case.
    ///
    /// # Panics
    /// The model cannot be run.
    pub fn answers(self, case: Case, model: &ModelFile) -> Answers {
        match self {
            Self::Reference => by_reference(case, model),
            Self::Burn => by_burn(case, model),
            Self::Native => by_runtime(case, model, saligate_runtime::EngineKind::Native),
            Self::Tract => by_runtime(case, model, saligate_tract::OPTIMIZED),
        }
    }
}

fn by_reference(case: Case, model: &ModelFile) -> Answers {
    let shape = [&[1], &case.image[..]].concat();
    let values = case.values().into_iter().map(f64::from).collect();
    let image = ArrayD::from_shape_vec(shape, values).expect("an image of the case");
    let inputs = [image, ArrayD::zeros(vec![1, CLASSES])];
    let outputs = reference::run(model.graph(), &inputs).expect("the reference runs every graph");
    Answers::new(outputs.iter().map(|a| a.iter().copied().collect()).collect())
}

fn by_burn(case: Case, model: &ModelFile) -> Answers {
    let shape = [&[1], &case.image[..]].concat();
    let inputs = [(case.values(), shape), (vec![0.0; CLASSES], vec![1, CLASSES])];
    let outputs = run_graph(model.graph(), Backend::Flex, &inputs).expect("flex is built in");
    Answers::new(outputs.iter().map(|values| wide(values)).collect())
}

fn by_runtime(case: Case, model: &ModelFile, backend: saligate_runtime::EngineKind) -> Answers {
    let [channels, rows, columns] = case.image;
    let read = ModelFile::from_bytes(&model.to_onnx()).expect("the file is whole");
    let runtime = saligate_runtime::Model::new_on(read, backend).expect("the engine is built in");
    let picture = Picture::from_planar(channels, rows, columns, case.pixels());
    let picture = picture.expect("an image of the case");
    let explain = |name: &str| {
        let explained = runtime.explain_by(name, &picture, Target::Predicted, None);
        explained.expect("the file has the method")
    };
    let explained = METHODS.map(|method| explain(method.name()));
    let mut outputs = vec![wide(&explained[0].prediction.logits)];
    outputs.extend(explained.iter().map(|e| wide(&e.attribution.values)));
    Answers::new(outputs)
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

/// The answers of PyTorch, as `tests/reference/zoo.py` writes them.
pub struct Golden(Vec<u8>);

impl Golden {
    /// Opens the committed file.
    ///
    /// # Panics
    /// It is not there.
    pub fn open() -> Self {
        let path = root().join("tests/reference/zoo.safetensors");
        Self(fs::read(path).expect("the golden file is committed"))
    }

    /// The expected answers of a case.
    ///
    /// # Panics
    /// The file does not have them.
    pub fn answers(&self, case: Case) -> Answers {
        let tensors = SafeTensors::deserialize(&self.0).expect("the golden file is whole");
        let names = METHODS.map(|method| method.name());
        let array = |output: &str| {
            let name = format!("{}.{output}", case.architecture);
            let view = tensors.tensor(&name).expect("the golden file has all networks");
            let values = view.data().as_chunks::<4>().0.iter();
            values.map(|b| f64::from(f32::from_le_bytes(*b))).collect()
        };
        Answers(["logits"].into_iter().chain(names).map(array).collect())
    }
}
