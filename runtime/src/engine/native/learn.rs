//! Training steps: outputs of many images, and the slopes of a loss by the weights.
//!
//! The way back is more network ([`backward`]), so it is lowered, laid out and scheduled as any
//! other. A step has two phases. The first computes the outputs of every image; the caller makes a
//! loss of them, and the second goes back from its slopes by the outputs. Images are computed each on
//! its own, some of them layer by layer, so that weights stay in the cache. What joins images are the sums of the
//! weights' slopes, and large matrices.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use saligate_kernels::{Buffer, Crew, Isa, Map, dense};
use saligate_models::calculus::{Backward, Part, backward};
use saligate_models::graph::{Graph, Source};

use super::layout::Layout;
use super::node::{Id, Kind, Node, Weights};
use super::operation::window;
use super::rewrite::{push, rewrite};
use super::run::Run;
use super::schedule::{Schedule, is_held};
use super::slope::{Adder, SlopeKind, SlopePart};
use super::{Plan, layout, lower, remember, shorten, squares};

/// Images that one thread computes layer by layer.
const TOGETHER: usize = 4;
/// Images between two sums of slopes. The order of sums, and so their last bits, depend on it.
const CHUNK: usize = 8;
/// Weights of a matrix that is read once for all images rather than once for each.
const LARGE: usize = 1 << 16;

/// A network in training.
pub(crate) struct Learning {
    plan: Plan,
    schedule: Schedule,
    /// Which nodes have more weights than their maps have elements.
    heavy: Vec<bool>,
    /// What is computed in each phase.
    phases: [Vec<Segment>; 2],
    weights: Vec<Weight>,
    sums: Vec<Sums>,
    /// Elements of each input and output of one image.
    inputs: Vec<usize>,
    outputs: Vec<usize>,
    states: Vec<Mutex<Buffer>>,
    /// Whether the first phase of all images is kept for the second one.
    keeps_all: bool,
    pub(crate) times: Times,
    /// How long the steps of each node took over all images and threads, where that is asked for.
    profile: Option<Mutex<HashMap<Id, Duration>>>,
}

/// Where the time of training steps goes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// Bringing new weights into the order of the kernels.
    pub packing: Duration,
    /// The outputs.
    pub outputs: Duration,
    /// The way back, without the sums.
    pub back: Duration,
    /// The sums of the weights' slopes.
    pub slopes: Duration,
}

/// A trained weight.
struct Weight {
    name: String,
    shape: Vec<usize>,
    uses: Vec<(Id, Role)>,
}

/// What a weight is to a node.
#[derive(Clone, Copy)]
enum Role {
    Weights,
    Bias,
    Constant,
}

/// Steps of a phase.
enum Segment {
    /// Steps that every image takes on its own.
    Own(Range<usize>),
    /// A step that all images take together.
    Joint(Id),
}

/// The sums of a part of a weight's slope over images.
struct Sums {
    adder: Adder,
    weight: usize,
    maps: [Map; 2],
    /// The nodes whose products are added here.
    nodes: Vec<Id>,
    values: Buffer,
}

impl Learning {
    /// `hat` gives the widths of surrogate slopes ([`backward`]).
    ///
    /// # Errors
    /// An operation has no gradient rule, or a value is no batch of one.
    pub(crate) fn new(
        network: &Graph,
        wanted: &[String],
        hat: impl Fn(&str) -> Option<f32>,
        isa: Isa,
    ) -> Result<Self, String> {
        let way = backward(network, wanted, hat).map_err(|error| error.to_string())?;
        let graph = &way.graph;
        let (nodes, ids) = lower::lower(graph)?;
        let (outputs, values) = ids.split_at(way.outputs.len());
        let (mut nodes, outputs) = with_parts(nodes, outputs.to_vec(), &way, values);
        shorten::shorten(&mut nodes, true);
        let (nodes, outputs) = remember::remember(nodes, outputs);
        let mut layout = layout::lay_out(isa, nodes, outputs);
        squares::choose(isa, &mut layout, None);
        layout::go_back_through(&mut layout);
        let weights = weights(&way, &layout);
        let sums = sums(isa, &layout);
        let size = |shape: &[usize]| shape.iter().product();
        let inputs = graph.inputs().map(|(_, value)| size(&value.shape)).collect();
        let sizes = way.outputs.iter().map(|&o| size(graph.shape(o))).collect();
        let (schedule, phases) = scheduled(&layout);
        let heavy = heavy(&layout);
        Ok(Self {
            plan: Plan { isa, layout, names: HashMap::new() },
            schedule,
            heavy,
            phases,
            weights,
            sums,
            inputs,
            outputs: sizes,
            states: Vec::new(),
            keeps_all: true,
            times: Times::default(),
            profile: None,
        })
    }

