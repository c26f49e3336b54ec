//! The project's own engine: a graph becomes a list of large operations on values whose places in
//! memory are fixed before the first run.
//!
//! | step | where | what it does |
//! |---|---|---|
//! | lower | [`lower`](self::lower), [`operation`] | operations with their epilogues, gradient rules as one operation each, nothing twice |
//! | shorten | [`shorten`](self::shorten) | moves of moves, Grad-CAM's means without the gradients behind them, and such |
//! | join | [`chain`](self::chain) | operations on single elements that follow each other, as one |
//! | remember | [`remember`](self::remember) | bits and winners in place of the activations that a way back would read |
//! | lay out | [`layout`] | channels in blocks, halos, parts that lie within wholes, conversions between |
//! | squares | [`squares`] | which convolutions are worth the memory of faster weights |
//! | schedule | [`schedule`] | for some outputs: what is needed, and where it lies |
//! | run | [`run`] | one kernel per node |
//!
//! One plan serves all outputs of a graph: predicting and every method share weights. The graph
//! itself is not needed any more once a plan is made.

mod chain;
mod epilogue;
mod layout;
mod learn;
mod lower;
mod node;
mod operation;
mod plain;
mod product;
mod remember;
mod rewrite;
mod run;
mod schedule;
mod shorten;
mod slope;
mod squares;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use saligate_kernels::{Buffer, Crew, Isa};
use saligate_models::graph::Graph;

use crate::explanation::StepTime;

use self::layout::{Layout, lay_out};
pub(crate) use self::learn::Learning;
pub use self::learn::Times;
use self::node::Id;
pub(super) use self::schedule::Schedule;

/// All that some outputs of a graph take.
pub(crate) struct Plan {
    isa: Isa,
    layout: Layout,
    /// Position of each output.
    names: HashMap<String, usize>,
}

impl Plan {
    /// A plan for all outputs of a graph.
    ///
    /// # Errors
    /// A value is no batch of one; the error names it.
    pub(super) fn new(graph: &Graph, isa: Isa) -> Result<Self, String> {
        let names = graph.outputs().iter().enumerate();
        let names = names.map(|(at, o)| (graph.value(*o).name.clone(), at)).collect();
        let (mut nodes, outputs) = lower::lower(graph, false)?;
        shorten::shorten(&mut nodes, false);
        let (nodes, outputs) = chain::join(nodes, outputs);
        let (nodes, outputs) = remember::remember(nodes, outputs);
        let mut layout = lay_out(isa, nodes, outputs);
        squares::choose(isa, &mut layout, Some(squares::SHARE));
        layout::go_back_through(&mut layout);
        Ok(Self { isa, layout, names })
    }

    /// What is needed for some outputs; `None` where there is no output of a name.
    pub(super) fn schedule(&self, outputs: &[&str]) -> Option<Schedule> {
        let ids = outputs.iter().map(|name| Some(self.layout.outputs[*self.names.get(*name)?]));
        Some(Schedule::new(&self.layout, ids.collect::<Option<_>>()?))
    }

    /// Computes the outputs of a schedule for one image. `inputs` are the image and the target. With
    /// `wipe`, no copy of the image is left in the state.
    pub(super) fn run(
        &self,
        schedule: &Schedule,
        state: &mut State,
        crew: &Crew,
        inputs: &[&[f32]],
        wipe: bool,
    ) -> Vec<Vec<f32>> {
        let run = run::Run { plan: self, schedule, crew, inputs };
        let outputs = run.all(&mut state.memory, None);
        if wipe {
            // The memory stays in use, so no compiler may leave this out.
            schedule.images.iter().for_each(|place| state.memory[place.clone()].fill(0.0));
        }
        outputs
    }
}

