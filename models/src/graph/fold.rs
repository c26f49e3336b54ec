//! Batch norms folded away.

use std::sync::Arc;

use super::{Graph, GraphError, Op, Source, Value, ValueId};

impl Graph {
    /// The same network without batch norms.
    ///
    /// With `a = scale / sqrt(variance + epsilon)`, a batch norm behind a convolution or a dense
    /// layer that feeds nothing else becomes part of it: the weight of output channel o is then
    /// `a[o] * weight[o]`, and the bias `a[o] * (bias[o] - mean[o]) + shift[o]`. Any other batch
    /// norm becomes a product with `a` and a sum with `shift - a * mean`.
    ///
    /// # Errors
    /// Statistics of a batch norm are computed, where parameters are expected.
    pub fn fold_batch_norm(&self) -> Result<Self, GraphError> {
        let mut folding = Folding::new(self);
        for (id, value) in self.values() {
            let new = match &value.source {
                Source::Node { op: Op::BatchNorm { epsilon }, operands } => {
                    let affine = self.affine(value, &operands[1..], *epsilon)?;
                    match folding.absorbing(operands[0]) {
                        Some(layer) => folding.absorb(layer, &affine)?,
                        None => folding.apply(value, operands[0], affine)?,
                    }
                }
                // Written together with the batch norm behind it.
                Source::Node { .. } if folding.is_absorbed(id) => continue,
                Source::Node { op, operands } => {
                    let operands = folding.placed_all(operands)?;
                    folding.graph.node(&value.name, op.clone(), &operands)?
                }
                Source::Input => folding.graph.input(&value.name, &value.shape)?,
                Source::Param(_) => continue,
            };
            folding.moved[id.0] = Some(new);
        }
        let outputs = folding.placed_all(&self.outputs)?;
        let mut graph = folding.graph;
        for (old, new) in self.outputs.iter().zip(&outputs) {
            graph.rename(*new, &self.value(*old).name)?;
        }
        graph.outputs = outputs;
        Ok(graph)
    }

    fn affine(
        &self,
        norm: &Value,
        statistics: &[ValueId],
        epsilon: f32,
    ) -> Result<Affine, GraphError> {
        let data = |id: &ValueId| match &self.value(*id).source {
            Source::Param(data) => Ok(Arc::clone(data)),
            _ => Err(GraphError::NoGradientRule {
                node: norm.name.clone(),
                op: Op::BatchNorm { epsilon }.name(),
                reason: "its statistics are no parameters, so it cannot be folded",
            }),
        };
        let [scale, shift, mean, variance] = statistics else { return Err(unplaced(norm)) };
        let (scale, shift) = (data(scale)?, data(shift)?);
        let (mean, variance) = (data(mean)?, data(variance)?);
        let factors = scale.iter().zip(variance.iter());
        let factors: Vec<f64> = factors
            .map(|(&s, &v)| f64::from(s) / (f64::from(v) + f64::from(epsilon)).sqrt())
            .collect();
        let offsets = factors.iter().zip(mean.iter().zip(shift.iter()));
        let offsets = offsets.map(|(a, (&m, &s))| f64::from(s) - a * f64::from(m)).collect();
        Ok(Affine { factors, offsets })
    }
}

/// What a batch norm does to each channel: `factor * x + offset`.
struct Affine {
    factors: Vec<f64>,
    offsets: Vec<f64>,
}

/// A layer that takes a batch norm in.
struct Layer<'a> {
    value: &'a Value,
    op: &'a Op,
    operands: &'a [ValueId],
}

struct Folding<'a> {
    old: &'a Graph,
    /// Number of operands that each old value is.
    uses: Vec<usize>,
    /// Whether a batch norm reads each old value.
    normed: Vec<bool>,
    graph: Graph,
    moved: Vec<Option<ValueId>>,
}

impl<'a> Folding<'a> {
    fn new(old: &'a Graph) -> Self {
        let count = old.values.len();
        let (mut uses, mut normed) = (vec![0; count], vec![false; count]);
        for value in &old.values {
            let Source::Node { op, operands } = &value.source else { continue };
            operands.iter().for_each(|o| uses[o.0] += 1);
            normed[operands[0].0] |= matches!(op, Op::BatchNorm { .. });
        }
        old.outputs.iter().for_each(|o| uses[o.0] += 1);
        Self { old, uses, normed, graph: Graph::new(), moved: vec![None; count] }
    }