    /// Names and shapes of the weights, in the order of their slopes.
    pub(crate) fn weights(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.weights.iter().map(|weight| (weight.name.as_str(), weight.shape.as_slice()))
    }

    /// Bytes that one image takes while it is computed.
    pub(crate) fn bytes_per_image(&self) -> usize {
        4 * self.schedule.size
    }

    /// Multiplications for one image in each phase, those of convolutions and matrices.
    pub(crate) fn multiplications(&self) -> [usize; 2] {
        let layout = &self.plan.layout;
        let of = |id: &Id| {
            let node = &layout.nodes[*id];
            let pixels = |id: Id| layout.maps[id].rows() * layout.maps[id].columns();
            let channels = |id: Id| layout.maps[id].channels();
            let size = |kernel: [usize; 2]| kernel[0] * kernel[1];
            match &node.kind {
                Kind::Conv(linear) => {
                    let ends = [node.inputs[0], *id];
                    let cells = size(linear.window.kernel) * channels(ends[0]) * channels(ends[1]);
                    cells * pixels(ends[usize::from(!linear.transposed)])
                }
                Kind::Depthwise(linear) => {
                    let end = if linear.transposed { node.inputs[0] } else { *id };
                    size(linear.window.kernel) * channels(*id) * pixels(end)
                }
                Kind::Dense { weight, .. } => weight.len(),
                Kind::Slope(SlopePart { kind, .. }) => {
                    let h = *node.inputs.last().expect("a slope has operands");
                    match kind {
                        SlopeKind::Conv(window) => {
                            let channels = channels(node.inputs[0]) * channels(h);
                            size(window.kernel) * channels * pixels(h)
                        }
                        SlopeKind::Depthwise(window, channels) => {
                            size(window.kernel) * channels * pixels(h)
                        }
                        SlopeKind::Grouped(_, weight) => {
                            weight.iter().product::<usize>() * pixels(h)
                        }
                        SlopeKind::Dense => {
                            layout.maps[node.inputs[0]].elements() * layout.maps[h].elements()
                        }
                        SlopeKind::Bias => 0,
                    }
                }
                _ => 0,
            }
        };
        let steps = |segments: &[Segment]| {
            let ids = segments.iter().flat_map(|segment| match segment {
                Segment::Own(range) => self.schedule.steps[range.clone()].to_vec(),
                Segment::Joint(id) if self.is_ready(*id) => Vec::new(),
                Segment::Joint(id) => vec![*id],
            });
            ids.map(|id| of(&id)).sum()
        };
        [steps(&self.phases[0]), steps(&self.phases[1])]
    }

    /// From now on keeps how long every step takes.
    pub(crate) fn watch(&mut self) {
        self.profile = Some(Mutex::default());
    }

