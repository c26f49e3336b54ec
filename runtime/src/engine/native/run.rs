//! One kernel per node.

use std::borrow::Cow;
use std::ops::Range;
use std::time::{Duration, Instant};

use saligate_kernels::{
    Conv, Crew, Epilogue, Map, MaskRecord, Operand, Pool, chain, dense, pointwise,
};
use saligate_models::graph::Op;

use super::node::{Id, Kind, Linear, Node, PoolWindow};
use super::product::products;
use super::schedule::Schedule;
use super::{Plan, plain};

/// Told how long each step took.
pub(super) type Watch<'a> = &'a mut dyn FnMut(Id, Duration);

/// A run over a schedule.
pub(super) struct Run<'a> {
    pub(super) plan: &'a Plan,
    pub(super) schedule: &'a Schedule,
    pub(super) crew: &'a Crew,
    pub(super) inputs: &'a [&'a [f32]],
}

impl Run<'_> {
    /// Computes everything; the outputs, in order.
    pub(super) fn all(&self, memory: &mut [f32], mut watch: Option<Watch<'_>>) -> Vec<Vec<f32>> {
        for &id in &self.schedule.steps {
            if self.is_in_place(id) {
                continue;
            }
            let began = watch.is_some().then(Instant::now);
            self.step(id, memory);
            if let (Some(watch), Some(began)) = (&mut watch, began) {
                watch(id, began.elapsed());
            }
        }
        self.schedule.outputs.iter().map(|&o| self.value(o, memory).to_vec()).collect()
    }

    /// Computes one value.
    pub(super) fn step(&self, id: Id, memory: &mut [f32]) {
        let bits = self.wanted(self.plan.layout.bits[id]);
        let winners = self.wanted(self.plan.layout.winners[id]);
        let made = [Some(id), bits, winners].map(|made| made.map(|made| self.place(made)));
        let ([out, words, winners], rest) = split(memory, made);
        let bounds = bits.map(|bits| self.bounds(bits));
        let record = words.zip(bounds).map(|(words, b)| MaskRecord::new(words, b));
        let out = out.expect("every step has a place");
        Step { run: self, rest }.run(id, out, record, winners);
    }

    /// A value that has been computed.
    pub(super) fn value<'m>(&'m self, id: Id, memory: &'m [f32]) -> &'m [f32] {
        match &self.node(id).kind {
            Kind::Input(number) => self.inputs[*number],
            Kind::Constant(data) => data,
            _ => &memory[self.place(id)],
        }
    }

    fn place(&self, id: Id) -> Range<usize> {
        self.schedule.places[id].clone().expect("every step has a place")
    }

    fn map(&self, id: Id) -> &Map {
        &self.plan.layout.maps[id]
    }

    fn node(&self, id: Id) -> &Node {
        &self.plan.layout.nodes[id]
    }

    /// What is kept of a value, where this schedule has a use for it.
    fn wanted(&self, kept: Option<Id>) -> Option<Id> {
        kept.filter(|&kept| self.schedule.places[kept].is_some())
    }

    fn bounds(&self, bits: Id) -> [f32; 2] {
        let Kind::Inside(bounds) = self.node(bits).kind else { unreachable!("bits are kept") };
        bounds
    }

    /// Whether a value is there without being computed: bits that were kept, a part of a whole, or a whole whose parts
    /// are all there.
    pub(super) fn is_in_place(&self, id: Id) -> bool {
        let node = self.node(id);
        let lies_in = |part: Id, whole: Id| matches!(self.plan.layout.within[part], Some((parent, _)) if parent == whole);
        match node.kind {
            Kind::Channels(_) | Kind::Plain(Op::Reshape { .. } | Op::Flatten) => {
                lies_in(id, node.inputs[0])
            }
            Kind::Concat => node.inputs.iter().all(|&part| lies_in(part, id)),
            Kind::Inside(_) | Kind::Winners(_) => true,
            _ => false,
        }
    }

    fn conv<'l>(&self, linear: &'l Linear<Conv>, maps: [Map; 2]) -> &'l Conv {
        linear.conv(self.plan.isa, maps)
    }

    /// The convolution of a node.
    fn conv_of(&self, id: Id) -> &Conv {
        let Kind::Conv(linear) = &self.node(id).kind else { unreachable!("a convolution") };
        self.conv(linear, [*self.map(self.node(id).inputs[0]), *self.map(id)])
    }
}

/// The parts of the memory that a step does not write, each with where it begins.
type Rest<'a> = [(usize, &'a [f32]); MADE + 1];

