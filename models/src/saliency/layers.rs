//! The values inside a network that methods read.

use super::sight::{Arrangement, Sight};
use super::{Method, Places};
use crate::calculus;
use crate::graph::{Graph, GraphError, Op, Source, Value, ValueId};
use crate::names::{IMAGE, LOGITS};

/// A method with the layers it reads: what [`attach`](super::attach) appends to a classifier.
///
/// Layers are values of the classifier, by name, so that a network with the same names (trained
/// on, or with more channels or branches) is explained at the same places as the one they were
/// chosen in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attachment {
    /// The method.
    pub method: Method,
    /// Names of the layers it reads, from the image to the logits: one for Grad-CAM, one or more
    /// for VisualBackProp, none for those that read the image.
    pub layers: Vec<String>,
}

impl Attachment {
    /// A method at the layers that its source asks for: the last feature map of the network's trunk
    /// for Grad-CAM and its relatives, all activations for VisualBackProp.
    ///
    /// The trunk is made of the values that lie on every path from the image to the logits. Of
    /// these those with more than one pixel are taken, but for maps of the classes themselves: behind
    /// a layer of Grad-CAM or VisualBackProp comes at least one more convolution or dense layer. For
    /// Grad-CAM it is the last of them, whatever made it, but for pools, cuts and other moves of
    /// pixels, and the features of all patches where a transformer has these in place of pixels: the
    /// last ones that others still pay attention to. For VisualBackProp the results of activations, and concatenations of them. Side branches, as locked networks have,
    /// leave no trunk: choose the layers in the clean network.
    ///
    /// # Errors
    /// The graph has no [`IMAGE`] or [`LOGITS`], or the method needs a layer and there is none.
    pub fn of(method: Method, classifier: &Graph) -> Result<Self, GraphError> {
        let count = *method.layers().end();
        if count == 0 {
            return Ok(Self::at(method, Vec::new()));
        }
        let trunk = trunk(classifier, method != Method::VisualBackProp)?;
        if trunk.is_empty() {
            let reason = format!(
                "finds no layer: no feature map with rows and columns lies on every path from \
                 '{IMAGE}' to '{LOGITS}'; name the layers"
            );
            return Err(GraphError::Layers { method: method.name(), reason });
        }
        let layers = trunk[trunk.len().saturating_sub(count)..].to_vec();
        Ok(Self::at(method, layers))
    }

    /// A method at named layers, in the order from the image to the logits.
    ///
    /// Whether they fit is told when the method is attached.
    pub fn at(method: Method, layers: Vec<String>) -> Self {
        Self { method, layers }
    }

    /// The layers in a graph.
    pub(super) fn resolve(&self, graph: &Graph, image: ValueId) -> Result<Vec<Layer>, GraphError> {
        let fits = self.method.layers();
        let count = self.layers.len();
        if !fits.contains(&count) {
            let reads = match (fits.start(), fits.end()) {
                (_, 0) => "no layers",
                (_, 1) => "one layer",
                _ => "one layer or more",
            };
            return Err(self.wrong(format!("reads {reads}, {count} are named")));
        }
        let sight = if count == 0 { None } else { Some(Sight::of(graph, image)) };
        let layers = self.layers.iter();
        layers.map(|name| self.layer(graph, sight.as_ref(), name)).collect()
    }

    fn layer(&self, graph: &Graph, sight: Option<&Sight>, name: &str) -> Result<Layer, GraphError> {
        let Ok(id) = graph.find(name) else {
            let known = graph.values().filter(|(_, v)| is_map(v)).map(|(_, v)| v.name.clone());
            let (name, known) = (name.to_owned(), known.collect());
            return Err(GraphError::UnknownValue { name, known });
        };
        let found = sight.filter(|_| self.method != Method::VisualBackProp);
        let arrangement = found.and_then(|sight| sight.arrangement(graph, id));
        match (graph.shape(id), &arrangement) {
            ([_, _, _, _], _) | (_, Some(_)) => Ok(Layer { value: id, arrangement }),
            (shape, None) => {
                Err(self.wrong(format!("cannot read '{name}', whose shape is {shape:?}")))
            }
        }
    }

    pub(super) fn wrong(&self, reason: String) -> GraphError {
        GraphError::Layers { method: self.method.name(), reason }
    }
}

