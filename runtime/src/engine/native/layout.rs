//! How every value lies in memory, and which values lie within others.

use std::collections::HashMap;
use std::sync::Arc;

use saligate_kernels::{Bits, Conv, Isa, Map, Pool};

use super::node::{Id, Kind, Linear, Node, Then};

/// Nodes with their maps.
pub(super) struct Laid {
    pub(super) nodes: Vec<Node>,
    pub(super) maps: Vec<Map>,
    /// For a value that lies within another one: which, and from which element on.
    pub(super) within: Vec<Option<(Id, usize)>>,
    /// For a value whose bits may be kept while it is made: the node that stands for them.
    pub(super) kept: Vec<Option<Id>>,
    /// For a maximum whose winners may be kept while it is made: the node that stands for them.
    pub(super) winners: Vec<Option<Id>>,
    /// Outputs, as planar values.
    pub(super) outputs: Vec<Id>,
}

/// The form of a value.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Form {
    /// As many channels side by side as a register holds.
    Blocked,
    /// Planar, for a convolution: with a halo.
    Padded,
    /// Planar, without a halo.
    Flat,
}

/// Chooses maps, and adds conversions where a node and what uses it need different ones.
pub(super) fn lay_out(isa: Isa, nodes: Vec<Node>, outputs: Vec<Id>) -> Laid {
    let lanes = isa.lanes();
    let mut forms: Vec<Form> = Vec::new();
    for node in &nodes {
        forms.push(form(node, &nodes, &forms, lanes));
    }
    let mut builder = Builder { nodes: Vec::new(), forms: Vec::new(), made: HashMap::new() };
    let mut moved: Vec<Id> = Vec::new();
    for (old, mut node) in nodes.into_iter().enumerate() {
        let own = forms[old];
        let inputs = node.inputs.iter().enumerate().map(|(number, &input)| {
            let (input, found) = (moved[input], forms[input]);
            let wanted = match &node.kind {
                Kind::Conv(_) if found == Form::Blocked => Form::Blocked,
                Kind::Conv(_) => Form::Padded,
                Kind::Depthwise(_) if own == Form::Flat => Form::Padded,
                Kind::Mean => found,
                Kind::WeightedSum if number == 0 => found,
                Kind::WeightedSum => Form::Flat,
                Kind::Dense { .. } | Kind::Plain(_) | Kind::Spread(_) => Form::Flat,
                _ => own,
            };
            builder.in_form(input, wanted)
        });
        let inputs: Vec<Id> = inputs.collect();
        node.inputs = inputs;
        node.then = Then {
            residual: node.then.residual.map(|id| builder.in_form(moved[id], own)),
            mask: node.then.mask.map(|(id, bounds)| (builder.bits_in_form(moved[id], own), bounds)),
            ..node.then
        };
        moved.push(builder.push(node, own));
    }
    let outputs: Vec<Id> = outputs.iter().map(|&o| builder.in_form(moved[o], Form::Flat)).collect();
    let Builder { mut nodes, forms, .. } = builder;
    scale_in_place(&mut nodes, &forms);
    let within = views(&nodes, &forms, &outputs, lanes);
    let maps = maps(isa, &nodes, &forms, &within);
    let offset = |id: Id, (parent, start): (Id, usize)| {
        let parent_map: &Map = &maps[parent];
        debug_assert_eq!(parent_map.halo, maps[id].halo);
        (parent, start / parent_map.lanes * parent_map.plane())
    };
    let within = within.iter().enumerate().map(|(id, w)| w.map(|w| offset(id, w))).collect();
    let (mut kept, mut winners) = (vec![None; nodes.len()], vec![None; nodes.len()]);
    for (id, node) in nodes.iter().enumerate() {
        match node.kind {
            Kind::Inside(_) => kept[node.inputs[0]] = Some(id),
            Kind::Winners(_) => winners[node.inputs[0]] = Some(id),
            _ => {}
        }
    }
    let mut laid = Laid { nodes, maps, within, kept, winners, outputs };
    share_weights(&mut laid);
    laid
}

