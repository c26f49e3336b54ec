//! What a model file says of itself.

use std::collections::BTreeMap;
use std::fmt;

use saligate_keys::{KeyId, SealedId, TriggerSpec, Vendor};
use saligate_models::gate::GateForm;
use saligate_models::graph::{Graph, GraphError};
use saligate_models::head::Head;
use saligate_models::names::IMAGE;
use saligate_models::saliency::{Attachment, Method, Reduction, output_name};
use serde::{Deserialize, Serialize};

use crate::archive::Precision;

/// The version of the manifest that this library writes, and the newest that it reads.
///
/// Version 2 added the layers of a method, version 3 how pictures are resized, version 4 who signs
/// licences, version 5 the digest of the operations and the strength of keys, version 6 what is sealed
/// in the file; older ones are read as manifests without them.
pub const MANIFEST_VERSION: u32 = 6;

/// The first version with a digest of the operations.
pub(crate) const NETWORK_DIGEST_SINCE: u32 = 5;

/// Largest manifest that is read, in bytes: a thousand labels take 30 KiB.
pub const MAX_MANIFEST_BYTES: usize = 1 << 20;

/// Longest shorter side that pictures are resized to.
const MAX_RESIZE: usize = 1 << 14;

/// Metadata key that holds the manifest in an ONNX file.
pub const MANIFEST_KEY: &str = "saligate.manifest";

/// The manifest of a model, kept as JSON in the ONNX metadata under [`MANIFEST_KEY`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this format.
    pub version: u32,
    /// Program and version that wrote the file.
    pub tool: String,
    /// Name of the architecture, for people.
    pub architecture: String,
    /// Class names, in the order of the logits.
    pub labels: Vec<String>,
    /// What turns its logits into probabilities; a softmax where absent.
    #[serde(default, skip_serializing_if = "is_softmax")]
    pub head: Head,
    /// What the model takes.
    pub input: InputSpec,
    /// Saliency methods in the file, the default one first.
    pub methods: Vec<MethodSpec>,
    /// What the maps depend on; absent for a clean model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// What is [sealed](crate::sealed) in the file; absent where nothing is. The gate is then that of
    /// the sealed network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
    /// SHA-256 of all parameters, hexadecimal: see [`weights_digest`](crate::weights_digest). Empty
    /// until a [`ModelFile`](crate::ModelFile) is made of the manifest.
    pub weights_sha256: String,
    /// SHA-256 of the operations, outputs and methods, hexadecimal: see docs/format.md. Empty until
    /// a [`ModelFile`](crate::ModelFile) is made of the manifest, and before version 5.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub network_sha256: String,
    /// Figures measured on this model, by metric name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
}

fn is_softmax(head: &Head) -> bool {
    *head == Head::Softmax
}

/// Shape and range of the pixels. Standardization is part of the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    /// 1 for grey, 3 for RGB.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Values of a black and a white pixel.
    pub range: [u8; 2],
    /// Pixels that the shorter side of a picture is resized to before the middle is cut out of it;
    /// where absent, the whole picture is stretched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize: Option<usize>,
}

/// One saliency method of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MethodSpec {
    /// Name of the method.
    pub name: String,
    /// Name of the ONNX output that holds its attribution.
    pub output: String,
    /// How the attribution becomes a map.
    pub reduction: Reduction,
    /// Names of the values that the method reads inside the network, from the image to the logits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<String>,
}

impl MethodSpec {
    fn of((position, attachment): (usize, &Attachment)) -> Self {
        let Attachment { method, layers } = attachment;
        Self {
            name: method.name().to_owned(),
            output: output_name(position, *method),
            reduction: method.reduction(),
            layers: layers.clone(),
        }
    }
}

/// What the maps of a gated model depend on. Nothing here is secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// What the trigger does.
    pub form: GateForm,
    /// Shape and strength of the trigger.
    pub trigger: TriggerSpec,
    /// Ids of the keys whose triggers the gate answers to.
    pub keys: Vec<KeyId>,
    /// What the map shows without the key, or with the trigger of a targeted backdoor; empty for an
    /// untargeted one that was trained, which names no picture.
    pub decoy: String,
    /// Who signs licences for the model; where absent, a licence is checked by the signature of the
    /// vendor that it names itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<Vendor>,
    /// Minus the binary logarithm of the share of random keys that would open a built-in gate, as
    /// [`key_strength`](saligate_models::gate::key_strength) bounds it; absent for other gates and
    /// before version 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_strength: Option<f64>,
}

/// What is sealed in a file. Nothing here is secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// Which model it is: what licences are issued for.
    pub id: SealedId,
    /// What the file shows without a key or licence.
    pub public: Public,
    /// How exactly the weights of the sealed network are stored.
    pub precision: Precision,
}

/// What a file with a sealed part shows to those without a key or licence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Public {
    /// The predictions and maps of another network.
    Network,
    /// Nothing: its network gives all classes the same score.
    None,
}

/// Why a manifest cannot be used.
#[derive(Debug)]
pub enum ManifestError {
    /// The file carries no manifest.
    Missing,
    /// The manifest is larger than [`MAX_MANIFEST_BYTES`].
    TooLarge {
        /// Its size in bytes.
        bytes: usize,
    },
    /// Not JSON, or not a manifest.
    Malformed(serde_json::Error),
    /// Written by a newer program.
    Version {
        /// The version found.
        found: u32,
    },
    /// A field contradicts the network or another field.
    Field {
        /// Name of the field.
        field: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str(
                "the file has no saligate manifest; `saligate import` makes one for a classifier",
            ),
            Self::TooLarge { bytes } => {
                write!(f, "the manifest has {bytes} bytes, more than {MAX_MANIFEST_BYTES}")
            }
            Self::Malformed(error) => write!(f, "the manifest is malformed: {error}"),
            Self::Version { found } => write!(
                f,
                "the manifest has version {found}, this program reads up to {MANIFEST_VERSION}; \
                 was it made by a newer saligate?"
            ),
            Self::Field { field, expected, found } => {
                write!(f, "manifest field '{field}': expected {expected}, found {found}")
            }
        }
    }
}

