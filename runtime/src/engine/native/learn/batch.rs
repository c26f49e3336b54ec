//! Some images of a step.

use std::ops::Range;
use std::sync::MutexGuard;
use std::time::{Duration, Instant};

use saligate_kernels::{Buffer, Crew, dense};

use super::super::node::{Id, Kind};
use super::super::run::Run;
use super::super::slope::Adder;
use super::Learning;
use super::schedule::Segment;
use super::sums::Sums;

/// Images that one thread computes layer by layer.
const TOGETHER: usize = 4;

/// Some images of a step, in the places of memory that they have.
pub(super) struct Batch<'a> {
    pub(super) learning: &'a Learning,
    pub(super) crew: &'a Crew,
    pub(super) inputs: &'a [&'a [f32]],
    /// The image of place 0.
    pub(super) first: usize,
    pub(super) slots: Range<usize>,
}

impl Batch<'_> {
    pub(super) fn inputs_of(&self, slot: usize) -> Vec<&[f32]> {
        let image = self.first + slot;
        let sizes = self.inputs.iter().zip(&self.learning.inputs);
        sizes.map(|(input, &size)| &input[image * size..(image + 1) * size]).collect()
    }

    pub(super) fn run<'r>(&'r self, inputs: &'r [&'r [f32]], crew: &'r Crew) -> Run<'r> {
        let Learning { plan, schedule, .. } = self.learning;
        Run { plan, schedule, crew, inputs }
    }

    /// The first phase.
    pub(super) fn own(&self, phase: usize) {
        for segment in &self.learning.phases[phase] {
            match segment {
                Segment::Own(steps) => self.steps(steps.clone()),
                Segment::Joint(id) => self.learning.timed(*id, || self.dense(*id)),
            }
        }
    }

    /// The second phase; how long the sums took.
    pub(super) fn back(&self, sums: &mut [Sums]) -> Duration {
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