fn form(node: &Node, nodes: &[Node], forms: &[Form], lanes: usize) -> Form {
    let [channels, rows, columns] = node.size();
    let blocked = |yes: bool| if yes { Form::Blocked } else { Form::Flat };
    let first = || forms[node.inputs[0]];
    if node.shape.len() != 4 {
        return Form::Flat;
    }
    match &node.kind {
        Kind::Conv(linear) => blocked(
            !(linear.transposed && Conv::prefers_planar(channels) && node.then == Then::NOTHING),
        ),
        Kind::Depthwise(_) => blocked(channels >= 4),
        Kind::Spread(_) => blocked(channels >= 4 && rows * columns > 1),
        Kind::PoolBack(_) if node.inputs.len() > 1 => forms[node.inputs[1]],
        Kind::Scale { .. } => Form::Flat,
        // Blocked bits are kept at no cost; others would have to be made for this.
        Kind::Finish => match node.then.mask {
            Some((bits, _)) if forms[bits] == Form::Blocked => Form::Blocked,
            _ => first(),
        },
        Kind::Pool(_) | Kind::PoolBack(_) | Kind::Winners(_) | Kind::Inside(_) | Kind::Each(_) => {
            first()
        }
        Kind::Move(_) => blocked(first() == Form::Blocked),
        Kind::Zip(_) => blocked(node.inputs.iter().all(|&i| forms[i] == Form::Blocked)),
        Kind::Channels(start) => {
            let whole = nodes[node.inputs[0]].size()[0];
            let ends = start + channels == whole || channels.is_multiple_of(lanes);
            blocked(first() == Form::Blocked && start.is_multiple_of(lanes) && ends)
        }
        Kind::Concat => {
            let parts = node.inputs.iter().enumerate();
            let last = node.inputs.len() - 1;
            let fits = |(number, &part): (usize, &Id)| {
                let whole = number == last || nodes[part].size()[0].is_multiple_of(lanes);
                whole && forms[part] == Form::Blocked
            };
            blocked(parts.into_iter().all(fits))
        }
        _ => Form::Flat,
    }
}

/// Lets what is scaled and then given a halo be scaled into its halo.
fn scale_in_place(nodes: &mut [Node], forms: &[Form]) {
    for (id, &form) in forms.iter().enumerate() {
        let (before, rest) = nodes.split_at_mut(id);
        let Kind::Convert = rest[0].kind else { continue };
        let scaled = rest[0].inputs[0];
        if let Kind::Scale { shift, factor } = &before[scaled].kind
            && form == Form::Padded
        {
            rest[0].kind = Kind::Scale { shift: shift.clone(), factor: factor.clone() };
            rest[0].inputs = before[scaled].inputs.clone();
        }
    }
}

struct Builder {
    nodes: Vec<Node>,
    forms: Vec<Form>,
    /// Conversions by value and form.
    made: HashMap<(Id, Form), Id>,
}

impl Builder {
    fn push(&mut self, node: Node, form: Form) -> Id {
        self.nodes.push(node);
        self.forms.push(form);
        self.nodes.len() - 1
    }

    fn in_form(&mut self, id: Id, wanted: Form) -> Id {
        if self.forms[id] == wanted {
            return id;
        }
        if let Some(&made) = self.made.get(&(id, wanted)) {
            return made;
        }
        let shape = self.nodes[id].shape.clone();
        let node = Node { kind: Kind::Convert, inputs: vec![id], then: Then::NOTHING, shape };
        let made = self.push(node, wanted);
        self.made.insert((id, wanted), made);
        made
    }
}

impl Builder {
    /// The bits of the same value in another form.
    fn bits_in_form(&mut self, id: Id, wanted: Form) -> Id {
        if self.forms[id] == wanted {
            return id;
        }
        let Kind::Inside(bounds) = self.nodes[id].kind else { unreachable!("bits are asked for") };
        let value = self.in_form(self.nodes[id].inputs[0], wanted);
        let shape = self.nodes[id].shape.clone();
        let node = |kind, input| Node {
            kind,
            inputs: vec![input],
            then: Then::NOTHING,
            shape: shape.clone(),
        };
        let copy = self.push(node(Kind::Finish, value), wanted);
        self.push(node(Kind::Inside(bounds), copy), wanted)
    }
}

/// Values that lie within others, from a channel on: parts that are concatenated, and parts that
/// are taken out.
fn views(nodes: &[Node], forms: &[Form], outputs: &[Id], lanes: usize) -> Vec<Option<(Id, usize)>> {
    let mut within: Vec<Option<(Id, usize)>> = vec![None; nodes.len()];
    for (id, node) in nodes.iter().enumerate() {
        if forms[id] != Form::Blocked {
            continue;
        }
        match node.kind {
            Kind::Channels(start) => within[id] = Some((node.inputs[0], start)),
            Kind::Concat => {
                let mut start = 0;
                for &part in &node.inputs {
                    let computed = !matches!(
                        nodes[part].kind,
                        Kind::Channels(_) | Kind::Input(_) | Kind::Constant(_)
                    );
                    // A part that stands there twice lies in one place only.
                    let once = node.inputs.iter().filter(|&&other| other == part).count() == 1;
                    let aligned = start % lanes == 0 && once;
                    if computed && aligned && within[part].is_none() && !outputs.contains(&part) {
                        within[part] = Some((id, start));
                    }
                    start += nodes[part].size()[0];
                }
            }
            _ => {}
        }
    }
    within
}