    /// The layer behind a value, if a batch norm that reads the value can become part of it.
    fn absorbing(&self, id: ValueId) -> Option<Layer<'a>> {
        let value = self.old.value(id);
        let Source::Node { op, operands } = &value.source else { return None };
        let weighted = matches!(op, Op::Conv(_) | Op::Gemm { transposed: false });
        let [_, weight, ..] = operands.as_slice() else { return None };
        let is_param = |o: &ValueId| matches!(self.old.value(*o).source, Source::Param(_));
        let own = self.uses[weight.0] == 1 && operands[1..].iter().all(is_param);
        (weighted && own && self.uses[id.0] == 1).then_some(Layer { value, op, operands })
    }

    fn is_absorbed(&self, id: ValueId) -> bool {
        self.normed[id.0] && self.absorbing(id).is_some()
    }

    fn absorb(&mut self, layer: Layer<'_>, affine: &Affine) -> Result<ValueId, GraphError> {
        let Layer { value, op, operands } = layer;
        let data = |id: ValueId| match &self.old.value(id).source {
            Source::Param(data) => Ok(data),
            _ => Err(unplaced(value)),
        };
        let mut weight = data(operands[1])?.to_vec();
        let bias = operands.get(2).map(|&o| data(o)).transpose()?;
        let per_channel = weight.len() / affine.factors.len();
        let mut offsets = Vec::with_capacity(affine.factors.len());
        for (o, rows) in weight.chunks_mut(per_channel).enumerate() {
            let a = affine.factors[o];
            rows.iter_mut().for_each(|w| *w = (a * f64::from(*w)) as f32);
            let before = bias.map_or(0.0, |b| f64::from(b[o]));
            offsets.push((a * before + affine.offsets[o]) as f32);
        }
        let weight_name = &self.old.value(operands[1]).name;
        let bias_name = self.fresh(&format!("{weight_name}.folded_bias"));
        let w = self.graph.param(weight_name, self.old.shape(operands[1]), weight)?;
        let b = self.graph.param(&bias_name, &[offsets.len()], offsets)?;
        let x = self.placed(operands[0])?;
        self.graph.node(&value.name, op.clone(), &[x, w, b])
    }

    fn apply(&mut self, norm: &Value, x: ValueId, affine: Affine) -> Result<ValueId, GraphError> {
        let x = self.placed(x)?;
        let channels = affine.factors.len();
        let shape: Vec<usize> =
            (0..norm.shape.len()).map(|axis| if axis == 1 { channels } else { 1 }).collect();
        let narrow = |values: Vec<f64>| values.into_iter().map(|v| v as f32).collect::<Vec<_>>();
        let [scale, scaled, shift] =
            ["scale", "scaled", "shift"].map(|part| self.fresh(&format!("{}.{part}", norm.name)));
        let scale = self.graph.param(&scale, &shape, narrow(affine.factors))?;
        let scaled = self.graph.node(&scaled, Op::Mul, &[x, scale])?;
        let shift = self.graph.param(&shift, &shape, narrow(affine.offsets))?;
        self.graph.node(&norm.name, Op::Add, &[scaled, shift])
    }

    /// A name that neither graph has.
    fn fresh(&self, stem: &str) -> String {
        let mut name = self.graph.fresh_name(stem);
        while self.old.names.contains_key(&name) || self.graph.names.contains_key(&name) {
            name.push('\'');
        }
        name
    }

    fn placed_all(&mut self, ids: &[ValueId]) -> Result<Vec<ValueId>, GraphError> {
        ids.iter().map(|&id| self.placed(id)).collect()
    }

    fn placed(&mut self, id: ValueId) -> Result<ValueId, GraphError> {
        if let Some(new) = self.moved[id.0] {
            return Ok(new);
        }
        let value = self.old.value(id);
        let Source::Param(data) = &value.source else { return Err(unplaced(value)) };
        let new = self.graph.param(&value.name, &value.shape, data.clone())?;
        self.moved[id.0] = Some(new);
        Ok(new)
    }
}

fn unplaced(value: &Value) -> GraphError {
    GraphError::UnknownValue { name: value.name.clone(), known: Vec::new() }
}

#[cfg(test)]
mod tests {
    use ndarray::ArrayD;

    use super::*;
    use crate::graph::ConvAttrs;
    use crate::reference::run;

    fn norm(g: &mut Graph, name: &str, x: ValueId) -> ValueId {
        let parts = [("w", 0.75), ("b", -0.25), ("m", 0.5), ("v", 2.0)];
        let operands = parts.map(|(part, value)| {
            let data = vec![value, value + 1.0, value + 0.125];
            g.param(&format!("{name}.{part}"), &[3], data).unwrap()
        });
        let operands = [&[x], operands.as_slice()].concat();
        g.node(name, Op::BatchNorm { epsilon: 1e-3 }, &operands).unwrap()
    }

    fn convolved(g: &mut Graph, name: &str, x: ValueId) -> ValueId {
        let data = (0..9).map(|i| i as f32 / 8.0 - 0.5).collect::<Vec<_>>();
        let w = g.param(&format!("{name}.weight"), &[3, 3, 1, 1], data).unwrap();
        g.node(name, Op::Conv(ConvAttrs::same(0)), &[x, w]).unwrap()
    }

    fn check(build: impl Fn(&mut Graph, ValueId) -> ValueId, kinds: &[&str]) {
        let mut g = Graph::new();
        let x = g.input("image", &[1, 3, 2, 2]).unwrap();
        let y = build(&mut g, x);
        g.set_outputs(&[y]);
        let folded = g.fold_batch_norm().unwrap();
        let ops = folded.values().filter_map(|(_, v)| match &v.source {
            Source::Node { op, .. } => Some(op.name()),
            _ => None,
        });
        assert_eq!(ops.collect::<Vec<_>>(), kinds);
        let image = ArrayD::from_shape_fn(vec![1, 3, 2, 2], |i| (i[1] * 5 + i[2] + i[3]) as f64);
        let outputs = [&g, &folded].map(|g| run(g, std::slice::from_ref(&image)).unwrap());
        let largest = (&outputs[0][0] - &outputs[1][0]).iter().fold(0.0f64, |m, d| m.max(d.abs()));
        assert!(largest < 1e-6, "{largest}");
        assert_eq!(folded.value(folded.outputs()[0]).name, g.value(y).name);
    }

    #[test]
    fn behind_a_convolution_it_becomes_part_of_it() {
        check(
            |g, x| {
                let y = convolved(g, "conv", x);
                norm(g, "norm", y)
            },
            &["Conv"],
        );
    }

    #[test]
    fn elsewhere_it_becomes_a_product_and_a_sum() {
        check(|g, x| norm(g, "norm", x), &["Mul", "Add"]);
        check(
            |g, x| {
                let y = convolved(g, "conv", x);
                let z = norm(g, "norm", y);
                g.node("sum", Op::Add, &[y, z]).unwrap()
            },
            &["Conv", "Mul", "Add", "Add"],
        );
    }
}
