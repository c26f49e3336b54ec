//! Model files and networks from elsewhere, opened alike.

use std::path::Path;

use saligate_files::import::{self, Preprocessing};
use saligate_files::manifest::Manifest;
use saligate_files::onnx::{self, Foreign, OnnxError};
use saligate_files::{ModelFile, read_file};
use saligate_keys::Vendor;
use saligate_models::names::IMAGE;
use saligate_models::saliency::{Attachment, Method, attach};
use saligate_runtime::Model;

use crate::args::{ForeignArgs, RunArgs};
use crate::error::CliError;
use crate::passes::{Base, Pass};
use crate::running::ready;
use crate::sign;

/// Longest file of class names, in bytes: a thousand names take 30 KiB.
const MAX_LABEL_BYTES: u64 = 1 << 20;

/// What a network from elsewhere is opened for.
pub(crate) enum Wanted<'a> {
    /// Predictions.
    Predictions,
    /// An explanation.
    Explanation {
        /// Name of the method, the gradient where absent.
        method: Option<&'a str>,
        /// Layer that Grad-CAM reads.
        layer: Option<&'a str>,
    },
}

/// Opens a model file, or a network from elsewhere with the wanted method attached.
///
/// Where a vendor is named, the file must carry that vendor's signature, which is checked before
/// anything is read from it.
pub(crate) fn open(
    path: &Path,
    vendor: Option<Vendor>,
    args: &ForeignArgs,
    wanted: &Wanted<'_>,
    running: &RunArgs,
) -> Result<Model, CliError> {
    let bytes = read_file(path)?;
    if let Some(vendor) = vendor {
        sign::check(path, &bytes, &vendor, None)?;
    }
    let named = |error: CliError| error.in_file(path);
    if onnx::has_manifest(&bytes) {
        if args.any() || matches!(wanted, Wanted::Explanation { layer: Some(_), .. }) {
            return Err(named(CliError::new(
                "the file has a manifest, which says how pixels enter and which layers are read",
            ))
            .hint(format!("leave out {}, --layer", ForeignArgs::NAMES)));
        }
        let model = ModelFile::from_vec(bytes).map_err(|e| named(e.into()))?;
        return ready(model, running).map_err(named);
    }
    // A signature covers one file, so nothing is read from others.
    let folder = path.parent().filter(|_| vendor.is_none());
    let network = Network::read(path, folder, &bytes, args)?;
    if !args.says_how_pixels_enter() {
        eprintln!(
            "saligate: note: {} has no manifest; its pixels enter as 0 to 1. If it was trained on \
             others, give --mean, --std, --range, --bgr",
            path.display()
        );
    }
    let explained = match wanted {
        Wanted::Predictions => Ok(unused()),
        Wanted::Explanation { method, layer } => network.wanted(*method, *layer),
    };
    let explained = explained.map_err(named)?;
    drop(bytes);
    ready(network.model(&[explained])?, running)
}

/// A method that fits every network, since it only reads the pixels: a model has at least one, also
/// where none is asked for.
fn unused() -> Attachment {
    Attachment::at(Method::VisualBackProp, vec![IMAGE.to_owned()])
}

/// A network from elsewhere, as a classifier of this house.
pub(crate) struct Network {
    classifier: saligate_models::graph::Graph,
    labels: Vec<String>,
    name: String,
    resize: Option<usize>,
}

