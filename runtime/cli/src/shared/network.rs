//! Networks from elsewhere, as classifiers of this house.

use std::path::Path;

use saligate_console::Failure;
use saligate_files::ModelFile;
use saligate_files::import::{self, Preprocessing};
use saligate_files::labels;
use saligate_files::manifest::Manifest;
use saligate_files::onnx::{self, Foreign, OnnxError};
use saligate_models::head::Head;
use saligate_models::names::{IMAGE, imported};
use saligate_models::saliency::{Attachment, Method, attach};
use saligate_runtime::method;

use crate::args::ForeignArgs;

/// Longest file of class names, in bytes: a thousand names take 30 KiB.
const MAX_LABEL_BYTES: u64 = 1 << 20;

/// A network from elsewhere, as a classifier of this house.
pub(crate) struct Network {
    classifier: saligate_models::graph::Graph,
    labels: Vec<String>,
    name: String,
    resize: Option<usize>,
    head: Head,
    /// The layer that was asked for, as it is called here.
    layer: Option<String>,
}

impl Network {
    /// Reads a network; weights beside the file are looked for in `folder`.
    pub(crate) fn read(
        path: &Path,
        folder: Option<&Path>,
        bytes: &[u8],
        args: &ForeignArgs,
        layer: Option<&str>,
    ) -> Result<Self, Failure> {
        let named = |error: Failure| error.in_file(path);
        let options = onnx::Options {
            image_size: args.crop,
            output: args.logits.clone(),
            layer: layer.map(str::to_owned),
        };
        let foreign = Foreign::from_bytes_with(bytes, folder, &options);
        let foreign = foreign.map_err(|error| match error {
            OnnxError::Open { .. } => named(error.into()).hint("--crop SIDE, or --crop HxW"),
            OnnxError::Outputs { wanted: None, .. } => named(error.into()).hint("--logits NAME"),
            error => named(error.into()),
        })?;
        if foreign.quantized {
            eprintln!(
                "saligate: note: {} computes with quantized numbers, which are floats here: nothing is \
                 rounded",
                path.display()
            );
        }
        let layer = foreign.layer.as_deref().map(imported);
        let head = import::head(&foreign.graph, foreign.left_out, args.head);
        let classifier = import::classifier(&foreign.graph, &args.preprocessing(foreign.bytes)?);
        let classifier = classifier.map_err(|e| named(e.into()))?;
        let given = args.labels.as_deref().map(read_labels).transpose()?.or(foreign.labels);
        let labels = import::labels(&classifier, given).map_err(|e| named(e.into()))?;
        let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { classifier, labels, name, resize: args.resize, head, layer })
    }

    pub(crate) fn named(self, name: Option<&str>) -> Self {
        Self { name: name.map_or(self.name, str::to_owned), ..self }
    }

    /// A method that fits every network, since it only reads the pixels: a model has at least one, also
    /// where none is asked for.
    pub(crate) fn unused() -> Attachment {
        Attachment::at(Method::VisualBackProp, vec![IMAGE.to_owned()])
    }

    /// The methods of these names, each once; for those that run the model many times, the ones they
    /// build on. The gradient where there are none.
    pub(crate) fn bases(
        &self,
        methods: &[String],
        layer: Option<&str>,
    ) -> Result<Vec<Attachment>, Failure> {
        let gradient = [Method::Gradient.name().to_owned()];
        let names = if methods.is_empty() { &gradient } else { methods };
        // A layer is for those of several methods that read one.
        let reads = |name: &str| {
            let method = name.parse().ok().or_else(|| method::reads(name)?.of_file());
            method.is_some_and(Method::reads_one_layer)
        };
        let any = names.iter().any(|name| reads(name));
        let mut found: Vec<Attachment> = Vec::new();
        for name in names {
            let layer = layer.filter(|_| reads(name) || !any);
            let base = self.base(name, layer)?;
            if found.iter().all(|known| known.method != base.method) {
                found.push(base);
            }
        }
        Ok(found)
    }

    fn base(&self, name: &str, layer: Option<&str>) -> Result<Attachment, Failure> {
        match (name.parse(), method::reads(name)) {
            (Ok(method), _) => self.explained(method, layer),
            (Err(_), Some(reads)) => match reads.of_file() {
                Some(method) => self.explained(method, layer),
                None => {
                    self.check_layer(layer, None)?;
                    Ok(Self::unused())
                }
            },
            (Err(_), None) => {
                let known: Vec<_> = method::all().collect();
                let meant = method::nearest(name, known.iter().copied());
                let meant = meant.map_or_else(String::new, |m| format!("; did you mean '{m}'?"));
                Err(Failure::new(format!("there is no method '{name}'{meant}"))
                    .hint(format!("--method {}", known.join(" or "))))
            }
        }
    }

    fn check_layer(&self, layer: Option<&str>, method: Option<Method>) -> Result<(), Failure> {
        if layer.is_some() && !method.is_some_and(Method::reads_one_layer) {
            let known = Method::ALL.iter().filter(|m| m.reads_one_layer()).map(|m| m.name());
            let known: Vec<_> = known.collect();
            return Err(Failure::new(format!(
                "--layer belongs to {} and score-cam",
                known.join(", ")
            ))
            .hint("--method grad-cam"));
        }
        Ok(())
    }

    /// A method at its layers.
    pub(crate) fn explained(
        &self,
        method: Method,
        layer: Option<&str>,
    ) -> Result<Attachment, Failure> {
        self.check_layer(layer, Some(method))?;
        match layer {
            Some(asked) => {
                let layer = self.layer.as_deref().unwrap_or(asked);
                Ok(Attachment::at(method, vec![layer.to_owned()]))
            }
            None => Ok(Attachment::of(method, &self.classifier)?),
        }
    }

    /// Whether a method can be attached.
    pub(crate) fn allows(&self, explained: &Attachment) -> Result<(), Failure> {
        attach(&self.classifier, std::slice::from_ref(explained))?;
        Ok(())
    }

    /// The model with these methods, the default one first.
    pub(crate) fn model(self, methods: &[Attachment]) -> Result<ModelFile, Failure> {
        let graph = attach(&self.classifier, methods)?;
        let mut manifest = Manifest::clean(&graph, &self.name, self.labels, methods)?;
        manifest.input.resize = self.resize;
        manifest.head = self.head;
        Ok(ModelFile::new(graph, manifest)?)
    }
}

