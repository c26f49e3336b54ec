//! How every value lies in memory, and which values lie within others.

use std::collections::HashMap;
use std::sync::Arc;

use saligate_kernels::{Conv, Isa, Map, Pool};
use saligate_models::graph::Op;

use super::epilogue::Epilogue;
use super::node::{Id, Kind, Linear, Node};
use super::rewrite::{push, revise, rewrite};

/// Nodes with their maps.
pub(super) struct Layout {
    pub(super) nodes: Vec<Node>,
    pub(super) maps: Vec<Map>,
    /// For a value that lies within another one: which, and from which element on.
    pub(super) within: Vec<Option<(Id, usize)>>,
    /// For a value whose bits may be kept while it is made: the node that stands for them.
    pub(super) bits: Vec<Option<Id>>,
    /// For a maximum whose winners may be kept while it is made: the node that stands for them.
    pub(super) winners: Vec<Option<Id>>,
    /// Outputs, as planar values.
    pub(super) outputs: Vec<Id>,
}

/// The form of a value.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// As many channels side by side as a register holds.
    Blocked,
    /// Planar, for a convolution: with a halo.
    Padded,
    /// Planar, without a halo.
    Flat,
}

/// Chooses maps, and adds conversions where a node and what uses it need different ones.
pub(super) fn lay_out(isa: Isa, nodes: Vec<Node>, outputs: Vec<Id>) -> Layout {
    let lanes = isa.lanes();
    let mut forms: Vec<Form> = Vec::new();
    for node in &nodes {
        forms.push(form(node, &nodes, &forms, lanes));
    }
    let mut builder = Builder { forms: Vec::new(), made: HashMap::new() };
    let (mut nodes, mut outputs) = rewrite(nodes, outputs, |made, old, mut node| {
        let own = forms[old];
        let inputs = node.inputs.iter().enumerate().map(|(number, &input)| {
            let found = builder.forms[input];
            let wanted = match &node.kind {
                Kind::Conv(_) if found == Form::Blocked => Form::Blocked,
                Kind::Conv(_) => Form::Padded,
                Kind::Depthwise(_) if own == Form::Flat => Form::Padded,
                Kind::Mean => found,
                Kind::WeightedSum if number == 0 => found,
                Kind::WeightedSum => Form::Flat,
                Kind::Dense { .. } | Kind::Plain(_) | Kind::Product(_) | Kind::Spread(_) => {
                    Form::Flat
                }
                Kind::Slope(part) => part.wanted(number, found),
                _ => own,
            };
            builder.in_form(made, input, wanted)
        });
        node.inputs = inputs.collect();
        let Epilogue { residual, bounds, mask } = node.epilogue;
        node.epilogue = Epilogue {
            residual: residual.map(|id| builder.in_form(made, id, own)),
            bounds,
            mask: mask.map(|(id, bounds)| (builder.bits_in_form(made, id, own), bounds)),
        };
        Some(builder.push(made, node, own))
    });
    outputs.iter_mut().for_each(|o| *o = builder.in_form(&mut nodes, *o, Form::Flat));
    let forms = builder.forms;
    scale_in_place(&mut nodes, &forms);
    let within = views(&nodes, &forms, &outputs, lanes);
    let maps = maps(isa, &nodes, &forms, &within);
    let offset = |id: Id, (parent, start): (Id, usize)| {
        let parent_map: &Map = &maps[parent];
        debug_assert_eq!(parent_map.halo(), maps[id].halo());
        (parent, start / parent_map.lanes() * parent_map.plane())
    };
    let within = within.iter().enumerate().map(|(id, w)| w.map(|w| offset(id, w))).collect();
    let (mut bits, mut winners) = (vec![None; nodes.len()], vec![None; nodes.len()]);
    for (id, node) in nodes.iter().enumerate() {
        match node.kind {
            Kind::Inside(_) => bits[node.inputs[0]] = Some(id),
            Kind::Winners(_) => winners[node.inputs[0]] = Some(id),
            _ => {}
        }
    }
    let mut layout = Layout { nodes, maps, within, bits, winners, outputs };
    share_weights(&mut layout);
    layout
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
            !(linear.transposed
                && Conv::prefers_planar(channels)
                && node.epilogue == Epilogue::NOTHING),
        ),
        Kind::Depthwise(_) => blocked(channels >= 4),
        Kind::Spread(_) => blocked(channels >= 4 && rows * columns > 1),
        Kind::PoolBack(_) | Kind::PoolGather(_) if node.inputs.len() > 1 => forms[node.inputs[1]],
        Kind::Scale { .. } => Form::Flat,
        // Blocked bits are kept at no cost; others would have to be made for this.
        Kind::Epilogue => match node.epilogue.mask {
            Some((bits, _)) if forms[bits] == Form::Blocked => Form::Blocked,
            _ => first(),
        },
        Kind::Pool(_)
        | Kind::PoolBack(_)
        | Kind::PoolGather(_)
        | Kind::Winners(_)
        | Kind::Inside(_)
        | Kind::Each(_)
        | Kind::Affine { .. } => first(),
        Kind::Move(_) => blocked(first() == Form::Blocked),
        Kind::Zip(_) | Kind::Chain(_) => {
            blocked(node.inputs.iter().all(|&i| forms[i] == Form::Blocked))
        }
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
    revise(nodes, |before, node| {
        let Kind::Convert = node.kind else { return };
        let scaled = node.inputs[0];
        if let Kind::Scale { shift, factor } = &before[scaled].kind
            && forms[before.len()] == Form::Padded
        {
            node.kind = Kind::Scale { shift: shift.clone(), factor: factor.clone() };
            node.inputs = before[scaled].inputs.clone();
        }
    });
}

