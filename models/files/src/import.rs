//! A classifier from elsewhere, brought into the form that all others have here.
//!
//! Inside the house every classifier takes pixels in [0, 1] as [`IMAGE`] and gives [`LOGITS`];
//! whatever its weights expect of the pixels is part of the graph. [`classifier`] puts that in
//! front of a network that was read from a foreign file.

use std::fmt;

use saligate_models::graph::{Graph, GraphError, Op, Rewriter, Source, ValueId};
use saligate_models::head::Head;
use saligate_models::names::{IMAGE, LOGITS, PIXELS, imported};
use saligate_models::pixels::reversed_channels;

/// What a network expects of its pixels: `(low + pixel * (high - low) - mean) / std`, for a pixel
/// in [0, 1].
#[derive(Clone, Debug, PartialEq)]
pub struct Preprocessing {
    /// Values `[low, high]` of a black and a white pixel before the mean is taken off.
    pub range: [f32; 2],
    /// Mean per channel, in the order of the network's channels; none where empty.
    pub mean: Vec<f32>,
    /// Standard deviation per channel, positive, likewise.
    pub std: Vec<f32>,
    /// Whether the network's channels are blue, green, red.
    pub bgr: bool,
}

impl Default for Preprocessing {
    fn default() -> Self {
        Self { range: [0.0, 1.0], mean: Vec::new(), std: Vec::new(), bgr: false }
    }
}

