//! The weights of a network in training, and what holds them.

use std::collections::HashMap;
use std::sync::Arc;

use saligate_models::calculus::Backward;
use saligate_models::graph::Source;

use super::super::layout::Layout;
use super::super::node::{Id, Kind, Weights};

/// A trained weight.
pub(super) struct Weight {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) uses: Vec<(Id, Role)>,
}

/// What a weight is to a node.
#[derive(Clone, Copy)]
pub(super) enum Role {
    Weights,
    Bias,
    Constant,
}

/// The weights that have slopes, and the nodes that hold them.
pub(super) fn weights(way: &Backward, layout: &Layout) -> Vec<Weight> {
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

/// Fresh weights in place of old ones that some nodes share.
pub(super) struct Renewed<K>(HashMap<*const Weights<K>, Arc<Weights<K>>>);

impl<K> Default for Renewed<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K> Renewed<K> {
    pub(super) fn renew(&mut self, weights: &mut Arc<Weights<K>>, data: &Arc<[f32]>) {
        let fresh = || Arc::new(Weights::new(Arc::clone(data)));
        *weights = Arc::clone(self.0.entry(Arc::as_ptr(weights)).or_insert_with(fresh));
    }
}
