//! The sums of slopes over images.

use saligate_kernels::{Buffer, Crew, Isa, Map, dense};

use super::super::layout::Layout;
use super::super::node::{Id, Kind};
use super::super::slope::Adder;

/// The sums of a part of a weight's slope over images.
pub(super) struct Sums {
    pub(super) adder: Adder,
    pub(super) weight: usize,
    maps: [Map; 2],
    /// The nodes whose products are added here.
    pub(super) nodes: Vec<Id>,
    pub(super) values: Buffer,
}

/// Sums for the parts of all slopes; parts of one weight and geometry are added up in one place.
pub(super) fn sums(isa: Isa, layout: &Layout) -> Vec<Sums> {
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
    pub(super) fn add(&mut self, isa: Isa, crew: &Crew, pairs: &[(&[f32], &[f32])]) {
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
    pub(super) fn read(&self, to: &mut [f32]) {
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