/// Most values that a step writes: its result, and what is kept of it.
const MADE: usize = 3;

/// Cuts out what a step writes.
fn split(
    mut memory: &mut [f32],
    made: [Option<Range<usize>>; MADE],
) -> ([Option<&mut [f32]>; MADE], Rest<'_>) {
    let mut parts = [const { None }; MADE];
    let mut rest: Rest<'_> = [(0, &[]); MADE + 1];
    let mut start = 0;
    for piece in &mut rest[..MADE] {
        // The next one in memory.
        let next = made.iter().enumerate().filter_map(|(at, range)| Some((range.as_ref()?, at)));
        let next = next.filter(|(_, at)| parts[*at].is_none()).min_by_key(|(range, _)| range.start);
        let Some((range, at)) = next else { break };
        let (before, behind) = memory.split_at_mut(range.start - start);
        let (part, behind) = behind.split_at_mut(range.len());
        *piece = (start, before);
        parts[at] = Some(part);
        (start, memory) = (range.end, behind);
    }
    rest[MADE] = (start, memory);
    (parts, rest)
}

/// One step of a run, and what it may read.
struct Step<'a> {
    run: &'a Run<'a>,
    rest: Rest<'a>,
}

impl Step<'_> {
    fn map(&self, id: Id) -> &Map {
        self.run.map(id)
    }

    fn read(&self, id: Id) -> &[f32] {
        match &self.run.node(id).kind {
            Kind::Input(number) => self.run.inputs[*number],
            Kind::Constant(data) => data,
            _ => {
                let place = self.run.place(id);
                let holds = |(start, part): &&(usize, &[f32])| {
                    *start <= place.start && place.end <= start + part.len()
                };
                let part = self.rest.iter().find(holds);
                let (start, part) = part.expect("no step writes over what it reads");
                &part[place.start - start..place.end - start]
            }
        }
    }

    fn operand(&self, id: Id) -> Operand<'_> {
        Operand { values: self.read(id), map: *self.map(id) }
    }

    fn run(
        &self,
        id: Id,
        out: &mut [f32],
        record: Option<MaskRecord<'_>>,
        winners: Option<&mut [f32]>,
    ) {
        let Run { plan: Plan { isa, .. }, crew, .. } = *self.run;
        let (node, map, isa) = (self.run.node(id), *self.map(id), *isa);
        let epilogue = Epilogue {
            residual: node.epilogue.residual.map(|r| self.operand(r)),
            bounds: node.epilogue.bounds,
            mask: node.epilogue.mask.map(|(bits, _)| self.read(bits)),
            record,
        };
        let x = || self.read(node.inputs[0]);
        match &node.kind {
            Kind::Conv(linear) => {
                let maps = [*self.map(node.inputs[0]), map];
                match linear.back_through {
                    None if linear.unbiased => {
                        self.run.conv(linear, maps).run_unbiased(crew, x(), out, epilogue);
                    }
                    None => self.run.conv(linear, maps).run(crew, x(), out, epilogue),
                    Some(first) => {
                        let conv = self.run.conv_of(first);
                        conv.run_back(crew, &linear.window, maps, (x(), out), epilogue);
                    }
                }
            }
            Kind::Depthwise(linear) => {
                let maps = [*self.map(node.inputs[0]), map];
                linear.depthwise(isa, maps).run(crew, x(), out, epilogue);
            }
            Kind::Pool(window) => {
                let pool = pool(window, *self.map(node.inputs[0]), map);
                pool.run(isa, crew, x(), out, winners, epilogue);
            }
            Kind::PoolBack(window) => {
                let gradient = self.operand(node.inputs[0]);
                let winners = node.inputs.get(1).map(|&w| self.read(w));
                let pool = pool(window, map, gradient.map);
                pool.run_back(isa, crew, gradient, winners, (out, &map), epilogue);
            }
            Kind::PoolGather(window) => {
                let slope = self.operand(node.inputs[0]);
                let winners = self.read(node.inputs[1]);
                let pool = pool(window, slope.map, map);
                pool.gather(isa, crew, slope, winners, (out, &map), epilogue);
            }
            Kind::Mean => {
                let operand = self.operand(node.inputs[0]);
                let factor = 1.0 / (operand.map.rows() * operand.map.columns()) as f32;
                pointwise::plane_sums(isa, &operand, factor, out);
            }
            Kind::WeightedSum => {
                let weights = self.read(node.inputs[1]);
                pointwise::weighted_sum(isa, &self.operand(node.inputs[0]), weights, out);
            }
            Kind::Spread(factor) => {
                let scaled: Vec<f32> = x().iter().map(|v| v * factor).collect();
                pointwise::spread(isa, crew, &scaled, (out, &map), epilogue);
            }
            Kind::Epilogue => {
                pointwise::apply(isa, crew, &self.operand(node.inputs[0]), (out, &map), epilogue);
            }
            Kind::Scale { shift, factor } => {
                pointwise::scale(&self.operand(node.inputs[0]), shift, factor, (out, &map));
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
                plain::each(isa, op, out);
                map.clear_halo(out);
            }
            Kind::Affine { factor, shift } => {
                self.map(node.inputs[0]).convert_like(x(), &map, out);
                out.iter_mut().for_each(|v| *v = *v * factor + shift);
                map.clear_halo(out);
            }
            Kind::Zip(op) => self.zip(node, op, &map, out),
            Kind::Chain(links) => {
                let operands: Vec<Cow<'_, [f32]>> =
                    node.inputs.iter().map(|&input| self.like(input, &map)).collect();
                let operands: Vec<&[f32]> = operands.iter().map(|values| &**values).collect();
                chain(isa, crew, &operands, links, out);
                map.clear_halo(out);
            }
            Kind::Concat => self.concat(node, id, &map, out),
            Kind::Channels(start) if map.lanes() == 1 => {
                let plane = map.plane();
                out.copy_from_slice(&x()[start * plane..][..out.len()]);
            }
            Kind::Channels(_) => unreachable!("blocked channels lie within their whole"),
            Kind::Plain(op) => {
                let operand = |&i: &Id| (self.read(i), self.run.node(i).shape.as_slice());
                let operands: Vec<_> = node.inputs.iter().map(operand).collect();
                plain::run(isa, op, &operands, (out, &node.shape));
            }
            Kind::Product(transposed) => {
                let operand = |at: usize| {
                    let id = node.inputs[at];
                    (self.read(id), self.run.node(id).shape.as_slice())
                };
                let pair = [operand(0), operand(1)];
                products(isa, crew, pair, *transposed, (out, &node.shape));
            }
            Kind::Convert => self.map(node.inputs[0]).convert(x(), &map, out),
            Kind::Slope(part) => {
                let operand = |at: usize| self.operand(node.inputs[at]);
                part.of_image(isa, operand, out);
            }
            Kind::Input(_)
            | Kind::Constant(_)
            | Kind::Inside(_)
            | Kind::Winners(_)
            | Kind::Patches { .. } => {
                unreachable!("given, kept, or made by others")
            }
        }
    }

    /// A value in a map of the same size and lanes, whose halo may be another.
    fn like(&self, id: Id, map: &Map) -> Cow<'_, [f32]> {
        let (own, values) = (self.map(id), self.read(id));
        if own == map {
            return Cow::Borrowed(values);
        }
        let mut other = vec![0.0; map.elements()];
        own.convert_like(values, map, &mut other);
        Cow::Owned(other)
    }

    fn zip(&self, node: &Node, op: &Op, map: &Map, out: &mut [f32]) {
        match op {
            Op::Mul => self.zip_with(node, map, out, |a, b| a * b),
            Op::Sub => self.zip_with(node, map, out, |a, b| a - b),
            _ => self.zip_with(node, map, out, |a, b| a + b),
        }
    }

    fn zip_with(&self, node: &Node, map: &Map, out: &mut [f32], f: impl Fn(f32, f32) -> f32) {
        let [a, b] = [0, 1].map(|i| node.inputs[i]);
        let (x, y) = (self.read(a), self.read(b));
        if self.map(a) == map && self.map(b) == map {
            return pointwise::zip(x, y, (out, map), f);
        }
        // Halos that differ: row by row.
        let place = |map: &Map, line: usize| {
            let (block, row) = (line / map.rows(), line % map.rows());
            block * map.plane() + map.origin() + row * map.row()
        };
        let length = map.columns() * map.lanes();
        for line in 0..map.blocks() * map.rows() {
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
            let to = own.laid_out(map.lanes(), map.halo());
            let is_there =
                matches!(self.run.plan.layout.within[part], Some((parent, _)) if parent == id);
            if !is_there {
                let range = block * map.plane()..block * map.plane() + to.elements();
                own.convert_like(self.read(part), &to, &mut out[range]);
            }
            block += to.blocks();
        }
    }
}

fn pool(window: &PoolWindow, input: Map, output: Map) -> Pool {
    let &PoolWindow { pooling, kernel, stride, before } = window;
    Pool { pooling, kernel, stride, before, input, output }
}