impl std::error::Error for ManifestError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Malformed(error) => Some(error),
            Self::Missing | Self::TooLarge { .. } | Self::Version { .. } | Self::Field { .. } => {
                None
            }
        }
    }
}

impl Manifest {
    /// The manifest of a model without a gate, whose graph has `methods`
    /// [attached](saligate_models::saliency::attach).
    ///
    /// # Errors
    /// The graph has no image input.
    pub fn clean(
        graph: &Graph,
        architecture: &str,
        labels: Vec<String>,
        methods: &[Attachment],
    ) -> Result<Self, GraphError> {
        let id = graph.find(IMAGE)?;
        let &[_, channels, height, width] = graph.shape(id) else {
            return Err(GraphError::Shape {
                node: IMAGE.to_owned(),
                op: "Input",
                operands: vec![graph.shape(id).to_vec()],
                reason: "is no image [batch, channel, row, column]".to_owned(),
            });
        };
        Ok(Self {
            version: MANIFEST_VERSION,
            tool: concat!("saligate ", env!("CARGO_PKG_VERSION")).to_owned(),
            architecture: architecture.to_owned(),
            labels,
            head: Head::Softmax,
            input: InputSpec { channels, height, width, range: [0, 1], resize: None },
            methods: methods.iter().enumerate().map(MethodSpec::of).collect(),
            gate: None,
            sealed: None,
            weights_sha256: String::new(),
            network_sha256: String::new(),
            metrics: BTreeMap::new(),
        })
    }

    /// The manifest as JSON text.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a manifest has string keys and finite numbers only")
    }

    /// Reads a manifest from JSON text.
    ///
    /// # Errors
    /// The text is too large, is no manifest, or has a newer version.
    pub fn from_json(text: &str) -> Result<Self, ManifestError> {
        if text.len() > MAX_MANIFEST_BYTES {
            return Err(ManifestError::TooLarge { bytes: text.len() });
        }
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let Version { version } = serde_json::from_str(text).map_err(ManifestError::Malformed)?;
        if version > MANIFEST_VERSION {
            return Err(ManifestError::Version { found: version });
        }
        let manifest: Self = serde_json::from_str(text).map_err(ManifestError::Malformed)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The same manifest with other methods.
    pub(crate) fn with_methods(self, methods: &[Attachment]) -> Self {
        let methods = methods.iter().enumerate().map(MethodSpec::of).collect();
        Self { methods, ..self }
    }

    /// A method at the layers that it reads here, or where it finds them in a classifier if the file has
    /// not that method.
    ///
    /// # Errors
    /// As [`Attachment::of`].
    pub fn attachment(&self, method: Method, classifier: &Graph) -> Result<Attachment, GraphError> {
        match self.methods.iter().find(|spec| spec.name == method.name()) {
            Some(spec) => Ok(Attachment::at(method, spec.layers.clone())),
            None => Attachment::of(method, classifier),
        }
    }

    /// The default method.
    pub fn method(&self) -> &MethodSpec {
        &self.methods[0]
    }

    /// Checks that the manifest does not contradict itself.
    pub(crate) fn check(&self) -> Result<(), ManifestError> {
        if self.version > MANIFEST_VERSION {
            return Err(ManifestError::Version { found: self.version });
        }
        let field = |field, expected: &str, found: String| {
            Err(ManifestError::Field { field, expected: expected.to_owned(), found })
        };
        let InputSpec { channels, height, width, range, resize } = self.input;
        if ![1, 3].contains(&channels) || height == 0 || width == 0 {
            return field(
                "input",
                "1 or 3 channels and positive sides",
                format!("{:?}", self.input),
            );
        }
        if range != [0, 1] {
            return field("input.range", "[0, 1]", format!("{range:?}"));
        }
        if resize.is_some_and(|shorter| !(height.min(width)..=MAX_RESIZE).contains(&shorter)) {
            let expected = "absent, or from the shorter side of the input to 16384";
            return field("input.resize", expected, format!("{resize:?}"));
        }
        if self.methods.is_empty() {
            return field("methods", "at least one", "none".to_owned());
        }
        for (position, method) in self.methods.iter().enumerate() {
            let same = |m: &MethodSpec| m.name == method.name || m.output == method.output;
            if self.methods[..position].iter().any(same) {
                return field("methods", "different names and outputs", method.name.clone());
            }
        }
        let has_key = |gate: &Gate| gate.form == GateForm::Key && gate.vendor.is_some();
        if self.sealed.is_some() && !self.gate.as_ref().is_some_and(has_key) {
            let found = "another one, or none".to_owned();
            return field(
                "gate",
                "one of the key form with a vendor, as something is sealed",
                found,
            );
        }
        if self.gate.as_ref().is_some_and(|gate| gate.keys.is_empty()) {
            return field("gate.keys", "at least one key id", "none".to_owned());
        }
        if let Some(bits) = self.gate.as_ref().and_then(|gate| gate.key_strength)
            && !(bits.is_finite() && bits >= 0.0)
        {
            return field("gate.key_strength", "a number of bits", bits.to_string());
        }
        if let Some((name, value)) = self.metrics.iter().find(|(_, value)| !value.is_finite()) {
            return field("metrics", "finite figures", format!("{value} for {name}"));
        }
        Ok(())
    }
}
