//! The networks of the zoo with random weights, as they are compared with PyTorch.

mod closeness;
mod golden;

use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use saligate_files::ModelFile;
use saligate_files::manifest::Manifest;
use saligate_models::graph::{Graph, Op, Source};
use saligate_models::random::Stream;
use saligate_models::saliency::{Attachment, Method, attach};
use saligate_models::zoo::{Architecture, Task, build};

pub use closeness::Closeness;
pub use golden::{Answers, Engine, Golden};

/// Classes of every network.
const CLASSES: usize = 10;

/// Methods that are compared, the first one behind the logits.
pub const METHODS: [Method; 3] = [Method::Gradient, Method::GradCam, Method::VisualBackProp];

/// A network and the size of the image that it is compared on.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The architecture.
    pub architecture: Architecture,
    /// Channels, rows and columns.
    pub image: [usize; 3],
}

/// All networks that PyTorch knows as well. Rows and columns differ where that is possible, and are
/// such that the pools of SqueezeNet round up.
pub const CASES: &[Case] = &[
    case(Architecture::LeNet5, [1, 28, 28]),
    case(Architecture::AlexNet, [3, 224, 224]),
    case(Architecture::Vgg11, [3, 64, 32]),
    case(Architecture::Vgg16, [3, 32, 64]),
    case(Architecture::ResNet20, [3, 32, 28]),
    case(Architecture::ResNet56, [3, 32, 28]),
    case(Architecture::ResNet18, [3, 64, 56]),
    case(Architecture::ResNet34, [3, 64, 56]),
    case(Architecture::ResNet50, [3, 64, 56]),
    case(Architecture::SqueezeNet, [3, 66, 58]),
    case(Architecture::SqueezeNetCaffe, [3, 66, 58]),
    case(Architecture::MobileNetV2, [3, 64, 72]),
    case(Architecture::MobileNetV3Small, [3, 64, 72]),
    case(Architecture::DenseNet121, [3, 64, 72]),
    case(Architecture::EfficientNetB0, [3, 64, 72]),
];

const fn case(architecture: Architecture, image: [usize; 3]) -> Case {
    Case { architecture, image }
}

impl Case {
    /// The network with random weights, batch norms in their places.
    ///
    /// Unlike a network at its start, nothing in it is zero or one: weights are uniform with
    /// variance 2 / fan-in, biases within 0.1; batch norms have scales and variances within 0.5 of
    /// 1, shifts and means within 0.2 of 0. Before a sum, scales are half as large, so that the
    /// values of fifty residual blocks fit 32-bit floats.
    ///
    /// # Panics
    /// The network cannot be built.
    pub fn net(self) -> Graph {
        let [channels, ..] = self.image;
        let task = Task {
            image: self.image,
            classes: CLASSES,
            mean: [0.485, 0.456, 0.406][..channels].to_vec(),
            std: [0.229, 0.224, 0.225][..channels].to_vec(),
            bgr: self.architecture == Architecture::SqueezeNetCaffe,
            widths: None,
        };
        let mut net = build(self.architecture, &task, 1).expect("the image is large enough");
        for (name, shape) in learned(&net) {
            let mut stream = Stream::new(7, &format!("golden {name}"));
            let count = shape.iter().product();
            let [low, high] = match shape[..] {
                [_] => range_of_vector(&net, &name),
                _ => {
                    let fan_in: usize = shape[1..].iter().product();
                    let bound = (6.0 / fan_in as f32).sqrt();
                    [-bound, bound]
                }
            };
            let data: Vec<f32> = (0..count).map(|_| stream.uniform(low, high)).collect();
            net.set_param(&name, data).expect("the data fit the shape");
        }
        net
    }

    /// The pixels of the image, plane by plane.
    pub fn pixels(self) -> Vec<u8> {
        let mut bytes = vec![0; self.image.iter().product()];
        Stream::new(7, "golden image").fill(&mut bytes);
        bytes
    }