impl Plan {
    /// Runs a schedule some times; how long each step took, in order.
    pub(super) fn times(
        &self,
        schedule: &Schedule,
        crew: &Crew,
        inputs: &[&[f32]],
        rounds: usize,
    ) -> Vec<StepTime> {
        let mut state = State::new(schedule);
        let mut times: BTreeMap<Id, Vec<Duration>> = BTreeMap::new();
        for round in 0..=rounds {
            let mut watch = |id: Id, time| {
                // The first round packs weights.
                if round > 0 {
                    times.entry(id).or_default().push(time);
                }
            };
            let run = run::Run { plan: self, schedule, crew, inputs };
            run.all(&mut state.memory, Some(&mut watch));
        }
        let step = |(id, mut times): (Id, Vec<Duration>)| {
            times.sort_unstable();
            let node = &self.layout.nodes[id];
            StepTime {
                operation: node.kind.to_string(),
                operand: node.inputs.first().map(|&input| self.layout.nodes[input].size()),
                result: node.size(),
                median: times[times.len() / 2],
            }
        };
        times.into_iter().map(step).collect()
    }
}

/// The memory of one run at a time.
pub(super) struct State {
    memory: Buffer,
}

impl State {
    pub(super) fn new(schedule: &Schedule) -> Self {
        Self { memory: Buffer::zeros(schedule.size) }
    }
}

#[cfg(test)]
mod tests {
    use saligate_models::graph::Op;

    use super::*;

    fn answer(graph: &Graph, image: &[f32]) -> Vec<f32> {
        let plan = Plan::new(graph, Isa::best()).unwrap();
        let schedule = plan.schedule(&["out"]).unwrap();
        let mut state = State::new(&schedule);
        // Whatever an earlier run may have left.
        state.memory.fill(7.0);
        plan.run(&schedule, &mut state, &Crew::single(), &[image], false).remove(0)
    }

    #[test]
    fn a_part_may_stand_in_a_whole_twice() {
        let mut graph = Graph::new();
        let image = graph.input("image", &[1, 16, 2, 2]).unwrap();
        let weight = (0..256).map(|i| f32::from(u8::from(i % 17 == 0))).collect::<Vec<_>>();
        let weight = graph.param("w", &[16, 16, 1, 1], weight).unwrap();
        let same = Op::Conv(saligate_models::graph::ConvAttrs::same(0));
        let x = graph.node("x", same, &[image, weight]).unwrap();
        let out = graph.node("out", Op::Concat, &[x, x]).unwrap();
        graph.set_outputs(&[out]);
        let pixels: Vec<f32> = (0..64).map(|i| i as f32).collect();
        assert_eq!(answer(&graph, &pixels), [&pixels[..], &pixels[..]].concat());
    }

    #[test]
    fn one_channel_may_be_scaled_to_three() {
        let mut graph = Graph::new();
        let image = graph.input("image", &[1, 1, 1, 2]).unwrap();
        let mean = graph.param("mean", &[1, 3, 1, 1], vec![1.0, 2.0, 3.0]).unwrap();
        let out = graph.node("out", Op::Sub, &[image, mean]).unwrap();
        graph.set_outputs(&[out]);
        assert_eq!(answer(&graph, &[5.0, 6.0]), [4.0, 5.0, 3.0, 4.0, 2.0, 3.0]);
    }

    #[test]
    fn a_long_step_is_no_reason_to_wait() {
        let mut graph = Graph::new();
        let image = graph.input("image", &[1, 1, 1, 1]).unwrap();
        let weight = graph.param("w", &[1, 1, 1, 1], vec![2.0]).unwrap();
        let conv = saligate_models::graph::ConvAttrs::same(0).with_stride(1 << 40);
        let conv = Op::ConvTranspose { conv, output_padding: [0, 0] };
        let out = graph.node("out", conv, &[image, weight]).unwrap();
        graph.set_outputs(&[out]);
        assert_eq!(answer(&graph, &[3.0]), [6.0]);
    }

    #[test]
    fn a_window_may_be_larger_than_any_map() {
        let mut graph = Graph::new();
        let image = graph.input("image", &[1, 1, 2, 2]).unwrap();
        let (kernel, side) = ([1 << 32; 2], (1 << 32) - 1);
        let pads = [side, side, 0, 0];
        let attrs = saligate_models::graph::PoolAttrs { kernel, stride: [1; 2], pads };
        let out = graph.node("out", Op::MaxPool(attrs), &[image]).unwrap();
        graph.set_outputs(&[out]);
        assert_eq!(answer(&graph, &[1.0, 3.0, 2.0, 4.0]), [1.0, 3.0, 2.0, 4.0]);
    }
}
