//! Training steps: outputs of many images, and the slopes of a loss by the weights.
//!
//! The way back is more network ([`backward`]), so it is lowered, laid out and scheduled as any
//! other. A step has two phases. The first computes the outputs of every image; the caller makes a
//! loss of them, and the second goes back from its slopes by the outputs. Images are computed each on
//! its own, some of them layer by layer, so that weights stay in the cache. What joins images are the sums of the
//! weights' slopes, and large matrices.

mod batch;
mod parts;
mod schedule;
mod sums;
mod weights;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use saligate_kernels::{Buffer, Crew, Isa};
use saligate_models::calculus::backward;
use saligate_models::graph::Graph;

use super::layout::Layout;
use super::node::{Id, Kind};
use super::schedule::Schedule;
use super::slope::{Adder, SlopeKind, SlopePart};
use super::{Plan, layout, lower, remember, shorten, squares};

use batch::Batch;
use parts::with_parts;
use schedule::{Segment, heavy, scheduled};
use sums::{Sums, sums};
use weights::{Renewed, Role, Weight, weights};

/// Images between two sums of slopes. The order of sums, and so their last bits, depend on it.
const CHUNK: usize = 8;

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
        let (nodes, ids) = lower::lower(graph, true)?;
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