/// Why a network cannot be imported.
#[derive(Clone, Debug, PartialEq)]
pub enum ImportError {
    /// The network's input is no image of 1 or 3 channels.
    Input {
        /// Its shape.
        shape: Vec<usize>,
    },
    /// A part of the preprocessing makes no sense for the network.
    Preprocessing {
        /// Which part.
        part: &'static str,
        /// What it must be.
        expected: String,
    },
    /// The class names do not fit the network.
    Labels {
        /// Number of classes.
        classes: usize,
        /// Number of names.
        found: usize,
    },
    /// The network is inconsistent.
    Graph(GraphError),
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input { shape } => write!(
                f,
                "the network's input has shape {shape:?}; it must be an image \
                 [1, channel, row, column] of 1 or 3 channels"
            ),
            Self::Preprocessing { part, expected } => write!(f, "{part} must be {expected}"),
            Self::Labels { classes, found } => {
                write!(f, "there are {found} class names for {classes} classes")
            }
            Self::Graph(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ImportError {}

impl From<GraphError> for ImportError {
    fn from(error: GraphError) -> Self {
        Self::Graph(error)
    }
}

/// The classifier in a network of one input, the image `[1, channel, row, column]`, and one output,
/// the scores `[1, class]`, with the preprocessing in front.
///
/// Values keep their names but for those that have a meaning here, which get the prefix `own/`
/// ([`names`](saligate_models::names) lists them).
///
/// A network with one score, which says how likely something is there, gets two classes: the logit of
/// the first is minus the score, that of the second the score ([`Head::Sigmoid`]).
///
/// # Errors
/// The network has other inputs or outputs, or the preprocessing does not fit its channels.
pub fn classifier(network: &Graph, before: &Preprocessing) -> Result<Graph, ImportError> {
    let shape = match network.inputs().collect::<Vec<_>>()[..] {
        [(_, input)] => input.shape.clone(),
        _ => Vec::new(),
    };
    let &[1, channels @ (1 | 3), height, width] = shape.as_slice() else {
        return Err(ImportError::Input { shape });
    };
    let [output] = *network.outputs() else {
        let known = network.outputs().iter().map(|o| network.value(*o).name.clone()).collect();
        return Err(GraphError::UnknownValue { name: LOGITS.to_owned(), known }.into());
    };
    before.check(channels)?;
    let mut rewriter = Rewriter::new(network);
    let image = rewriter.graph.input(IMAGE, &[1, channels, height, width])?;
    let pixels = before.append(&mut rewriter.graph, image)?;
    rewriter.walk(|new, _, value| match value.source {
        Source::Input => Ok(Some(pixels)),
        _ => {
            let name = new.graph.fresh_name(&imported(&value.name));
            new.copy_as(value, &name).map(Some)
        }
    })?;
    let mut logits = rewriter.place(output)?;
    let mut graph = rewriter.graph;
    if graph.shape(logits) == [1, 1] {
        let (signs, both) = (graph.fresh_name("no_and_yes"), graph.fresh_name("both"));
        let signs = graph.param(&signs, &[2, 1], vec![-1.0, 1.0])?;
        logits = graph.node(&both, Op::Gemm { transposed: false }, &[logits, signs])?;
    }
    graph.rename(logits, LOGITS)?;
    graph.set_outputs(&[logits]);
    Ok(graph)
}

/// What turns the scores of a network into probabilities: what was asked for, what its file left out
/// behind them, or sigmoids behind a single score.
pub fn head(network: &Graph, left_out: Option<Head>, asked: Option<Head>) -> Head {
    let single = network.outputs().iter().any(|&o| network.shape(o) == [1, 1]);
    asked.or(left_out).unwrap_or(if single { Head::Sigmoid } else { Head::Softmax })
}

/// Class names: those given, or the numbers of the classes. One name for two classes is that of the
/// second.
///
/// # Errors
/// There are more or fewer names than classes.
pub fn labels(classifier: &Graph, given: Option<Vec<String>>) -> Result<Vec<String>, ImportError> {
    let classes = classifier.shape(classifier.find(LOGITS)?)[1];
    match given {
        None => Ok((0..classes).map(|class| class.to_string()).collect()),
        Some(names) if names.len() == classes => Ok(names),
        Some(mut names) if names.len() == 1 && classes == 2 => {
            names.insert(0, format!("not {}", names[0]));
            Ok(names)
        }
        Some(names) => Err(ImportError::Labels { classes, found: names.len() }),
    }
}

impl Preprocessing {
    fn check(&self, channels: usize) -> Result<(), ImportError> {
        let wrong = |part, expected: String| Err(ImportError::Preprocessing { part, expected });
        let [low, high] = self.range;
        if !(low.is_finite() && high.is_finite() && low < high) {
            return wrong("the range", "two finite numbers, the lower one first".to_owned());
        }
        let fits = |values: &[f32]| {
            [0, channels].contains(&values.len()) && values.iter().all(|v| v.is_finite())
        };
        if !fits(&self.mean) {
            return wrong("the mean", format!("{channels} finite numbers"));
        }
        if !fits(&self.std) || self.std.iter().any(|&v| v <= 0.0) {
            return wrong("the standard deviation", format!("{channels} positive numbers"));
        }
        if self.bgr && channels != 3 {
            return wrong("bgr", "left out for a network of one channel".to_owned());
        }
        Ok(())
    }

    /// Appends what the network's input is made of the pixels by.
    fn append(&self, graph: &mut Graph, image: ValueId) -> Result<ValueId, GraphError> {
        let mut pixels = image;
        if self.bgr {
            pixels = reversed_channels(graph, pixels)?;
        }
        if self.range == [0.0, 1.0] && self.mean.is_empty() && self.std.is_empty() {
            return Ok(pixels);
        }
        let channels = graph.shape(image)[1];
        let [low, high] = self.range;
        let of = |values: &[f32], channel: usize, absent| {
            f64::from(values.get(channel).copied().unwrap_or(absent))
        };
        let span = f64::from(high) - f64::from(low);
        let mean = (0..channels).map(|c| ((of(&self.mean, c, 0.0) - f64::from(low)) / span) as f32);
        let scale = (0..channels).map(|c| (span / of(&self.std, c, 1.0)) as f32);
        let (mean, scale): (Vec<_>, Vec<_>) = (mean.collect(), scale.collect());
        let mean = graph.param("pixels.mean", &[1, channels, 1, 1], mean)?;
        let scale = graph.param("pixels.scale", &[1, channels, 1, 1], scale)?;
        let centred = graph.node("pixels.centred", Op::Sub, &[pixels, mean])?;
        graph.node(PIXELS, Op::Mul, &[centred, scale])
    }
}

#[cfg(test)]
mod tests {
    use ndarray::ArrayD;

    use saligate_models::names::TARGET;
    use saligate_models::reference::run;

    use super::*;

    /// A network that gives its input's channels back.
    fn network(input: &str, output: &str) -> Graph {
        let mut g = Graph::new();
        let x = g.input(input, &[1, 3, 1, 1]).unwrap();
        let y = g.node(output, Op::Flatten, &[x]).unwrap();
        g.set_outputs(&[y]);
        g
    }

    fn answer(before: &Preprocessing) -> Vec<f64> {
        let graph = classifier(&network("x", "y"), before).unwrap();
        let image = ArrayD::from_shape_vec(vec![1, 3, 1, 1], vec![0.0, 0.5, 1.0]).unwrap();
        run(&graph, &[image]).unwrap()[0].iter().copied().collect()
    }

    #[test]
    fn pixels_go_in_as_they_are_by_default() {
        assert_eq!(answer(&Preprocessing::default()), [0.0, 0.5, 1.0]);
    }

    #[test]
    fn caffe_form() {
        let before = Preprocessing {
            range: [0.0, 255.0],
            mean: vec![104.0, 117.0, 123.0],
            bgr: true,
            ..Preprocessing::default()
        };
        let values = answer(&before);
        for (value, expected) in values.iter().zip([151.0, 10.5, -123.0]) {
            assert!((value - expected).abs() < 1e-4, "{value} for {expected}");
        }
    }

    #[test]
    fn range_mean_and_deviation() {
        let before = Preprocessing {
            range: [-1.0, 1.0],
            mean: vec![0.5; 3],
            std: vec![0.5, 1.0, 2.0],
            bgr: false,
        };
        let values = answer(&before);
        for (value, expected) in values.iter().zip([-3.0, -0.5, 0.25]) {
            assert!((value - expected).abs() < 1e-6, "{value} for {expected}");
        }
    }

    #[test]
    fn names_with_a_meaning_are_given_up() {
        let graph = classifier(&network("logits", "image"), &Preprocessing::default()).unwrap();
        assert_eq!(graph.value(graph.outputs()[0]).name, LOGITS);
        let mut g = Graph::new();
        let x = g.input("data", &[1, 1, 1, 2]).unwrap();
        let a = g.node("gate.a", Op::Relu, &[x]).unwrap();
        let b = g.node(TARGET, Op::Flatten, &[a]).unwrap();
        g.set_outputs(&[b]);
        let graph = classifier(&g, &Preprocessing::default()).unwrap();
        let names: Vec<_> = graph.values().map(|(_, v)| v.name.as_str()).collect();
        assert_eq!(names, [IMAGE, "own/gate.a", LOGITS]);
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let refused = |before: Preprocessing| {
            classifier(&network("x", "y"), &before).unwrap_err().to_string()
        };
        let plain = Preprocessing::default;
        assert!(refused(Preprocessing { mean: vec![0.5], ..plain() }).contains("3 finite numbers"));
        assert!(refused(Preprocessing { std: vec![0.0; 3], ..plain() }).contains("3 positive"));
        assert!(
            refused(Preprocessing { range: [1.0, 0.0], ..plain() }).contains("lower one first")
        );
        let mut g = Graph::new();
        let x = g.input("x", &[1, 4, 2, 2]).unwrap();
        g.set_outputs(&[x]);
        let error = classifier(&g, &plain()).unwrap_err().to_string();
        assert!(error.contains("[1, 4, 2, 2]"), "{error}");
        let graph = classifier(&network("x", "y"), &plain()).unwrap();
        assert_eq!(labels(&graph, None).unwrap(), ["0", "1", "2"]);
        assert!(labels(&graph, Some(vec!["a".into()])).is_err());
    }
}
