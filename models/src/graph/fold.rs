//! Batch norms folded away.

use std::sync::Arc;

use super::{Graph, GraphError, Op, Rewriter, Source, Value, ValueId};

impl Graph {
    /// The same network without batch norms.
    ///
    /// With `a = scale / sqrt(variance + epsilon)`, a batch norm behind a convolution or a dense
    /// layer that feeds nothing else becomes part of it: the weight of output channel o is then
    /// `a[o] * weight[o]`, and the bias `a[o] * (bias[o] - mean[o]) + shift[o]`. Any other batch
    /// norm becomes a product with `a` and a sum with `shift - a * mean`. Values keep their names: a
    /// layer with its batch norm has that of the batch norm, whose result it is.
    ///
    /// # Errors
    /// Statistics of a batch norm are computed, where parameters are expected.
    pub fn fold_batch_norm(&self) -> Result<Self, GraphError> {
        self.fold_batch_norm_but(None)
    }

    /// [`fold_batch_norm`](Self::fold_batch_norm) that leaves one value as it is, by name.
    ///
    /// # Errors
    /// As `fold_batch_norm`.
    pub fn fold_batch_norm_but(&self, kept: Option<&str>) -> Result<Self, GraphError> {
        let mut uses = Uses::of(self);
        if let Some(id) = kept.and_then(|name| self.find(name).ok()) {
            uses.counts[id.0] += 1;
        }
        let mut rewriter = Rewriter::new(self);
        rewriter.walk(|new, id, value| {
            let Source::Node { op, operands } = &value.source else {
                // Parameters come where they are used: some are left out, others change.
                return match value.source {
                    Source::Input => new.copy(value).map(Some),
                    _ => Ok(None),
                };
            };
            let Op::BatchNorm { epsilon } = op else {
                // A layer is written together with the batch norm behind it.
                let goes = uses.normed[id.0] && uses.layer(self, id).is_some();
                return if goes { Ok(None) } else { new.copy(value).map(Some) };
            };
            let affine = self.affine(value, &operands[1..], *epsilon)?;
            let folded = match uses.layer(self, operands[0]) {
                Some(layer) => self.absorb(new, &value.name, layer, &affine),
                None => self.apply(new, value, operands[0], affine),
            };
            folded.map(Some)
        })?;
        let outputs = rewriter.places(&self.outputs)?;
        let mut graph = rewriter.graph;
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
        let [scale, shift, mean, variance] = statistics else {
            return Err(GraphError::Arity {
                node: norm.name.clone(),
                op: Op::BatchNorm { epsilon }.name(),
                expected: (5, 5),
                found: 1 + statistics.len(),
            });
        };
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

    /// The layer with the batch norm behind it.
    fn absorb(
        &self,
        new: &mut Rewriter<'_>,
        name: &str,
        layer: Layer<'_>,
        affine: &Affine,
    ) -> Result<ValueId, GraphError> {
        let Layer { op, x, weight, bias } = layer;
        let mut scaled = weight.data.to_vec();
        let per_channel = scaled.len() / affine.factors.len();
        let mut offsets = Vec::with_capacity(affine.factors.len());
        for (o, rows) in scaled.chunks_mut(per_channel).enumerate() {
            let a = affine.factors[o];
            rows.iter_mut().for_each(|w| *w = (a * f64::from(*w)) as f32);
            let before = bias.map_or(0.0, |b| f64::from(b[o]));
            offsets.push((a * before + affine.offsets[o]) as f32);
        }
        let weight = weight.value;
        let bias_name = self.fresh_in(new, &format!("{}.folded_bias", weight.name));
        let w = new.graph.param(&weight.name, &weight.shape, scaled)?;
        let b = new.graph.param(&bias_name, &[offsets.len()], offsets)?;
        let x = new.place(x)?;
        new.graph.node(name, op.clone(), &[x, w, b])
    }

    /// A product and a sum in place of a batch norm.
    fn apply(
        &self,
        new: &mut Rewriter<'_>,
        norm: &Value,
        x: ValueId,
        affine: Affine,
    ) -> Result<ValueId, GraphError> {
        let x = new.place(x)?;
        let channels = affine.factors.len();
        let shape: Vec<usize> =
            (0..norm.shape.len()).map(|axis| if axis == 1 { channels } else { 1 }).collect();
        let narrow = |values: Vec<f64>| values.into_iter().map(|v| v as f32).collect::<Vec<_>>();
        let [scale, scaled, shift] = ["scale", "scaled", "shift"]
            .map(|part| self.fresh_in(new, &format!("{}.{part}", norm.name)));
        let scale = new.graph.param(&scale, &shape, narrow(affine.factors))?;
        let scaled = new.graph.node(&scaled, Op::Mul, &[x, scale])?;
        let shift = new.graph.param(&shift, &shape, narrow(affine.offsets))?;
        new.graph.node(&norm.name, Op::Add, &[scaled, shift])
    }

    /// A name that neither this graph has nor the new one.
    fn fresh_in(&self, new: &Rewriter<'_>, stem: &str) -> String {
        let mut name = new.graph.fresh_name(stem);
        while self.has(&name) || new.graph.has(&name) {
            name.push('\'');
        }
        name
    }
}

/// What a batch norm does to each channel: `factor * x + offset`.
struct Affine {
    factors: Vec<f64>,
    offsets: Vec<f64>,
}

/// A layer that takes a batch norm in.
struct Layer<'a> {
    op: &'a Op,
    x: ValueId,
    weight: Weight<'a>,
    bias: Option<&'a [f32]>,
}

