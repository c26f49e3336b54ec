//! An open model file.

mod keys;
mod run;

use std::num::NonZero;
use std::path::Path;
use std::sync::OnceLock;

use saligate_files::manifest::{Manifest, MethodSpec};
use saligate_files::{FileError, ModelFile};
use saligate_kernels::{Crew, Wiping};
use saligate_models::graph::Graph;
use saligate_models::names::KEY_FOUND;
use saligate_models::random::Stream;

use crate::engine::{Engine, EngineKind, Network};
use crate::error::RuntimeError;

pub(crate) use self::keys::{check_key, shape};
pub(crate) use self::run::Answer;

/// A model that predicts and explains.
///
/// Plans are made when they are first needed: predicting alone costs no explanation. A model can
/// be shared between threads.
pub struct Model {
    file: ModelFile,
    network: Network,
    /// Whether the network tells that a key was found.
    tells: bool,
    predictor: OnceLock<Engine>,
    heads: Vec<Head>,
    crew: Crew,
    /// Held for a network that was sealed. Dropped last.
    _wiping: Option<Wiping>,
}

/// A method of the file.
struct Head {
    /// Channels, rows and columns of its attribution.
    shape: [usize; 3],
    engine: OnceLock<Engine>,
}

impl Model {
    /// Opens a model file.
    ///
    /// # Errors
    /// The file cannot be read, is no ONNX model, has no manifest or one that contradicts the
    /// network, or holds weights that are not finite.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, RuntimeError> {
        Self::open_on(path, EngineKind::Native)
    }

    /// [`Model::open`] with an engine of the caller's choice.
    ///
    /// # Errors
    /// As [`Model::open`], or the engine cannot run the network.
    pub fn open_on(path: impl AsRef<Path>, engine: EngineKind) -> Result<Self, RuntimeError> {
        let path = path.as_ref();
        let model = ModelFile::open(path);
        let opened = model.map_err(RuntimeError::from).and_then(|m| Self::loaded(m, engine));
        opened.map_err(|error| error.in_file(path))
    }

    /// Opens the bytes of a model file.
    ///
    /// # Errors
    /// As [`Model::open`], except for reading.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RuntimeError> {
        Self::loaded(ModelFile::from_bytes(bytes)?, EngineKind::Native)
    }

    /// A model that is in memory: one that was just imported or trained.
    ///
    /// # Errors
    /// The engine cannot run the network.
    pub fn new(model: ModelFile) -> Result<Self, RuntimeError> {
        Self::new_on(model, EngineKind::Native)
    }

    /// [`Model::new`] with an engine of the caller's choice.
    ///
    /// # Errors
    /// As [`Model::new`], or the engine cannot run the network.
    pub fn new_on(model: ModelFile, engine: EngineKind) -> Result<Self, RuntimeError> {
        Self::loaded(model, engine)
    }

    /// A network that was sealed, whose memory is wiped.
    pub(crate) fn unsealed(
        file: ModelFile,
        engine: EngineKind,
        wiping: Wiping,
    ) -> Result<Self, RuntimeError> {
        Ok(Self { _wiping: Some(wiping), ..Self::loaded(file, engine)? })
    }

    fn loaded(file: ModelFile, engine: EngineKind) -> Result<Self, RuntimeError> {
        let mut graph = file.graph().clone();
        let key_found = graph.find(KEY_FOUND).ok();
        let outputs = [graph.outputs(), key_found.as_slice()].concat();
        graph.set_outputs(&outputs);
        let head = |method: &MethodSpec| {
            let shape = file.attribution_shape(&method.output)?;
            Ok(Head { shape, engine: OnceLock::new() })
        };
        let heads = file.manifest().methods.iter().map(head);
        let heads = heads.collect::<Result<_, RuntimeError>>()?;
        Ok(Self {
            tells: key_found.is_some(),
            network: Network::new(graph, engine)?,
            file,
            predictor: OnceLock::new(),
            heads,
            crew: Crew::single(),
            _wiping: None,
        })
    }

    /// The same model with some threads to run on, 1 by default: they share the work on one image,
    /// and take a pass each of methods of many [`passes`](crate::passes). Results do not depend on
    /// their number, bit for bit.
    ///
    /// # Errors
    /// They are more than [`MAX_THREADS`](crate::MAX_THREADS), or the system does not start so many.
    pub fn with_threads(self, threads: NonZero<usize>) -> Result<Self, RuntimeError> {
        let crew = Crew::new(threads.get()).map_err(RuntimeError::Threads)?;
        Ok(Self { crew, ..self })
    }

    /// The same model with the elements of every large weight in another order, run on one thread: what
    /// its maps still show does not rest on the weights. None for a model that was sealed, whose weights
    /// are not copied.
    ///
    /// # Errors
    /// The engine cannot run the network.
    pub fn shuffled(&self, seed: u64) -> Result<Option<Self>, RuntimeError> {
        if self._wiping.is_some() || self.file.sealed_part().is_some() {
            return Ok(None);
        }
        let mut stream = Stream::new(seed, "shuffled weights");
        let change = |graph: &mut Graph| Ok::<_, FileError>(graph.shuffle_weights(&mut stream)?);
        Ok(Some(Self::new(self.file.clone().map_graph(change)?)?))
    }

    /// What the file says of itself.
    pub fn manifest(&self) -> &Manifest {
        self.file.manifest()
    }

    /// The method of this name.
    ///
    /// # Errors
    /// The file has no such method; the error lists those it has.
    pub fn method(&self, name: &str) -> Result<&MethodSpec, RuntimeError> {
        Ok(&self.manifest().methods[self.position(name)?])
    }

    /// Where a method stands in the file.
    fn position(&self, method: &str) -> Result<usize, RuntimeError> {
        let methods = &self.manifest().methods;
        methods.iter().position(|m| m.name == method).ok_or_else(|| RuntimeError::NoSuchMethod {
            asked: method.to_owned(),
            known: methods.iter().map(|m| m.name.clone()).collect(),
        })
    }
}
