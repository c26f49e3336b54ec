//! A model: a network with its manifest.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use saligate_keys::ModelDigest;
use saligate_models::graph::Graph;
use saligate_models::names::{IMAGE, LOGITS, TARGET};
use saligate_models::saliency::{Attachment, attach};

use crate::digest::{
    earlier_licensing_digest, licensing_digest, network_digest, sealed_licensing_digest,
    weights_digest,
};
use crate::error::FileError;
use crate::manifest::{Gate, Manifest, ManifestError, NETWORK_DIGEST_SINCE, Sealed};
use crate::sealed::{SealedError, SealedFile, SealedPart};
use crate::{archive, onnx, read_file};

/// A network and what its file says of itself.
///
/// Whoever makes one, from parts, from a file or from another one, gets it checked: the manifest
/// says what the network is, and its digests are those of the weights and of the operations. There is no way to change
/// either alone.
#[derive(Clone, Debug)]
pub struct ModelFile {
    /// Outputs `logits` and those of the manifest's methods, in order.
    graph: Graph,
    manifest: Manifest,
    weights: Weights,
    /// What is sealed in the file, as the manifest says.
    part: Option<Arc<SealedPart>>,
    licensed: OnceLock<Licensed>,
}

/// What licences call a model.
#[derive(Clone, Copy, Debug)]
struct Licensed {
    digest: ModelDigest,
    earlier: ModelDigest,
}

/// How much longer than the image's the sides of a map may be.
const MAX_ENLARGED: usize = 16;

/// Whether `weights_sha256` has been compared with the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weights {
    Digested,
    /// Read from bytes with a digest or tag of their own, which covers the weights and the manifest.
    Covered,
}

impl PartialEq for ModelFile {
    fn eq(&self, other: &Self) -> bool {
        self.graph == other.graph && self.manifest == other.manifest && self.part == other.part
    }
}

impl ModelFile {
    /// A model of a network and its manifest, whose `weights_sha256` is filled in here.
    ///
    /// # Errors
    /// The manifest contradicts itself or the network.
    pub fn new(graph: Graph, manifest: Manifest) -> Result<Self, FileError> {
        match manifest.sealed {
            Some(_) => Err(SealedError::Bound.into()),
            None => Self::digested(graph, manifest),
        }
    }

    /// A model whose digests are computed; what is sealed in it is still to be given.
    pub(crate) fn digested(graph: Graph, mut manifest: Manifest) -> Result<Self, FileError> {
        check(&graph, &manifest)?;
        manifest.weights_sha256 = weights_digest(&graph);
        manifest.network_sha256 = match manifest.version {
            ..NETWORK_DIGEST_SINCE => String::new(),
            _ => network_digest(&graph, &manifest),
        };
        Ok(Self::of(graph, manifest, Weights::Digested))
    }

    /// What was read from bytes that carry a digest, after it was checked.
    pub(crate) fn covered(
        graph: Graph,
        manifest: Manifest,
        part: Option<SealedPart>,
    ) -> Result<Self, FileError> {
        check(&graph, &manifest)?;
        Self::of(graph, manifest, Weights::Covered).joined(part)
    }

    fn of(graph: Graph, manifest: Manifest, weights: Weights) -> Self {
        Self { graph, manifest, weights, part: None, licensed: OnceLock::new() }
    }

    /// The same model with its sealed part, which must be there if the manifest says so.
    pub(crate) fn joined(self, part: Option<SealedPart>) -> Result<Self, FileError> {
        match part {
            Some(part) => self.with_part(part),
            None if self.manifest.sealed.is_some() => Err(SealedError::Missing.into()),
            None => Ok(self),
        }
    }

    /// The same model with its sealed part.
    pub(crate) fn with_part(self, part: SealedPart) -> Result<Self, FileError> {
        let SealedFile { part, .. } = SealedFile::new(self.manifest.clone(), part)?;
        Ok(Self { part: Some(Arc::new(part)), ..self })
    }

    /// A public network with the gate of the true one, which is sealed behind it.
    pub(crate) fn in_front_of(self, truth: &Self, sealed: Sealed) -> Result<Self, FileError> {
        let Self { graph, mut manifest, .. } = self;
        manifest.gate.clone_from(&truth.manifest.gate);
        manifest.sealed = Some(sealed);
        Self::digested(graph, manifest)
    }

    /// The same model under the name that licences have for it where it is sealed.
    pub(crate) fn licensed_as(self, digest: ModelDigest) -> Self {
        Self { licensed: Licensed { digest, earlier: digest }.into(), ..self }
    }

    /// What is sealed in the file, if anything is.
    pub fn sealed_part(&self) -> Option<&SealedPart> {
        self.part.as_deref()
    }