/// A layer that a method reads.
pub(super) struct Layer {
    pub(super) value: ValueId,
    /// How its features become a map; none where nothing is known, and it is taken for one.
    arrangement: Option<Arrangement>,
}

impl Layer {
    /// The layer as a map `[n, channel, row, column]`.
    pub(super) fn map(&self, graph: &mut Graph, method: Method) -> Result<ValueId, GraphError> {
        self.arranged(graph, method, self.value)
    }

    /// `d (seed . logits) / d layer`, as a map.
    pub(super) fn slope(
        &self,
        graph: &mut Graph,
        method: Method,
        at: &Places,
    ) -> Result<ValueId, GraphError> {
        let slope = calculus::gradient(graph, at.logits, at.seed, self.value)?;
        self.arranged(graph, method, slope)
    }

    fn arranged(
        &self,
        graph: &mut Graph,
        method: Method,
        value: ValueId,
    ) -> Result<ValueId, GraphError> {
        match &self.arrangement {
            Some(arrangement) => arrangement.map(graph, method, value),
            None => Ok(value),
        }
    }
}

/// Names of the activations with more than one pixel, or of all feature maps, through which every
/// path from the image to the logits passes, from the image to the logits.
fn trunk(classifier: &Graph, all: bool) -> Result<Vec<String>, GraphError> {
    let graph = classifier.extract(&[LOGITS])?;
    let image = graph.find(IMAGE)?;
    let mut on_path = Vec::new();
    // In computing order, a value is on every path if no step from before it leads behind it.
    let mut reach = image.index();
    let mut names = Vec::new();
    let mut layers = Vec::new();
    let sight = all.then(|| Sight::of(&graph, image));
    let mixes = |(_, value): &(ValueId, &Value)| {
        matches!(&value.source, Source::Node { op: Op::MatMul, .. })
    };
    let last_mixed = graph.values().rev().find(mixes).map(|(id, _)| id);
    // Where attention is paid, axes 2 and 3 of a value may be anything.
    let is_layer = |id: ValueId, value: &Value| match &sight {
        Some(sight) => match sight.arrangement(&graph, id) {
            // Nothing is read of the last tokens but that of the class.
            Some(found) => found.extra() == 0 || last_mixed.is_some_and(|last| id < last),
            None => is_map(value) && last_mixed.is_none(),
        },
        None => is_map(value),
    };
    let last_weighted = graph.values().rev().find(|(_, v)| is_weighted(v)).map(|(id, _)| id);
    let uses = last_uses(&graph);
    for (id, value) in graph.values() {
        layers.push(match &value.source {
            Source::Node { op, .. } if all => makes_features(op),
            Source::Node { op: Op::Concat, operands } => operands.iter().all(|o| layers[o.index()]),
            Source::Node { op, .. } => is_activation(op),
            _ => false,
        });
        let through = |o: &ValueId| on_path.get(o.index()).copied().unwrap_or(false);
        let on = id == image
            || matches!(&value.source, Source::Node { operands, .. } if operands.iter().any(through));
        on_path.push(on);
        if !on {
            continue;
        }
        let before_weights = last_weighted.is_none_or(|last| id < last);
        if reach <= id.index() && layers[id.index()] && is_layer(id, value) && before_weights {
            names.push(value.name.clone());
        }
        reach = reach.max(uses[id.index()]);
    }
    Ok(names)
}

/// Position of the last value that reads each value; its own where none does.
fn last_uses(graph: &Graph) -> Vec<usize> {
    let mut uses: Vec<usize> = (0..graph.values().len()).collect();
    for (id, value) in graph.values() {
        if let Source::Node { operands, .. } = &value.source {
            operands.iter().for_each(|o| uses[o.index()] = id.index());
        }
    }
    uses
}

fn is_map(value: &Value) -> bool {
    matches!(value.shape[..], [_, _, h, w] if h * w > 1)
}

fn is_weighted(value: &Value) -> bool {
    matches!(&value.source, Source::Node { op: Op::Conv(_) | Op::Gemm { .. }, .. })
}

/// Operations whose results are other features, not the same ones elsewhere or fewer of them.
fn makes_features(op: &Op) -> bool {
    !matches!(
        op,
        Op::MaxPool(_)
            | Op::AveragePool(_)
            | Op::Pad { .. }
            | Op::Slice { .. }
            | Op::Reshape { .. }
            | Op::Transpose { .. }
            | Op::DepthToSpace { .. }
            | Op::ReduceSum { .. }
    )
}