impl ForeignArgs {
    pub(crate) const NAMES: &str =
        "--range, --mean, --std, --bgr, --resize, --crop, --logits, --head, --labels";

    pub(crate) fn any(&self) -> bool {
        let read = [self.resize.is_some(), self.crop.is_some(), self.logits.is_some()];
        read.contains(&true)
            || self.labels.is_some()
            || self.head.is_some()
            || self.says_how_pixels_enter()
    }

    /// The same as words of a command line.
    #[cfg(feature = "audit")]
    pub(crate) fn words(&self) -> Vec<String> {
        let numbers = |all: &[f32]| {
            let all: Vec<String> = all.iter().map(ToString::to_string).collect();
            (!all.is_empty()).then(|| all.join(","))
        };
        let crop = self.crop.map(|[rows, columns]| format!("{rows}x{columns}"));
        let named = [
            ("--range", numbers(&self.range)),
            ("--mean", numbers(&self.mean)),
            ("--std", numbers(&self.std)),
            ("--resize", self.resize.map(|side| side.to_string())),
            ("--crop", crop),
            ("--logits", self.logits.clone()),
            ("--head", self.head.map(|head| head.name().to_owned())),
            ("--labels", self.labels.as_deref().map(saligate_console::shown)),
        ];
        let given = named.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value?]));
        let words = given.flatten();
        words.chain(self.bgr.then(|| "--bgr".to_owned())).collect()
    }

    pub(crate) fn says_how_pixels_enter(&self) -> bool {
        self.bgr || [&self.range, &self.mean, &self.std].iter().any(|values| !values.is_empty())
    }

    /// `bytes`: the network takes bytes, not floats.
    fn preprocessing(&self, bytes: bool) -> Result<Preprocessing, Failure> {
        let range = match self.range[..] {
            [] if bytes => [0.0, 255.0],
            [] => [0.0, 1.0],
            [low, high] => [low, high],
            _ => return Err(Failure::new("--range takes two numbers").hint("--range 0,255")),
        };
        let outside = |m: &f32| !(range[0]..=range[1]).contains(m);
        if let Some(mean) = self.mean.iter().find(|m| outside(m)) {
            eprintln!(
                "saligate: note: the mean {mean} is outside of the range {} to {}; where it is of \
                 bytes, give --range 0,255",
                range[0], range[1]
            );
        }
        Ok(Preprocessing { range, mean: self.mean.clone(), std: self.std.clone(), bgr: self.bgr })
    }
}

/// Class names, as [`labels::parse`] reads them.
fn read_labels(path: &Path) -> Result<Vec<String>, Failure> {
    let wrong = |what: String| Failure::new(format!("{}: {what}", path.display()));
    let length = std::fs::metadata(path).map_err(|e| wrong(e.to_string()))?.len();
    if length > MAX_LABEL_BYTES {
        return Err(wrong(format!("{length} bytes are too many for class names")));
    }
    let bytes = std::fs::read(path).map_err(|e| wrong(e.to_string()))?;
    labels::parse_bytes(&bytes).ok_or_else(|| wrong("is no text in UTF-8 or UTF-16".to_owned()))
}
