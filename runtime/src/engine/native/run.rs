//! One kernel per node.

use std::mem;
use std::time::{Duration, Instant};

use saligate_kernels::{
    After, Buffer, Conv, Crew, Depthwise, Kept, Map, Operand, Pool, dense, pointwise,
};
use saligate_models::graph::Op;

use super::node::{Id, Kind, Linear, Node, Pooled};
use super::schedule::Schedule;
use super::{Plan, plain};

/// A run over a schedule.
pub(super) struct Run<'a> {
    pub(super) plan: &'a Plan,
    pub(super) schedule: &'a Schedule,
    pub(super) crew: &'a Crew,
    pub(super) inputs: &'a [&'a [f32]],
    pub(super) buffers: &'a mut [Buffer],
    /// Told how long each step took, where somebody asks.
    pub(super) watch: Option<&'a mut dyn FnMut(Id, Duration)>,
}

impl Run<'_> {
    /// Computes everything; the outputs, in order.
    pub(super) fn all(mut self) -> Vec<Vec<f32>> {
        let mut watch = self.watch.take();
        for &id in &self.schedule.steps {
            if self.is_in_place(id) {
                continue;
            }
            let began = watch.is_some().then(Instant::now);
            let (buffer, start) = self.place(id);
            // Taken out, so that the operands can be read beside it: no operand lies in the same
            // buffer, unless the node is part of it.
            let mut taken = mem::take(&mut self.buffers[buffer]);
            let out = &mut taken[start..start + self.map(id).elements()];
            match self.bits(id) {
                None => self.step(id, out, None),
                Some((bits, bounds)) => {
                    let (buffer, start) = self.place(bits);
                    let mut words = mem::take(&mut self.buffers[buffer]);
                    let room = &mut words[start..start + self.map(bits).elements()];
                    self.step(id, out, Some(&Kept::new(room, bounds)));
                    self.buffers[buffer] = words;
                }
            }
            self.buffers[buffer] = taken;
            if let (Some(watch), Some(began)) = (&mut watch, began) {
                watch(id, began.elapsed());
            }
        }
        let outputs = self.schedule.outputs.iter();
        outputs.map(|&o| self.read(o).to_vec()).collect()
    }

    fn place(&self, id: Id) -> (usize, usize) {
        self.schedule.places[id].expect("every step has a place")
    }

    fn map(&self, id: Id) -> &Map {
        &self.plan.laid.maps[id]
    }

    fn node(&self, id: Id) -> &Node {
        &self.plan.laid.nodes[id]
    }

    /// The bits that are kept of a value, where this schedule has a use for them.
    fn bits(&self, id: Id) -> Option<(Id, [f32; 2])> {
        let bits = self.plan.laid.kept[id].filter(|&bits| self.schedule.places[bits].is_some())?;
        match self.node(bits).kind {
            Kind::Inside(bounds) => Some((bits, bounds)),
            _ => None,
        }
    }

    /// Whether a value is there without being computed: bits that were kept, a part of a whole, or a whole whose parts
    /// are all there.
    fn is_in_place(&self, id: Id) -> bool {
        let node = self.node(id);
        let lies_in = |part: Id, whole: Id| matches!(self.plan.laid.within[part], Some((parent, _)) if parent == whole);
        match node.kind {
            Kind::Channels(_) => lies_in(id, node.inputs[0]),
            Kind::Concat => node.inputs.iter().all(|&part| lies_in(part, id)),
            Kind::Inside(_) => true,
            _ => false,
        }
    }

    fn read(&self, id: Id) -> &[f32] {
        match &self.node(id).kind {
            Kind::Input(number) => self.inputs[*number],
            Kind::Constant(data) => data,
            _ => {
                let (buffer, start) = self.place(id);
                &self.buffers[buffer][start..start + self.map(id).elements()]
            }
        }
    }

    fn operand(&self, id: Id) -> Operand<'_> {
        Operand { values: self.read(id), map: *self.map(id) }
    }

    fn step(&self, id: Id, out: &mut [f32], kept: Option<&Kept<'_>>) {
        let (node, map, isa, crew) = (self.node(id), *self.map(id), self.plan.isa, self.crew);
        let after = After {
            residual: node.then.residual.map(|r| self.operand(r)),
            bounds: node.then.bounds,
            mask: node.then.mask.map(|(bits, _)| self.read(bits)),
            kept,
        };
        let x = || self.read(node.inputs[0]);
        match &node.kind {
            Kind::Conv(linear) => {
                let maps = [*self.map(node.inputs[0]), map];
                self.conv(linear, maps).run(crew, x(), out, &after, linear.sparse);
            }
            Kind::Depthwise(linear) => {
                let maps = [*self.map(node.inputs[0]), map];
                self.depthwise(linear, maps).run(crew, x(), out, &after);
            }
            Kind::Pool(pooled) => {
                let pool = pool(pooled, *self.map(node.inputs[0]), map);
                pool.run(isa, crew, x(), out, &after);
            }
            Kind::PoolBack(pooled) => {
                let gradient = self.operand(node.inputs[0]);
                let winners = node.inputs.get(1).map(|&w| self.operand(w));
                let pool = pool(pooled, map, gradient.map);
                pool.run_back(isa, crew, gradient, winners, (out, &map), &after);
            }
            Kind::Winners(pooled) => {
                pool(pooled, *self.map(node.inputs[0]), map).winners(isa, crew, x(), out);
            }
            Kind::Mean => {
                let operand = self.operand(node.inputs[0]);
                let factor = 1.0 / (operand.map.rows * operand.map.columns) as f32;
                pointwise::plane_sums(isa, &operand, factor, out);
            }
            Kind::Spread(factor) => {
                let scaled: Vec<f32> = x().iter().map(|v| v * factor).collect();
                pointwise::spread(isa, crew, &scaled, (out, &map), &after);
            }
            Kind::Finish => {
                pointwise::finish(isa, crew, &self.operand(node.inputs[0]), (out, &map), &after);
            }
            Kind::Move(moves) => {
                moves.run(crew, &self.operand(node.inputs[0]), (out, &map));
            }
            Kind::Dense { weight, bias, transposed: false } => {
                dense::times(isa, crew, weight, bias.as_deref(), x(), out);
            }
            Kind::Dense { weight, .. } => dense::times_transposed(isa, weight, x(), out),
            Kind::Each(op) => {
                self.map(node.inputs[0]).convert_like(x(), &map, out);
                plain::each(op, out);
                map.clear_halo(out);
            }
            Kind::Zip(op) => self.zip(node, op, &map, out),
            Kind::Concat => self.concat(node, id, &map, out),
            Kind::Channels(start) if map.lanes == 1 => {
                let plane = map.plane();
                out.copy_from_slice(&x()[start * plane..][..out.len()]);
            }
            Kind::Channels(_) => unreachable!("blocked channels lie within their whole"),
            Kind::Plain(op) => {
                let operand = |&i: &Id| (self.read(i), self.node(i).shape.as_slice());
                let operands: Vec<_> = node.inputs.iter().map(operand).collect();
                plain::run(op, &operands, (out, &node.shape));
            }
            Kind::Convert => self.map(node.inputs[0]).convert(x(), &map, out),
            Kind::Input(_) | Kind::Constant(_) | Kind::Inside(_) => {
                unreachable!("given or kept, not computed")
            }
        }
    }

    fn conv<'l>(&self, linear: &'l Linear<Conv>, maps: [Map; 2]) -> &'l Conv {
        let (isa, window, bias) = (self.plan.isa, &linear.window, linear.bias.as_deref());
        linear.weights.packed(|weight| match linear.transposed {
            true => Conv::transposed(isa, window, weight, maps, linear.side),
            false => Conv::new(isa, window, weight, bias, maps, linear.side),
        })
    }

    fn depthwise<'l>(&self, linear: &'l Linear<Depthwise>, maps: [Map; 2]) -> &'l Depthwise {
        let (isa, window, bias) = (self.plan.isa, &linear.window, linear.bias.as_deref());
        linear.weights.packed(|weight| match linear.transposed {
            true => Depthwise::transposed(isa, window, weight, maps),
            false => Depthwise::new(isa, window, weight, bias, maps),
        })
    }

    fn zip(&self, node: &Node, op: &Op, map: &Map, out: &mut [f32]) {
        let [a, b] = [0, 1].map(|i| node.inputs[i]);
        let (x, y) = (self.read(a), self.read(b));
        let f: fn(f32, f32) -> f32 = match op {
            Op::Mul => |a, b| a * b,
            Op::Sub => |a, b| a - b,
            _ => |a, b| a + b,
        };
        if self.map(a) == map && self.map(b) == map {
            return pointwise::zip(x, y, (out, map), f);
        }
        // Halos that differ: row by row.
        let place = |map: &Map, line: usize| {
            let (block, row) = (line / map.rows, line % map.rows);
            block * map.plane() + map.origin() + row * map.row()
        };
        let length = map.columns * map.lanes;
        for line in 0..map.blocks() * map.rows {
            let x = &x[place(self.map(a), line)..][..length];
            let y = &y[place(self.map(b), line)..][..length];
            let out = &mut out[place(map, line)..][..length];
            out.iter_mut().zip(x.iter().zip(y)).for_each(|(o, (&x, &y))| *o = f(x, y));
        }
        map.clear_halo(out);
    }

    /// Copies the parts that do not lie in their whole already.
    fn concat(&self, node: &Node, id: Id, map: &Map, out: &mut [f32]) {
        let mut block = 0;
        for &part in &node.inputs {
            let own = *self.map(part);
            let to = own.laid_out(map.lanes, map.halo);
            let is_there = matches!(self.plan.laid.within[part], Some((parent, _)) if parent == id);
            if !is_there {
                let range = block * map.plane()..block * map.plane() + to.elements();
                own.convert_like(self.read(part), &to, &mut out[range]);
            }
            block += to.blocks();
        }
    }
}

fn pool(pooled: &Pooled, input: Map, output: Map) -> Pool {
    let &Pooled { pooling, kernel, stride, before } = pooled;
    Pool { pooling, kernel, stride, before, input, output }
}