/// Operations whose results say how much of a feature is present: never negative, or hardly.
fn is_activation(op: &Op) -> bool {
    match op {
        Op::Relu
        | Op::LeakyRelu { .. }
        | Op::Silu
        | Op::HardSwish
        | Op::Softplus { .. }
        | Op::Sigmoid { .. }
        | Op::HardSigmoid { .. } => true,
        Op::Clip { low, .. } => *low == 0.0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::ConvAttrs;
    use crate::saliency::attach;
    use crate::zoo::{Architecture, Task, build};

    fn net(architecture: Architecture) -> Graph {
        let (mean, std) = (vec![0.5; 3], vec![0.25; 3]);
        let task = Task { image: [3, 16, 16], classes: 4, mean, std, bgr: false, widths: None };
        build(architecture, &task, 1).unwrap().fold_batch_norm().unwrap()
    }

    fn layers(method: Method, graph: &Graph) -> Vec<String> {
        Attachment::of(method, graph).unwrap().layers
    }

    #[test]
    fn the_trunk_of_the_small_cnn_are_its_convolutions() {
        let net = net(Architecture::Small);
        let expected = ["conv1.relu", "conv2.relu", "conv3.relu", "conv4.relu"];
        assert_eq!(layers(Method::VisualBackProp, &net), expected);
        assert_eq!(layers(Method::GradCam, &net), ["conv4.relu"]);
        assert!(layers(Method::Gradient, &net).is_empty());
    }

    #[test]
    fn the_trunk_of_resnet20_are_its_blocks() {
        let net = net(Architecture::ResNet20);
        let blocks = (1..4).flat_map(|s| (0..3).map(move |b| format!("layer{s}.{b}.relu2")));
        let expected: Vec<_> = std::iter::once("relu1".to_owned()).chain(blocks).collect();
        assert_eq!(layers(Method::VisualBackProp, &net), expected);
        assert_eq!(layers(Method::GradCam, &net), ["layer3.2.relu2"]);
    }

    #[test]
    fn a_layer_beside_the_trunk_can_be_named() {
        let net = net(Architecture::ResNet20);
        let inside = Attachment::at(Method::GradCam, vec!["layer2.1.relu1".into()]);
        let graph = attach(&net, &[inside]).unwrap();
        assert_eq!(graph.shape(graph.outputs()[1]), [1, 1, 8, 8]);
    }

    #[test]
    fn a_network_without_layers_says_so() {
        let mut g = Graph::new();
        let x = g.input(IMAGE, &[1, 3, 4, 4]).unwrap();
        let w = g.param("w", &[2, 3, 4, 4], vec![0.5; 96]).unwrap();
        let y = g.node("y", Op::Conv(ConvAttrs::same(0)), &[x, w]).unwrap();
        let y = g.node("relu", Op::Relu, &[y]).unwrap();
        g.node(LOGITS, Op::Flatten, &[y]).unwrap();
        for method in [Method::GradCam, Method::VisualBackProp] {
            let error = Attachment::of(method, &g).unwrap_err().to_string();
            assert!(error.contains(method.name()) && error.contains("no feature map"), "{error}");
        }
        assert!(Attachment::of(Method::Gradient, &g).is_ok());
    }

    #[test]
    fn wrong_layers_are_told() {
        let net = net(Architecture::Small);
        let error = |method, layers: &[&str]| {
            let layers = layers.iter().map(|&l| l.to_owned()).collect();
            attach(&net, &[Attachment::at(method, layers)]).unwrap_err().to_string()
        };
        let unknown = error(Method::GradCam, &["conv5.relu"]);
        assert!(unknown.contains("'conv5.relu'") && unknown.contains("conv4.relu"), "{unknown}");
        let two = error(Method::GradCam, &["conv3.relu", "conv4.relu"]);
        assert!(two.contains("one layer, 2 are named"), "{two}");
        assert!(error(Method::Gradient, &["conv3.relu"]).contains("no layers"));
        assert!(error(Method::VisualBackProp, &[]).contains("one layer or more"));
        assert!(error(Method::GradCam, &["dense1.relu"]).contains("[1, 128]"));
        let turned = error(Method::VisualBackProp, &["conv4.relu", "conv2.relu"]);
        assert!(turned.contains("'conv4.relu'"), "{turned}");
    }
}