    /// The pixels in [0, 1].
    pub fn values(self) -> Vec<f32> {
        self.pixels().into_iter().map(|byte| f32::from(byte) / 255.0).collect()
    }

    /// The model file of a network of [`Case::net`] with all [`METHODS`].
    ///
    /// # Panics
    /// A method does not fit the network.
    pub fn model(self, net: &Graph) -> ModelFile {
        let classifier = net.fold_batch_norm().expect("the statistics are stored");
        let found = METHODS.map(|method| Attachment::of(method, &classifier));
        let methods = found.map(|f| f.expect("every network of the zoo has layers"));
        let graph = attach(&classifier, &methods).expect("every operation has a rule");
        let labels = (0..CLASSES).map(|class| class.to_string()).collect();
        let manifest = Manifest::clean(&graph, self.architecture.name(), labels, &methods)
            .expect("the network has an image input");
        ModelFile::new(graph, manifest).expect("the manifest is that of the network")
    }

    /// Writes the weights of a network under their names, and beside them what the reference needs
    /// besides: the image (`image`, `[1, channel, row, column]` in [0, 1]) and its standardization
    /// (`pixels.mean`, `pixels.scale`).
    ///
    /// # Panics
    /// The file cannot be written.
    pub fn save(self, net: &Graph, path: &Path) {
        let mut tensors = learned(net);
        for name in ["pixels.mean", "pixels.scale"] {
            let id = net.find(name).expect("every network standardizes its pixels");
            tensors.push((name.to_owned(), net.shape(id).to_vec()));
        }
        let mut data: Vec<_> =
            tensors.into_iter().map(|(n, s)| (bytes(param(net, &n)), n, s)).collect();
        let shape = [&[1], &self.image[..]].concat();
        data.push((bytes(&self.values()), "image".to_owned(), shape));
        let views = data.iter().map(|(bytes, name, shape)| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
            (name.as_str(), view.expect("the data fit the shape"))
        });
        safetensors::serialize_to_file(views, None, path).expect("the file can be written");
    }
}

/// Number of weights and biases that training changes.
///
/// # Panics
/// Never: the names are those of the graph.
pub fn trained_count(net: &Graph) -> usize {
    let shape = |name: &String| net.shape(net.find(name).expect("a name of the graph"));
    net.trainable().iter().map(|name| shape(name).iter().product::<usize>()).sum()
}

/// Names and shapes of the weights, and of the statistics of batch norms.
fn learned(net: &Graph) -> Vec<(String, Vec<usize>)> {
    let weighted = |op: &Op| matches!(op, Op::Conv(_) | Op::Gemm { .. } | Op::BatchNorm { .. });
    let nodes = net.values().filter_map(|(_, value)| match &value.source {
        Source::Node { op, operands } if weighted(op) => Some(&operands[1..]),
        _ => None,
    });
    let values = nodes.flatten().map(|&id| net.value(id));
    values.map(|value| (value.name.clone(), value.shape.clone())).collect()
}

/// Bounds of a bias, or of a part of a batch norm.
fn range_of_vector(net: &Graph, name: &str) -> [f32; 2] {
    let (layer, part) = name.rsplit_once('.').unwrap_or((name, ""));
    let normed = net.find(&format!("{layer}.running_var")).is_ok();
    match (part, normed) {
        ("weight", true) if is_added(net, layer) => [0.25, 0.75],
        ("weight" | "running_var", true) => [0.5, 1.5],
        (_, true) => [-0.2, 0.2],
        (_, false) => [-0.1, 0.1],
    }
}

fn is_added(net: &Graph, layer: &str) -> bool {
    net.find(layer).is_ok_and(|id| {
        net.values().any(|(_, value)| match &value.source {
            Source::Node { op: Op::Add, operands } => operands.contains(&id),
            _ => false,
        })
    })
}

fn param<'a>(net: &'a Graph, name: &str) -> &'a [f32] {
    let id = net.find(name).expect("a name of the graph");
    match &net.value(id).source {
        Source::Param(data) => data,
        _ => unreachable!("weights are parameters"),
    }
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}