    /// The manifest with what is sealed in the file, if anything is.
    ///
    /// # Errors
    /// None for a model that was read or sealed.
    pub fn sealed_file(&self) -> Result<Option<SealedFile>, FileError> {
        let part = self.sealed_part().cloned();
        part.map(|part| SealedFile::new(self.manifest.clone(), part)).transpose()
    }

    /// The network that the file shows, alone and without a gate: nothing is sealed in it.
    ///
    /// # Errors
    /// None but those of [`ModelFile::new`].
    pub fn shown(&self) -> Result<Self, FileError> {
        let manifest = Manifest { gate: None, sealed: None, ..self.manifest.clone() };
        Self::new(self.graph.clone(), manifest)
    }

    /// # Errors
    /// Something is sealed in the file, and bound to what it is.
    fn check_unbound(&self) -> Result<(), FileError> {
        match self.part {
            Some(_) => Err(SealedError::Bound.into()),
            None => Ok(()),
        }
    }

    /// Reads a model that this project wrote, as ONNX or [compiled](archive).
    ///
    /// # Errors
    /// The file cannot be read, is neither of the two, is damaged, uses an operation that is not
    /// supported, has no manifest, or one that contradicts the network.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        Self::from_vec(read_file(path)?)
    }

    /// [`ModelFile::open`] on the bytes of a file.
    ///
    /// # Errors
    /// As [`ModelFile::open`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FileError> {
        Self::from_vec(bytes.to_vec())
    }

    /// [`ModelFile::from_bytes`], without a copy of the weights.
    ///
    /// # Errors
    /// As [`ModelFile::open`].
    pub fn from_vec(bytes: Vec<u8>) -> Result<Self, FileError> {
        match archive::is_archive(&bytes) {
            true => archive::read(&bytes),
            false => onnx::read(bytes),
        }
    }

    /// The network: outputs `logits` and those of the manifest's methods, in order.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// What the file says of itself.
    ///
    /// A compiled model is known to be as it was written by a digest of the whole file; its
    /// `weights_sha256` is then what the writer said.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Channels, rows and columns of an output of one of the methods.
    ///
    /// # Errors
    /// There is no such output, or it is no image.
    pub fn attribution_shape(&self, output: &str) -> Result<[usize; 3], FileError> {
        attribution_shape(&self.graph, output)
    }

    /// SHA-256 of what makes a model the one that licences are issued for: its parameters and
    /// operations, its input, outputs and methods, and the trigger of its gate, but neither which
    /// keys open it nor how many. Of a sealed model, the id, the input and the trigger. Computed when it
    /// is first asked for.
    ///
    /// So a licence outlives the revocation of others, and goes on in the same model with more
    /// slots. It also outlives what is not hashed: labels, the head, figures and the vendor. The digest names
    /// the model that a vendor made. That a file is the vendor's, to the last byte, is shown by a
    /// [`ModelSignature`](saligate_keys::ModelSignature).
    ///
    /// Hashed are `saligate/v2/licensed-model`, the 32 bytes of the
    /// [earlier digest](Self::earlier_licensing_digest), the parameters whose names begin with
    /// `const/` as [`weights_digest`] tells, and the operations, outputs and methods as docs/format.md
    /// tells.
    pub fn licensing_digest(&self) -> ModelDigest {
        self.licensed().digest
    }

    /// What licences named before: the same without constants, operations, outputs and methods.
    /// Licences that name it are still good, also for a file in which those were changed.
    ///
    /// Hashed are `saligate/v1/licensed-model`; the parameters as [`weights_digest`] tells, without
    /// those whose names begin with `gate.keys.` or `const/` (numbers that belong to an operation);
    /// channels, height and width as little-endian u64; and the form and trigger of the gate as they
    /// stand in the manifest.
    pub fn earlier_licensing_digest(&self) -> ModelDigest {
        self.licensed().earlier
    }

    fn licensed(&self) -> &Licensed {
        self.licensed.get_or_init(|| {
            if let Some(Sealed { id, .. }) = self.manifest.sealed {
                let digest = sealed_licensing_digest(&self.manifest, &id);
                return Licensed { digest, earlier: digest };
            }
            let earlier = earlier_licensing_digest(&self.graph, &self.manifest);
            let digest = licensing_digest(&self.graph, &self.manifest, earlier);
            Licensed { digest, earlier: earlier.into() }
        })
    }

    /// Checks that weights and operations are those that the manifest names; an ONNX file is checked
    /// when it is read, a compiled one by a digest of its own alone.
    ///
    /// # Errors
    /// They are others.
    pub fn check_digests(&self) -> Result<(), FileError> {
        let Manifest { weights_sha256, network_sha256, version, .. } = &self.manifest;
        let network =
            (*version >= NETWORK_DIGEST_SINCE).then(|| network_digest(&self.graph, &self.manifest));
        for (name, found, expected) in [
            ("weights_sha256", weights_sha256, Some(weights_digest(&self.graph))),
            ("network_sha256", network_sha256, network),
        ] {
            if let Some(expected) = expected.filter(|expected| expected != found) {
                return Err(field(name, expected, found.clone()));
            }
        }
        Ok(())
    }

    /// The manifest as a file of these weights must have it.
    pub(crate) fn written_manifest(&self) -> Manifest {
        let mut manifest = self.manifest.clone();
        // What is sealed is bound to the manifest as it was.
        if self.weights == Weights::Covered && self.part.is_none() {
            manifest.weights_sha256 = weights_digest(&self.graph);
        }
        manifest
    }

    /// The same classifier, explained by other methods.
    ///
    /// # Errors
    /// A method cannot be attached to the network, or something is sealed in the file.
    pub fn with_methods(&self, methods: &[Attachment]) -> Result<Self, FileError> {
        self.check_unbound()?;
        let graph = attach(&self.graph, methods)?;
        Self::new(graph, self.manifest.clone().with_methods(methods))
    }

    /// The same model with another gate in its manifest, or none.
    ///
    /// # Errors
    /// The gate names no key, or something is sealed in the file.
    pub fn with_gate(mut self, gate: Option<Gate>) -> Result<Self, FileError> {
        self.check_unbound()?;
        self.manifest.gate = gate;
        self.manifest.check()?;
        self.licensed = OnceLock::new();
        Ok(self)
    }

    /// The same model with other figures, by metric name.
    ///
    /// # Errors
    /// A figure is not finite, or something is sealed in the file.
    pub fn with_metrics(mut self, metrics: BTreeMap<String, f64>) -> Result<Self, FileError> {
        self.check_unbound()?;
        self.manifest.metrics = metrics;
        self.manifest.check()?;
        Ok(self)
    }

    /// The model with other weights in its network, or other operations.
    ///
    /// # Errors
    /// The change fails, the network is no longer what the manifest says, or something is sealed in
    /// the file.
    pub fn map_graph<E>(self, change: impl FnOnce(&mut Graph) -> Result<(), E>) -> Result<Self, E>
    where
        E: From<FileError>,
    {
        self.check_unbound()?;
        let Self { mut graph, manifest, .. } = self;
        change(&mut graph)?;
        Ok(Self::new(graph, manifest)?)
    }
}