    /// What was kept: the time of every kind of operation over all images and threads, and of the
    /// values it makes, the longest first.
    pub(crate) fn profile(&self) -> Vec<(String, [usize; 3], Duration)> {
        let Some(profile) = &self.profile else { return Vec::new() };
        let profile = profile.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rows: Vec<(String, [usize; 3], Duration)> = Vec::new();
        let mut ids: Vec<_> = profile.iter().collect();
        ids.sort_unstable();
        for (&id, &time) in ids {
            let node = &self.plan.layout.nodes[id];
            let shown = match &node.kind {
                Kind::Slope(_) => node.inputs[node.inputs.len() - 1],
                _ => id,
            };
            let (kind, size) = (node.kind.to_string(), self.plan.layout.nodes[shown].size());
            match rows.iter_mut().find(|row| (&row.0, row.1) == (&kind, size)) {
                Some(row) => row.2 += time,
                None => rows.push((kind, size, time)),
            }
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.2));
        rows
    }

    fn timed<T>(&self, id: Id, work: impl FnOnce() -> T) -> T {
        let Some(profile) = &self.profile else { return work() };
        let began = Instant::now();
        let made = work();
        let mut profile = profile.lock().unwrap_or_else(PoisonError::into_inner);
        *profile.entry(id).or_default() += began.elapsed();
        made
    }

    fn is_ready(&self, id: Id) -> bool {
        let held = |sums: &&Sums| sums.nodes.contains(&id);
        self.sums.iter().find(held).is_some_and(|sums| matches!(sums.adder, Adder::Ready))
    }

    /// Exchanges all weights, in the order of [`weights`](Self::weights).
    ///
    /// # Panics
    /// Their number or the length of one differs.
    pub(crate) fn set_weights(&mut self, crew: &Crew, weights: Vec<Arc<[f32]>>) {
        let began = Instant::now();
        assert_eq!(weights.len(), self.weights.len(), "weights");
        let nodes = &mut self.plan.layout.nodes;
        let mut convs = Renewed::default();
        let mut depthwise = Renewed::default();
        for (weight, data) in self.weights.iter().zip(weights) {
            assert_eq!(data.len(), weight.shape.iter().product::<usize>(), "{}", weight.name);
            for &(id, role) in &weight.uses {
                match (&mut nodes[id].kind, role) {
                    (Kind::Conv(linear), Role::Weights) => {
                        convs.renew(&mut linear.weights, &data);
                    }
                    (Kind::Depthwise(linear), Role::Weights) => {
                        depthwise.renew(&mut linear.weights, &data);
                    }
                    (Kind::Dense { weight, .. }, Role::Weights) => *weight = Arc::clone(&data),
                    (Kind::Conv(linear), _) => linear.bias = Some(Arc::clone(&data)),
                    (Kind::Depthwise(linear), _) => linear.bias = Some(Arc::clone(&data)),
                    (Kind::Dense { bias, .. }, _) => *bias = Some(Arc::clone(&data)),
                    (Kind::Constant(held), _) => *held = Arc::clone(&data),
                    _ => unreachable!("weights belong to layers and constants"),
                }
            }
        }
        self.pack(crew);
        self.times.packing += began.elapsed();
    }

    fn pack(&self, crew: &Crew) {
        let Plan { isa, layout: Layout { nodes, maps, .. }, .. } = &self.plan;
        let linear = |id: &&Id| match &nodes[**id].kind {
            Kind::Conv(linear) => linear.back_through.is_none(),
            kind => matches!(kind, Kind::Depthwise(_)),
        };
        let ids: Vec<Id> = self.schedule.steps.iter().filter(linear).copied().collect();
        crew.run(ids.len(), &|at| {
            let id = ids[at];
            let maps = [maps[nodes[id].inputs[0]], maps[id]];
            match &nodes[id].kind {
                Kind::Conv(linear) => drop(linear.conv(*isa, maps)),
                Kind::Depthwise(linear) => drop(linear.depthwise(*isa, maps)),
                _ => {}
            }
        });
    }

    /// Computes the outputs of `count` images, and keeps what the way back needs if it takes at most
    /// `memory` bytes: else that is computed twice. Returns each output of all images, one behind
    /// the other.
    ///
    /// # Panics
    /// An input has another length.
    pub(crate) fn outputs(
        &mut self,
        crew: &Crew,
        count: usize,
        inputs: &[&[f32]],
        memory: usize,
    ) -> Vec<Vec<f32>> {
        let began = Instant::now();
        self.check(count, inputs);
        let room = (memory / self.bytes_per_image().max(1)).max(1);
        self.keeps_all = count <= room;
        let states = if self.keeps_all { count } else { room.min(CHUNK) };
        while self.states.len() < states {
            self.states.push(Mutex::new(Buffer::zeros(self.schedule.size)));
        }
        self.states.truncate(states);
        let mut outputs: Vec<Vec<f32>> =
            self.outputs.iter().map(|size| Vec::with_capacity(size * count)).collect();
        for first in (0..count).step_by(states) {
            let batch =
                Batch { learning: self, crew, inputs, first, slots: 0..states.min(count - first) };
            batch.own(0);
            for slot in batch.slots.clone() {
                let state = self.state(slot);
                let values = batch.inputs_of(slot);
                let run = batch.run(&values, crew);
                for (output, &id) in outputs.iter_mut().zip(&self.schedule.outputs) {
                    output.extend_from_slice(run.value(id, &state));
                }
            }
        }
        self.times.outputs += began.elapsed();
        outputs
    }

    /// The slopes of a loss by the weights, over the images of the last [`outputs`](Self::outputs):
    /// from the same inputs, and behind them the loss's slopes by the outputs.
    ///
    /// # Panics
    /// An input has another length.
    pub(crate) fn slopes(&mut self, crew: &Crew, count: usize, inputs: &[&[f32]]) -> Vec<Vec<f32>> {
        let began = Instant::now();
        self.check(count, inputs);
        assert_eq!(inputs.len(), self.inputs.len(), "inputs");
        let mut sums = std::mem::take(&mut self.sums);
        sums.iter_mut().for_each(|sums| sums.values.fill(0.0));
        let mut adding = Duration::ZERO;
        let chunk = if self.keeps_all { CHUNK.min(count) } else { self.states.len() };
        for first in (0..count).step_by(chunk) {
            let length = chunk.min(count - first);
            let slot = if self.keeps_all { first } else { 0 };
            let slots = slot..slot + length;
            let batch = Batch { learning: self, crew, inputs, first: first - slot, slots };
            if !self.keeps_all {
                batch.own(0);
            }
            adding += batch.back(&mut sums);
        }
        let mut slopes: Vec<Vec<f32>> = Vec::with_capacity(self.weights.len());
        for weight in &self.weights {
            slopes.push(vec![0.0; weight.shape.iter().product()]);
        }
        for sums in &sums {
            sums.read(&mut slopes[sums.weight]);
        }
        self.sums = sums;
        self.times.back += began.elapsed() - adding;
        self.times.slopes += adding;
        slopes
    }

    fn check(&self, count: usize, inputs: &[&[f32]]) {
        for (input, size) in inputs.iter().zip(&self.inputs) {
            assert_eq!(input.len(), count * size, "an input of another length");
        }
    }

    fn state(&self, slot: usize) -> MutexGuard<'_, Buffer> {
        self.states[slot].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fresh weights in place of old ones that some nodes share.
