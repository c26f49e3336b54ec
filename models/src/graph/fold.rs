//! Batch norm folded into the convolution before it.

use std::sync::Arc;

use super::{Graph, GraphError, Op, Source, Value, ValueId};

impl Graph {
    /// The same network without batch norms: each is folded into the convolution that feeds it.
    ///
    /// With `a = scale / sqrt(variance + epsilon)` the weight of output channel o becomes
    /// `a[o] * weight[o]`, and the bias `a[o] * (bias[o] - mean[o]) + shift[o]`.
    ///
    /// # Errors
    /// A batch norm does not follow a convolution, or that convolution feeds something else too.
    pub fn fold_batch_norm(&self) -> Result<Self, GraphError> {
        let mut folded = Self::new();
        let mut moved: Vec<Option<ValueId>> = vec![None; self.values.len()];
        for (id, value) in self.values() {
            let new = match &value.source {
                Source::Node { op: Op::BatchNorm { epsilon }, operands } => {
                    let conv = self.value(operands[0]);
                    let (op, inputs) = self.foldable(value, operands[0])?;
                    let (weight, bias) = self.scaled(conv, inputs, &operands[1..], *epsilon)?;
                    let weight_name = &self.value(inputs[1]).name;
                    let bias_name = format!("{weight_name}.folded_bias");
                    let w = folded.param(weight_name, self.shape(inputs[1]), weight)?;
                    let b = folded.param(&bias_name, &[bias.len()], bias)?;
                    let x = moved[inputs[0].0].ok_or_else(|| unordered(value))?;
                    folded.node(&conv.name, op, &[x, w, b])?
                }
                Source::Node { op, operands } => {
                    if self.feeds_batch_norm(id) {
                        continue;
                    }
                    let operands = operands
                        .iter()
                        .map(|o| self.placed(&mut folded, &mut moved, *o))
                        .collect::<Result<Vec<_>, _>>()?;
                    folded.node(&value.name, op.clone(), &operands)?
                }
                Source::Input => folded.input(&value.name, &value.shape)?,
                Source::Param(_) => continue,
            };
            moved[id.0] = Some(new);
        }
        folded.outputs = self
            .outputs
            .iter()
            .map(|o| self.placed(&mut folded, &mut moved, *o))
            .collect::<Result<_, _>>()?;
        let renamed = self.outputs.iter().zip(folded.outputs.clone());
        for (old, new) in renamed {
            folded.rename(new, &self.value(*old).name)?;
        }
        Ok(folded)
    }

    fn placed(
        &self,
        folded: &mut Self,
        moved: &mut [Option<ValueId>],
        id: ValueId,
    ) -> Result<ValueId, GraphError> {
        if let Some(new) = moved[id.0] {
            return Ok(new);
        }
        let value = self.value(id);
        let Source::Param(data) = &value.source else { return Err(unordered(value)) };
        let new = folded.param(&value.name, &value.shape, data.clone())?;
        moved[id.0] = Some(new);
        Ok(new)
    }

    fn feeds_batch_norm(&self, id: ValueId) -> bool {
        self.users(id).any(|v| matches!(v.source, Source::Node { op: Op::BatchNorm { .. }, .. }))
    }

    fn users(&self, id: ValueId) -> impl Iterator<Item = &Value> {
        self.values.iter().filter(
            move |v| matches!(&v.source, Source::Node { operands, .. } if operands.contains(&id)),
        )
    }

    fn foldable(&self, norm: &Value, conv: ValueId) -> Result<(Op, &[ValueId]), GraphError> {
        let reason = match &self.value(conv).source {
            Source::Node { op: op @ Op::Conv(_), operands } => {
                if self.users(conv).count() == 1 && !self.outputs.contains(&conv) {
                    return Ok((op.clone(), operands));
                }
                "the convolution before it is used elsewhere too, so it cannot be folded"
            }
            _ => "it does not follow a convolution, so it cannot be folded",
        };
        let op = Op::BatchNorm { epsilon: 0.0 }.name();
        Err(GraphError::NoGradientRule { node: norm.name.clone(), op, reason })
    }

    fn scaled(
        &self,
        conv: &Value,
        inputs: &[ValueId],
        statistics: &[ValueId],
        epsilon: f32,
    ) -> Result<(Vec<f32>, Vec<f32>), GraphError> {
        let data = |id: &ValueId| match &self.value(*id).source {
            Source::Param(data) => Ok(Arc::clone(data)),
            _ => Err(unordered(conv)),
        };
        let [scale, shift, mean, variance] = statistics else { return Err(unordered(conv)) };
        let (scale, shift, mean, variance) =
            (data(scale)?, data(shift)?, data(mean)?, data(variance)?);
        let mut weight = data(&inputs[1])?.to_vec();
        let bias = inputs.get(2).map(data).transpose()?;
        let per_channel = weight.len() / scale.len();
        let mut folded = Vec::with_capacity(scale.len());
        for (o, rows) in weight.chunks_mut(per_channel).enumerate() {
            let a = f64::from(scale[o]) / (f64::from(variance[o]) + f64::from(epsilon)).sqrt();
            rows.iter_mut().for_each(|w| *w = (a * f64::from(*w)) as f32);
            let before = bias.as_ref().map_or(0.0, |b| f64::from(b[o]));
            folded.push((a * (before - f64::from(mean[o])) + f64::from(shift[o])) as f32);
        }
        Ok((weight, folded))
    }
}

fn unordered(value: &Value) -> GraphError {
    GraphError::UnknownValue { name: value.name.clone(), known: Vec::new() }
}