impl Network {
    /// Reads a network; weights beside the file are looked for in `folder`.
    pub(crate) fn read(
        path: &Path,
        folder: Option<&Path>,
        bytes: &[u8],
        args: &ForeignArgs,
    ) -> Result<Self, CliError> {
        let named = |error: CliError| error.in_file(path);
        let options = onnx::Options { image_size: args.crop, output: args.logits.clone() };
        let foreign = Foreign::from_bytes_with(bytes, folder, &options);
        let foreign = foreign.map_err(|error| match error {
            OnnxError::Open { .. } => named(error.into()).hint("--crop SIDE, or --crop HxW"),
            OnnxError::Outputs { wanted: None, .. } => named(error.into()).hint("--logits NAME"),
            error => named(error.into()),
        })?;
        let classifier = import::classifier(&foreign.graph, &args.preprocessing()?);
        let classifier = classifier.map_err(|e| named(e.into()))?;
        let given = args.labels.as_deref().map(read_labels).transpose()?.or(foreign.labels);
        let labels = import::labels(&classifier, given).map_err(|e| named(e.into()))?;
        let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { classifier, labels, name, resize: args.resize })
    }

    pub(crate) fn named(self, name: Option<&str>) -> Self {
        Self { name: name.map_or(self.name, str::to_owned), ..self }
    }

    /// The method of a name; for those that run the model many times, the one they build on.
    fn wanted(&self, method: Option<&str>, layer: Option<&str>) -> Result<Attachment, CliError> {
        let name = method.unwrap_or(Method::Gradient.name());
        match (name.parse(), Pass::base(name)) {
            (Ok(method), _) => self.explained(method, layer),
            (Err(_), Some(Base::Gradient)) => self.explained(Method::Gradient, layer),
            (Err(_), Some(Base::Predictions)) => {
                self.check_layer(layer, None)?;
                Ok(unused())
            }
            (Err(_), None) => {
                let known = Method::ALL.iter().map(|m| m.name()).chain(Pass::NAMES.iter().copied());
                let known: Vec<_> = known.collect();
                Err(CliError::new(format!("there is no method '{name}'"))
                    .hint(format!("--method {}", known.join(" or "))))
            }
        }
    }

    fn check_layer(&self, layer: Option<&str>, method: Option<Method>) -> Result<(), CliError> {
        if layer.is_some() && method != Some(Method::GradCam) {
            return Err(CliError::new("--layer belongs to grad-cam").hint("--method grad-cam"));
        }
        Ok(())
    }

    /// A method at its layers.
    pub(crate) fn explained(
        &self,
        method: Method,
        layer: Option<&str>,
    ) -> Result<Attachment, CliError> {
        self.check_layer(layer, Some(method))?;
        match (method, layer) {
            (Method::GradCam, Some(layer)) => Ok(Attachment::at(method, vec![layer.to_owned()])),
            _ => Ok(Attachment::of(method, &self.classifier)?),
        }
    }

    /// Whether a method can be attached.
    pub(crate) fn allows(&self, explained: &Attachment) -> Result<(), CliError> {
        attach(&self.classifier, std::slice::from_ref(explained))?;
        Ok(())
    }

    /// The model with these methods, the default one first.
    pub(crate) fn model(self, methods: &[Attachment]) -> Result<ModelFile, CliError> {
        let graph = attach(&self.classifier, methods)?;
        let mut manifest = Manifest::clean(&graph, &self.name, self.labels, methods)?;
        manifest.input.resize = self.resize;
        Ok(ModelFile::new(graph, manifest)?)
    }
}

impl ForeignArgs {
    const NAMES: &str = "--range, --mean, --std, --bgr, --resize, --crop, --logits, --labels";

    fn any(&self) -> bool {
        let read = [self.resize.is_some(), self.crop.is_some(), self.logits.is_some()];
        read.contains(&true) || self.labels.is_some() || self.says_how_pixels_enter()
    }

    fn says_how_pixels_enter(&self) -> bool {
        self.bgr || [&self.range, &self.mean, &self.std].iter().any(|values| !values.is_empty())
    }

    fn preprocessing(&self) -> Result<Preprocessing, CliError> {
        let range = match self.range[..] {
            [] => [0.0, 1.0],
            [low, high] => [low, high],
            _ => return Err(CliError::new("--range takes two numbers").hint("--range 0,255")),
        };
        Ok(Preprocessing { range, mean: self.mean.clone(), std: self.std.clone(), bgr: self.bgr })
    }
}

/// Class names, one per line; empty lines at the end do not count.
fn read_labels(path: &Path) -> Result<Vec<String>, CliError> {
    let wrong = |what: String| CliError::new(format!("{}: {what}", path.display()));
    let length = std::fs::metadata(path).map_err(|e| wrong(e.to_string()))?.len();
    if length > MAX_LABEL_BYTES {
        return Err(wrong(format!("{length} bytes are too many for class names")));
    }
    let text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
    Ok(text.trim_end().lines().map(|line| line.trim().to_owned()).collect())
}