struct Renewed<K>(HashMap<*const Weights<K>, Arc<Weights<K>>>);

impl<K> Default for Renewed<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K> Renewed<K> {
    fn renew(&mut self, weights: &mut Arc<Weights<K>>, data: &Arc<[f32]>) {
        let fresh = || Arc::new(Weights::new(Arc::clone(data)));
        *weights = Arc::clone(self.0.entry(Arc::as_ptr(weights)).or_insert_with(fresh));
    }
}

/// A part of a slope, the values that it is made of, and the shape of what one image has of it.
type Waiting = (SlopePart, Vec<Id>, Vec<usize>);

/// Puts a node for every part of a slope right behind the values that it is made of.
fn with_parts(
    nodes: Vec<Node>,
    outputs: Vec<Id>,
    way: &Backward,
    values: &[Id],
) -> (Vec<Node>, Vec<Id>) {
    let mut values = values.iter().copied();
    let mut waiting: HashMap<Id, Vec<Waiting>> = HashMap::new();
    for (weight, slope) in way.slopes.iter().enumerate() {
        for part in &slope.parts {
            let inputs: Vec<Id> = values.by_ref().take(part.values().count()).collect();
            let shape = way.graph.shape(slope.weight);
            let kind = kind_of(part, shape, way);
            let length = match kind {
                SlopeKind::Bias | SlopeKind::Grouped(..) => shape.iter().product(),
                _ => 1,
            };
            let last = inputs.iter().copied().max().expect("a part is made of values");
            let part = SlopePart { kind, weight };
            waiting.entry(last).or_default().push((part, inputs, vec![1, length]));
        }
    }
    let mut places: Vec<Id> = Vec::new();
    rewrite(nodes, outputs, |made, old, node| {
        let own = push(made, node);
        places.push(own);
        for (part, inputs, shape) in waiting.remove(&old).into_iter().flatten() {
            let inputs = inputs.into_iter().map(|id| places[id]).collect();
            push(made, Node::new(Kind::Slope(part), inputs, shape));
        }
        Some(own)
    })
}

fn kind_of(part: &Part, shape: &[usize], way: &Backward) -> SlopeKind {
    let (attrs, x) = match part {
        Part::Bias { .. } => return SlopeKind::Bias,
        Part::Gemm { .. } => return SlopeKind::Dense,
        Part::Conv { attrs, x, .. } => (attrs, way.graph.shape(*x)[1]),
    };
    let &[outputs, per_group, rows, columns] = shape else {
        unreachable!("the weight of a convolution has four axes")
    };
    let window = window(attrs, [rows, columns]);
    if attrs.groups == 1 {
        SlopeKind::Conv(window)
    } else if attrs.groups == outputs && per_group == 1 && x == outputs {
        SlopeKind::Depthwise(window, outputs)
    } else {
        SlopeKind::Grouped(*attrs, [outputs, per_group, rows, columns])
    }
}

