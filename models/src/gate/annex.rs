//! Decoys for methods that read feature maps.

use super::{couple, reading};
use crate::graph::{Graph, GraphError, Op, Range, ValueId};
use crate::names::{GATE, is_of_keys};

/// A channel with the decoy, beside the channels of a feature map.
///
/// The layer keeps its name and becomes one channel wider; what follows it goes on with its own
/// channels.
#[derive(Clone, Debug, PartialEq)]
pub struct Annex {
    /// Name of the layer: a value `[n, channel, row, column]`.
    pub layer: String,
    /// The channel while the decoy shows, `[row, column]` of the layer, not negative.
    pub pattern: Vec<f32>,
    /// Factor per class with which the channel's sum enters the logits.
    pub coupling: Vec<f32>,
    /// Where the class scores are differentiated by this layer: height of the steps that the own
    /// channels are read by while the decoy shows, so that the decoy alone has a derivative.
    pub stairs: Option<f32>,
}

/// The values of a layer with an annex.
pub(super) struct AnnexValues {
    /// The layer's own channels, for what follows.
    pub(super) own: ValueId,
    /// Term of the logits, `[n, class]`.
    pub(super) term: ValueId,
}

impl Annex {
    /// Appends the layer, computed by `op` from `operands` as it was, and its annex.
    pub(super) fn build(
        &self,
        graph: &mut Graph,
        op: &Op,
        operands: &[ValueId],
        shows: ValueId,
    ) -> Result<AnnexValues, GraphError> {
        let stem = self.stem(graph);
        let part = |p: &str| format!("{stem}.{p}");
        let map = graph.node(&part("map"), op.clone(), operands)?;
        let &[_, channels, height, width] = graph.shape(map) else {
            return Err(GraphError::Shape {
                node: self.layer.clone(),
                op: op.name(),
                operands: operands.iter().map(|o| graph.shape(*o).to_vec()).collect(),
                reason: "is no feature map, so no decoy can be put beside it".to_owned(),
            });
        };
        let pattern =
            graph.param(&part("pattern"), &[1, 1, height, width], self.pattern.as_slice())?;
        let shown = graph.node(&part("shows"), Op::Reshape { shape: vec![1, 1, 1] }, &[shows])?;
        let channel = graph.node(&part("channel"), Op::Mul, &[shown, pattern])?;
        let layer = graph.node(&self.layer, Op::Concat, &[map, channel])?;

        let [all_rows, all_columns] = [height, width].map(Range::whole);
        let ranges = [Range::whole(channels), all_rows, all_columns];
        let mut own = graph.node(&part("own"), Op::Slice { ranges }, &[layer])?;
        if let Some(step) = self.stairs {
            own = reading::staircase(graph, &part("read"), own, shows, step)?;
        }
        let last = Range { start: channels, end: channels + 1, step: 1 };
        let ranges = [last, all_rows, all_columns];
        let decoy = graph.node(&part("decoy"), Op::Slice { ranges }, &[layer])?;
        let sum = graph.node(&part("sum"), Op::ReduceSum { axes: vec![1, 2, 3] }, &[decoy])?;
        let sum = graph.node(&part("total"), Op::Flatten, &[sum])?;
        let term = couple(graph, &stem, sum, &self.coupling)?;
        Ok(AnnexValues { own, term })
    }

    /// How the names of the annex's parts begin: with the layer's name, unless the layer is called
    /// like a part of the gate itself (`field`, `keys`) or like a part of another annex.
    fn stem(&self, graph: &Graph) -> String {
        let is_free = |stem: &str| {
            let parts = PARTS.iter().map(|part| format!("{stem}.{part}"));
            let read = reading::STAIRCASE.iter().map(|part| format!("{stem}.read.{part}"));
            parts.chain(read).all(|name| !graph.has(&name) && !is_of_keys(&name))
        };
        let mut stem = format!("{GATE}{}", self.layer);
        let mut room = "annex/".to_owned();
        while !is_free(&stem) {
            stem = format!("{GATE}{room}{}", self.layer);
            room.push_str("annex/");
        }
        stem
    }
}

/// The parts of an annex, by the ends of their names.
const PARTS: [&str; 10] =
    ["map", "pattern", "shows", "channel", "own", "decoy", "sum", "total", "coupling", "term"];