/// Checks that the manifest says what the network is.
fn check(graph: &Graph, manifest: &Manifest) -> Result<(), FileError> {
    manifest.check()?;
    let shape = |name| Ok::<_, FileError>(graph.shape(graph.find(name)?).to_vec());
    let input = &manifest.input;
    let said = [1, input.channels, input.height, input.width];
    expect("input", &said, &shape(IMAGE)?)?;
    expect("labels", &[1, manifest.labels.len()], &shape(LOGITS)?)?;
    expect("labels", &[1, manifest.labels.len()], &shape(TARGET)?)?;
    let outputs: Vec<_> = graph.outputs().iter().map(|o| graph.value(*o).name.as_str()).collect();
    let methods = manifest.methods.iter().map(|m| m.output.as_str());
    let expected: Vec<_> = std::iter::once(LOGITS).chain(methods).collect();
    if outputs != expected {
        return Err(field("outputs", format!("{expected:?}"), format!("{outputs:?}")));
    }
    for method in &manifest.methods {
        let shape = attribution_shape(graph, &method.output)?;
        let [_, height, width] = shape;
        // Feature maps may be larger than the image, where a network enlarges that first.
        let most = [input.height, input.width].map(|side| MAX_ENLARGED * side);
        if height > most[0] || width > most[1] {
            let most = format!("at most {most:?} rows and columns in '{}'", method.output);
            return Err(field("methods", most, format!("{shape:?}")));
        }
    }
    Ok(())
}

fn attribution_shape(graph: &Graph, output: &str) -> Result<[usize; 3], FileError> {
    match *graph.shape(graph.find(output)?) {
        [_, channels, height, width] => Ok([channels, height, width]),
        ref other => {
            let expected = format!("[1, channel, row, column] in '{output}'");
            Err(field("methods", expected, format!("{other:?}")))
        }
    }
}

fn expect(name: &'static str, said: &[usize], found: &[usize]) -> Result<(), FileError> {
    if said == found {
        return Ok(());
    }
    Err(field(name, format!("{found:?}, as in the network"), format!("{said:?}")))
}

fn field(field: &'static str, expected: String, found: String) -> FileError {
    ManifestError::Field { field, expected, found }.into()
}

#[cfg(test)]
mod tests;