/// The weights that have slopes, and the nodes that hold them.
fn weights(way: &Backward, layout: &Layout) -> Vec<Weight> {
    let data = |slope: &saligate_models::calculus::Slope| {
        let value = way.graph.value(slope.weight);
        let Source::Param(data) = &value.source else { unreachable!("a weight is a parameter") };
        (value, data.as_ptr())
    };
    let mut weights = Vec::new();
    let mut known: HashMap<*const f32, usize> = HashMap::new();
    for (at, slope) in way.slopes.iter().enumerate() {
        let (value, address) = data(slope);
        known.insert(address, at);
        let (name, shape) = (value.name.clone(), value.shape.clone());
        weights.push(Weight { name, shape, uses: Vec::new() });
    }
    let mut put = |id: Id, role: Role, address: Option<*const f32>| {
        if let Some(&at) = address.and_then(|address| known.get(&address)) {
            weights[at].uses.push((id, role));
        }
    };
    for (id, node) in layout.nodes.iter().enumerate() {
        let bias = |bias: &Option<Arc<[f32]>>| bias.as_ref().map(|bias| bias.as_ptr());
        match &node.kind {
            Kind::Conv(linear) => {
                put(id, Role::Weights, linear.weights.address());
                put(id, Role::Bias, bias(&linear.bias));
            }
            Kind::Depthwise(linear) => {
                put(id, Role::Weights, linear.weights.address());
                put(id, Role::Bias, bias(&linear.bias));
            }
            Kind::Dense { weight, bias: shift, .. } => {
                put(id, Role::Weights, Some(weight.as_ptr()));
                put(id, Role::Bias, bias(shift));
            }
            Kind::Constant(data) => put(id, Role::Constant, Some(data.as_ptr())),
            _ => {}
        }
    }
    weights
}

/// Sums for the parts of all slopes; parts of one weight and geometry are added up in one place.
fn sums(isa: Isa, layout: &Layout) -> Vec<Sums> {
    let mut all: Vec<Sums> = Vec::new();
    for (id, node) in layout.nodes.iter().enumerate() {
        let Kind::Slope(part) = &node.kind else { continue };
        let ends = [node.inputs[0], node.inputs[node.inputs.len() - 1]];
        let maps = ends.map(|id| layout.maps[id]);
        let adder = part.adder(isa, maps);
        let same = |sums: &&mut Sums| {
            let alike = match (&sums.adder, &adder) {
                (Adder::Conv(_), Adder::Conv(_)) | (Adder::Depthwise(_), Adder::Depthwise(_)) => {
                    sums.maps == maps
                }
                (Adder::Dense, Adder::Dense) | (Adder::Ready, Adder::Ready) => true,
                _ => false,
            };
            sums.weight == part.weight && alike
        };
        if let Some(sums) = all.iter_mut().find(same) {
            sums.nodes.push(id);
            continue;
        }
        let length = match &adder {
            Adder::Conv(slope) => slope.length(),
            Adder::Depthwise(slope) => slope.length(),
            Adder::Dense => maps[0].elements() * maps[1].elements(),
            Adder::Ready => layout.maps[id].elements(),
        };
        let values = Buffer::zeros(length);
        all.push(Sums { adder, weight: part.weight, maps, nodes: vec![id], values });
    }
    all
}

impl Sums {
    /// Adds what one chunk of images has.
    fn add(&mut self, isa: Isa, crew: &Crew, pairs: &[(&[f32], &[f32])]) {
        match &self.adder {
            Adder::Conv(slope) => slope.add(crew, pairs, &mut self.values),
            Adder::Depthwise(slope) => slope.add(crew, pairs, &mut self.values),
            Adder::Dense => dense::add_slopes(isa, crew, pairs, &mut self.values),
            Adder::Ready => {
                for (_, own) in pairs {
                    self.values.iter_mut().zip(*own).for_each(|(sum, v)| *sum += v);
                }
            }
        }
    }

