//! The layers that have weights.

use std::collections::BTreeMap;

use super::{Graph, Op, Source, ValueId};

/// A convolution or dense layer whose weight is trained.
#[derive(Clone, Copy, Debug)]
pub struct Weighted<'a> {
    /// What the layer puts out: channels or units on axis 1.
    pub output: ValueId,
    /// Name of the weight.
    pub weight: &'a str,
    /// The weight, row-major, with the channels or units of the output on its first axis.
    pub filters: &'a [f32],
    /// Name of the bias, if that is trained.
    pub bias: Option<&'a str>,
    /// The bias, one value per channel or unit, if there is one.
    pub biases: Option<&'a [f32]>,
}

impl Graph {
    /// The values of all [`trainable`](Self::trainable) parameters, by name.
    pub fn weights(&self) -> BTreeMap<String, Vec<f32>> {
        let weights = self.trainable().into_iter().filter_map(|name| {
            let Source::Param(data) = &self.value(self.find(&name).ok()?).source else {
                return None;
            };
            Some((name, data.to_vec()))
        });
        weights.collect()
    }

    /// All such layers, in the order of the graph. A weight that is used twice comes twice.
    pub fn weighted(&self) -> Vec<Weighted<'_>> {
        let trained = self.trainable();
        let param = |id: ValueId| match &self.value(id).source {
            Source::Param(data) => Some(&**data),
            _ => None,
        };
        let name = |id: ValueId| {
            let name = &self.value(id).name;
            trained.contains(name).then_some(name.as_str())
        };
        let layers = self.values().filter_map(|(output, value)| {
            let Source::Node { op: Op::Conv(_) | Op::Gemm { transposed: false }, operands } =
                &value.source
            else {
                return None;
            };
            let (weight, bias) = (*operands.get(1)?, operands.get(2).copied());
            Some(Weighted {
                output,
                weight: name(weight)?,
                filters: param(weight)?,
                bias: bias.and_then(name),
                biases: bias.and_then(param),
            })
        });
        layers.collect()
    }
}