/// A parameter with its elements.
#[derive(Clone, Copy)]
struct Weight<'a> {
    value: &'a Value,
    data: &'a [f32],
}

/// Who reads each value.
struct Uses {
    /// Number of operands and outputs that each value is.
    counts: Vec<usize>,
    /// Whether a batch norm reads each value.
    normed: Vec<bool>,
}

impl Uses {
    fn of(graph: &Graph) -> Self {
        let (mut counts, mut normed) =
            (vec![0; graph.values.len()], vec![false; graph.values.len()]);
        for value in &graph.values {
            let Source::Node { op, operands } = &value.source else { continue };
            operands.iter().for_each(|o| counts[o.0] += 1);
            normed[operands[0].0] |= matches!(op, Op::BatchNorm { .. });
        }
        graph.outputs.iter().for_each(|o| counts[o.0] += 1);
        Self { counts, normed }
    }

    /// The layer behind a value, if a batch norm that reads the value can become part of it.
    fn layer<'a>(&self, graph: &'a Graph, id: ValueId) -> Option<Layer<'a>> {
        let value = graph.value(id);
        let Source::Node { op, operands } = &value.source else { return None };
        let weighted = matches!(op, Op::Conv(_) | Op::Gemm { transposed: false });
        let [x, weight_id, rest @ ..] = operands.as_slice() else { return None };
        let param = |id: &ValueId| match &graph.value(*id).source {
            Source::Param(data) => Some(Weight { value: graph.value(*id), data }),
            _ => None,
        };
        let weight = param(weight_id)?;
        let bias = match rest.first() {
            None => None,
            Some(bias) => Some(param(bias)?.data),
        };
        let own = self.counts[weight_id.0] == 1 && self.counts[id.0] == 1;
        (weighted && own).then_some(Layer { op, x: *x, weight, bias })
    }
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

    #[test]
    fn names_stay_those_of_what_they_named() {
        let mut g = Graph::new();
        let x = g.input("image", &[1, 3, 2, 2]).unwrap();
        let y = convolved(&mut g, "conv", x);
        let y = norm(&mut g, "norm", y);
        let y = g.node("out", Op::Relu, &[y]).unwrap();
        g.set_outputs(&[y]);
        let image = ArrayD::from_shape_fn(vec![1, 3, 2, 2], |i| (i[1] * 5 + i[2] + i[3]) as f64);
        let at = |g: &Graph, name: &str| {
            run(&g.extract(&[name]).unwrap(), std::slice::from_ref(&image)).unwrap().remove(0)
        };
        let folded = g.fold_batch_norm().unwrap();
        assert!(!folded.has("conv"));
        let kept = g.fold_batch_norm_but(Some("conv")).unwrap();
        for (found, name) in [(&folded, "norm"), (&kept, "norm"), (&kept, "conv")] {
            let far = (at(found, name) - at(&g, name)).iter().fold(0.0f64, |m, d| m.max(d.abs()));
            assert!(far < 1e-6, "{name}: {far}");
        }
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