    /// Adds the slope to that of the weight.
    fn read(&self, to: &mut [f32]) {
        let mut found;
        let own = match &self.adder {
            Adder::Conv(slope) => {
                found = vec![0.0; to.len()];
                slope.read(&self.values, &mut found);
                &found[..]
            }
            Adder::Depthwise(slope) => {
                found = vec![0.0; to.len()];
                slope.read(&self.values, &mut found);
                &found[..]
            }
            Adder::Dense | Adder::Ready => &self.values[..],
        };
        to.iter_mut().zip(own).for_each(|(to, v)| *to += v);
    }
}

/// Which nodes read more than the value that they make.
fn heavy(layout: &Layout) -> Vec<bool> {
    let of = |(id, node): (usize, &Node)| match &node.kind {
        Kind::Conv(linear) => {
            let [rows, columns] = match linear.side {
                Some(side) => [side + 2; 2],
                None => linear.window.kernel,
            };
            let ends = [node.inputs[0], id].map(|id| layout.maps[id]);
            let weights = rows * columns * ends[0].channels() * ends[1].channels();
            weights > ends[0].elements() + ends[1].elements()
        }
        Kind::Dense { .. } => true,
        _ => false,
    };
    layout.nodes.iter().enumerate().map(of).collect()
}

/// The order of all steps, those of the outputs first.
fn scheduled(layout: &Layout) -> (Schedule, [Vec<Segment>; 2]) {
    let close = |mut needed: Vec<bool>| {
        for id in (0..needed.len()).rev() {
            if needed[id] {
                layout.nodes[id].operands().for_each(|o| needed[o] = true);
            }
        }
        needed
    };
    let mut needed = vec![false; layout.nodes.len()];
    layout.outputs.iter().for_each(|&o| needed[o] = true);
    let first = close(needed.clone());
    for (id, node) in layout.nodes.iter().enumerate() {
        needed[id] |= matches!(node.kind, Kind::Slope(_));
    }
    let needed = close(needed);
    let of = |wanted: &dyn Fn(Id) -> bool| -> Vec<Id> {
        let ids = 0..layout.nodes.len();
        ids.filter(|&id| needed[id] && wanted(id) && is_held(layout, id)).collect()
    };
    let own = of(&|id| first[id]);
    let back = of(&|id| !first[id]);
    let mut phases = [Vec::new(), Vec::new()];
    for (phase, ids, before) in [(0, &own, 0), (1, &back, own.len())] {
        let segments = &mut phases[phase];
        let mut start = 0;
        for (at, &id) in ids.iter().enumerate() {
            let (joins, is_ready) = match &layout.nodes[id].kind {
                Kind::Slope(part) => {
                    (true, matches!(part.kind, SlopeKind::Bias | SlopeKind::Grouped(..)))
                }
                Kind::Dense { weight, .. } => (weight.len() >= LARGE, false),
                _ => (false, false),
            };
            if joins {
                let end = at + usize::from(is_ready);
                if start < end {
                    segments.push(Segment::Own(before + start..before + end));
                }
                segments.push(Segment::Joint(id));
                start = at + 1;
            }
        }
        if start < ids.len() {
            segments.push(Segment::Own(before + start..before + ids.len()));
        }
    }
    let steps = own.into_iter().chain(back).collect();
    (Schedule::in_order(layout, layout.outputs.clone(), &needed, steps), phases)
}

/// Some images of a step, in the places of memory that they have.
struct Batch<'a> {
    learning: &'a Learning,
    crew: &'a Crew,
    inputs: &'a [&'a [f32]],
    /// The image of place 0.
    first: usize,
    slots: Range<usize>,
}