/// The forms of the nodes of a new list.
struct Builder {
    forms: Vec<Form>,
    /// Conversions by value and form.
    made: HashMap<(Id, Form), Id>,
}

impl Builder {
    fn push(&mut self, nodes: &mut Vec<Node>, node: Node, form: Form) -> Id {
        self.forms.push(form);
        push(nodes, node)
    }

    fn in_form(&mut self, nodes: &mut Vec<Node>, id: Id, wanted: Form) -> Id {
        if self.forms[id] == wanted {
            return id;
        }
        if let Some(&made) = self.made.get(&(id, wanted)) {
            return made;
        }
        let shape = nodes[id].shape.clone();
        let made = self.push(nodes, Node::new(Kind::Convert, vec![id], shape), wanted);
        self.made.insert((id, wanted), made);
        made
    }

    /// The bits of the same value in another form.
    fn bits_in_form(&mut self, nodes: &mut Vec<Node>, id: Id, wanted: Form) -> Id {
        if self.forms[id] == wanted {
            return id;
        }
        let Kind::Inside(bounds) = nodes[id].kind else { unreachable!("bits are asked for") };
        let (value, shape) = (nodes[id].inputs[0], nodes[id].shape.clone());
        let value = self.in_form(nodes, value, wanted);
        let copy = Node::new(Kind::Epilogue, vec![value], shape.clone());
        let copy = self.push(nodes, copy, wanted);
        self.push(nodes, Node::new(Kind::Inside(bounds), vec![copy], shape), wanted)
    }
}

/// Values that lie within others, from a channel on: parts that are concatenated, and parts that
/// are taken out.
fn views(nodes: &[Node], forms: &[Form], outputs: &[Id], lanes: usize) -> Vec<Option<(Id, usize)>> {
    let mut within: Vec<Option<(Id, usize)>> = vec![None; nodes.len()];
    for (id, node) in nodes.iter().enumerate() {
        if let Kind::Plain(Op::Reshape { .. } | Op::Flatten) = node.kind {
            // The same elements under another shape.
            let from = node.inputs[0];
            let given = matches!(nodes[from].kind, Kind::Input(_) | Kind::Constant(_));
            if !given && forms[id] == Form::Flat && forms[from] == Form::Flat {
                within[id] = Some((from, 0));
            }
            continue;
        }
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
            Kind::Slope(part) => part.halo(
                [node.inputs[0], node.inputs[node.inputs.len() - 1]].map(|id| nodes[id].size()),
            ),
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
            Kind::Inside(_) => map.mask(),
            Kind::Winners(window) => Pool::winners_map(&map, window.kernel),
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
fn share_weights(layout: &mut Layout) {
    let mut known: Vec<(Id, *const f32)> = Vec::new();
    for id in 0..layout.nodes.len() {
        let Kind::Conv(linear) = &layout.nodes[id].kind else { continue };
        let Some(address) = linear.weights.address() else { continue };
        let maps = |id: Id| (layout.maps[layout.nodes[id].inputs[0]], layout.maps[id]);
        let is_same = |other: Id| match &layout.nodes[other].kind {
            Kind::Conv(found) => {
                (found.window, found.transposed) == (linear.window, linear.transposed)
                    && (linear.bias.is_none() || found.bias == linear.bias)
                    && maps(other) == maps(id)
            }
            _ => false,
        };
        let same = known.iter().find(|(other, at)| *at == address && is_same(*other));
        let shared = same.and_then(|(other, _)| match &layout.nodes[*other].kind {
            Kind::Conv(found) => Some((Arc::clone(&found.weights), found.bias.clone())),
            _ => None,
        });
        match (shared, &mut layout.nodes[id].kind) {
            (Some((weights, bias)), Kind::Conv(linear)) => {
                linear.weights = weights;
                linear.unbiased = linear.bias.is_none() && bias.is_some();
                linear.bias = bias;
            }
            _ => known.push((id, address)),
        }
    }
}

/// Lets transposes of mostly zeros read the weights of the convolutions themselves.
pub(super) fn go_back_through(layout: &mut Layout) {
    let mut forward: HashMap<*const f32, Id> = HashMap::new();
    for id in 0..layout.nodes.len() {
        let Kind::Conv(linear) = &layout.nodes[id].kind else { continue };
        let Some(address) = linear.weights.address() else { continue };
        if !linear.transposed && linear.side.is_none() {
            forward.insert(address, id);
        }
        let back = linear.transposed && linear.sparse;
        let Some(&through) = forward.get(&address).filter(|_| back) else { continue };
        let Kind::Conv(first) = &layout.nodes[through].kind else { continue };
        let channels =
            |id: Id| [layout.nodes[id].inputs[0], id].map(|id| layout.maps[id].channels());
        let [inputs, outputs] = channels(through);
        if first.window != linear.window || channels(id) != [outputs, inputs] {
            continue;
        }
        let weights = Arc::clone(&first.weights);
        if let Kind::Conv(linear) = &mut layout.nodes[id].kind {
            linear.weights = weights;
            linear.back_through = Some(through);
        }
    }
}