fn maps(isa: Isa, nodes: &[Node], forms: &[Form], within: &[Option<(Id, usize)>]) -> Vec<Map> {
    let mut halos = vec![0; nodes.len()];
    for (id, node) in nodes.iter().enumerate() {
        let halo = match &node.kind {
            Kind::Conv(linear) => reach(linear, nodes, id),
            Kind::Depthwise(linear) => reach(linear, nodes, id),
            _ => continue,
        };
        let halo_of_input = &mut halos[node.inputs[0]];
        *halo_of_input = halo.max(*halo_of_input);
    }
    // Parts and wholes have one halo: the widest that any of them needs.
    loop {
        let mut changed = false;
        for id in 0..nodes.len() {
            let Some((parent, _)) = within[id] else { continue };
            let widest = halos[id].max(halos[parent]);
            changed |= halos[id] != widest || halos[parent] != widest;
            (halos[id], halos[parent]) = (widest, widest);
        }
        if !changed {
            break;
        }
    }
    let map = |id: Id| {
        let map = nodes[id].planar().laid_out(lanes_of(forms[id], isa), halos[id]);
        match &nodes[id].kind {
            Kind::Inside(_) => Bits::map_of(&map),
            Kind::Winners(pooled) => Pool::winners_map(&map, pooled.kernel),
            _ => map,
        }
    };
    (0..nodes.len()).map(map).collect()
}

fn lanes_of(form: Form, isa: Isa) -> usize {
    if form == Form::Blocked { isa.lanes() } else { 1 }
}

/// The halo that the input of a convolution needs.
fn reach<K>(linear: &Linear<K>, nodes: &[Node], id: Id) -> usize {
    let size = |id: Id| {
        let [_, rows, columns] = nodes[id].size();
        [rows, columns]
    };
    let (from, to) = (size(nodes[id].inputs[0]), size(id));
    match linear.transposed {
        true => linear.window.transposed_halo(from, to),
        false => linear.window.halo(from, to),
    }
}

/// Lets nodes share packed weights where they would be the same: methods of one graph go back
/// through the same convolutions.
fn share_weights(laid: &mut Laid) {
    let mut known: Vec<(Id, *const f32)> = Vec::new();
    for id in 0..laid.nodes.len() {
        let Kind::Conv(linear) = &laid.nodes[id].kind else { continue };
        let Some(address) = linear.weights.address() else { continue };
        let maps = |id: Id| (laid.maps[laid.nodes[id].inputs[0]], laid.maps[id]);
        let is_same = |other: Id| match &laid.nodes[other].kind {
            Kind::Conv(found) => {
                (found.window, found.transposed) == (linear.window, linear.transposed)
                    && found.bias == linear.bias
                    && maps(other) == maps(id)
            }
            _ => false,
        };
        let same = known.iter().find(|(other, at)| *at == address && is_same(*other));
        let shared = same.and_then(|(other, _)| match &laid.nodes[*other].kind {
            Kind::Conv(found) => Some(Arc::clone(&found.weights)),
            _ => None,
        });
        match (shared, &mut laid.nodes[id].kind) {
            (Some(shared), Kind::Conv(linear)) => linear.weights = shared,
            _ => known.push((id, address)),
        }
    }
}

/// Lets transposes of mostly zeros read the weights of the convolutions themselves.
pub(super) fn go_back_through(laid: &mut Laid) {
    let mut forward: HashMap<*const f32, Id> = HashMap::new();
    for id in 0..laid.nodes.len() {
        let Kind::Conv(linear) = &laid.nodes[id].kind else { continue };
        let Some(address) = linear.weights.address() else { continue };
        if !linear.transposed && linear.side.is_none() {
            forward.insert(address, id);
        }
        let back = linear.transposed && linear.sparse;
        let Some(&through) = forward.get(&address).filter(|_| back) else { continue };
        let Kind::Conv(first) = &laid.nodes[through].kind else { continue };
        let channels = |id: Id| [laid.nodes[id].inputs[0], id].map(|id| laid.maps[id].channels);
        let [inputs, outputs] = channels(through);
        if first.window != linear.window || channels(id) != [outputs, inputs] {
            continue;
        }
        let weights = Arc::clone(&first.weights);
        if let Kind::Conv(linear) = &mut laid.nodes[id].kind {
            linear.weights = weights;
            linear.back_through = Some(through);
        }
    }
}