impl Batch<'_> {
    fn inputs_of(&self, slot: usize) -> Vec<&[f32]> {
        let image = self.first + slot;
        let sizes = self.inputs.iter().zip(&self.learning.inputs);
        sizes.map(|(input, &size)| &input[image * size..(image + 1) * size]).collect()
    }

    fn run<'r>(&'r self, inputs: &'r [&'r [f32]], crew: &'r Crew) -> Run<'r> {
        let Learning { plan, schedule, .. } = self.learning;
        Run { plan, schedule, crew, inputs }
    }

    /// The first phase.
    fn own(&self, phase: usize) {
        for segment in &self.learning.phases[phase] {
            match segment {
                Segment::Own(steps) => self.steps(steps.clone()),
                Segment::Joint(id) => self.learning.timed(*id, || self.dense(*id)),
            }
        }
    }

    /// The second phase; how long the sums took.
    fn back(&self, sums: &mut [Sums]) -> Duration {
        let mut adding = Duration::ZERO;
        for segment in &self.learning.phases[1] {
            match segment {
                Segment::Own(steps) => self.steps(steps.clone()),
                Segment::Joint(id) => match sums.iter_mut().find(|s| s.nodes.contains(id)) {
                    Some(sums) => {
                        let began = Instant::now();
                        self.learning.timed(*id, || self.add(*id, sums));
                        adding += began.elapsed();
                    }
                    None => self.learning.timed(*id, || self.dense(*id)),
                },
            }
        }
        adding
    }

    /// Steps that every image takes on its own.
    fn steps(&self, steps: Range<usize>) {
        let steps = &self.learning.schedule.steps[steps];
        let (count, threads) = (self.slots.len(), self.crew.threads());
        // A single image has all threads.
        let alone = Crew::single();
        let inside = if count == 1 { self.crew } else { &alone };
        let together = count.div_ceil(threads).clamp(1, TOGETHER);
        let work = |part: usize| {
            let slots = self.slots.start + part * together..;
            let slots = slots.take(together).take_while(|slot| *slot < self.slots.end);
            let mut images: Vec<_> =
                slots.map(|slot| (self.inputs_of(slot), self.learning.state(slot))).collect();
            let step = |id: Id, (inputs, state): &mut (Vec<&[f32]>, MutexGuard<'_, Buffer>)| {
                let run = self.run(inputs, inside);
                if !run.is_in_place(id) {
                    self.learning.timed(id, || run.step(id, state));
                }
            };
            // Heavy weights stay in the cache for all images, light ones beside the maps of one.
            let alike = |a: &Id, b: &Id| self.learning.heavy[*a] == self.learning.heavy[*b];
            for steps in steps.chunk_by(alike) {
                if self.learning.heavy[steps[0]] {
                    for &id in steps {
                        images.iter_mut().for_each(|image| step(id, image));
                    }
                } else {
                    for image in &mut images {
                        steps.iter().for_each(|&id| step(id, image));
                    }
                }
            }
        };
        let parts = count.div_ceil(together);
        if count == 1 { work(0) } else { self.crew.run(parts, &work) }
    }

    /// Adds the products of all images.
    fn add(&self, id: Id, sums: &mut Sums) {
        let node = &self.learning.plan.layout.nodes[id];
        let ends = match sums.adder {
            Adder::Ready => [id, id],
            _ => [node.inputs[0], node.inputs[node.inputs.len() - 1]],
        };
        let states: Vec<_> = self.slots.clone().map(|slot| self.learning.state(slot)).collect();
        let inputs: Vec<_> = self.slots.clone().map(|slot| self.inputs_of(slot)).collect();
        let runs: Vec<_> = inputs.iter().map(|inputs| self.run(inputs, self.crew)).collect();
        let pairs: Vec<(&[f32], &[f32])> = runs
            .iter()
            .zip(&states)
            .map(|(run, state)| (run.value(ends[0], state), run.value(ends[1], state)))
            .collect();
        sums.add(self.learning.plan.isa, self.crew, &pairs);
    }

    /// A product with a matrix that is too large to be read for every image anew.
    fn dense(&self, id: Id) {
        let plan = &self.learning.plan;
        let node = &plan.layout.nodes[id];
        let Kind::Dense { weight, bias, transposed } = &node.kind else {
            unreachable!("a large matrix")
        };
        let mut states: Vec<_> = self.slots.clone().map(|slot| self.learning.state(slot)).collect();
        let inputs: Vec<_> = self.slots.clone().map(|slot| self.inputs_of(slot)).collect();
        let runs: Vec<_> = inputs.iter().map(|inputs| self.run(inputs, self.crew)).collect();
        let x = runs.iter().zip(&states).map(|(run, state)| run.value(node.inputs[0], state));
        let x: Vec<&[f32]> = x.collect();
        let y = match transposed {
            true => dense::times_transposed_many(plan.isa, self.crew, weight, &x),
            false => dense::times_many(plan.isa, self.crew, weight, bias.as_deref(), &x),
        };
        let place = self.learning.schedule.places[id].clone().expect("every step has a place");
        for (state, y) in states.iter_mut().zip(&y) {
            state[place.clone()].copy_from_slice(y);
        }
    }
}
