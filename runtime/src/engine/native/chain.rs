//! Operations on single elements that follow each other, as one.
//!
//! A GELU and its gradient are ten or twenty of them. Each by itself reads and writes all of memory.

use saligate_kernels::Link;
use saligate_models::graph::Op;

use super::epilogue::Epilogue;
use super::node::{Id, Kind, Node};
use super::rewrite::{push, rewrite};

/// Most links and operands of a chain: intermediate values stay in the nearest cache.
const LINKS: usize = 16;
const OPERANDS: usize = 6;

/// What a node computes of single elements of some values.
#[derive(Clone)]
struct Program {
    operands: Vec<Id>,
    links: Vec<Link>,
}

/// Joins what is read by nothing but the next operation to it, and leaves out what nobody reads.
pub(super) fn join(nodes: Vec<Node>, outputs: Vec<Id>) -> (Vec<Node>, Vec<Id>) {
    let mut uses = vec![0usize; nodes.len()];
    let mut masks = vec![false; nodes.len()];
    for node in &nodes {
        node.operands().for_each(|operand| uses[operand] += 1);
        node.epilogue.mask.iter().for_each(|(id, _)| masks[*id] = true);
    }
    outputs.iter().for_each(|&output| uses[output] += 1);
    let mut programs: Vec<Option<Program>> = Vec::new();
    for (id, node) in nodes.iter().enumerate() {
        // Bits of a mask are kept while an epilogue is made, not by a chain.
        let own = if masks[id] { None } else { program(node) };
        programs.push(own.map(|own| joined(own, node, &nodes, &programs, &uses)));
    }
    let is_chain = |id: Id| programs[id].as_ref().is_some_and(|program| program.links.len() > 1);
    let operands = |id: Id| match &programs[id] {
        Some(program) if is_chain(id) => program.operands.clone(),
        _ => nodes[id].operands().collect(),
    };
    let mut needed = vec![false; nodes.len()];
    outputs.iter().for_each(|&output| needed[output] = true);
    for id in (0..nodes.len()).rev() {
        if needed[id] {
            operands(id).into_iter().for_each(|operand| needed[operand] = true);
        }
    }
    let kept: Vec<Option<Program>> = (0..nodes.len())
        .map(|id| programs[id].clone().filter(|_| needed[id] && is_chain(id)))
        .collect();
    let mut nodes = nodes;
    for (id, program) in kept.iter().enumerate() {
        if let Some(Program { operands, links }) = program {
            let shape = std::mem::take(&mut nodes[id].shape);
            nodes[id] = Node::new(Kind::Chain(links.clone()), operands.clone(), shape);
        } else if !needed[id] {
            // Its operands may be gone.
            let shape = std::mem::take(&mut nodes[id].shape);
            nodes[id] = Node::new(Kind::Epilogue, vec![], shape);
        }
    }
    rewrite(nodes, outputs, |made, old, node| needed[old].then(|| push(made, node)))
}

/// A node by itself.
fn program(node: &Node) -> Option<Program> {
    let operands = node.inputs.clone();
    let link = match &node.kind {
        Kind::Affine { factor, shift } => Link::Affine(0, *factor, *shift),
        Kind::Each(Op::Exp) => Link::Exp(0),
        Kind::Each(Op::Erf) => Link::Erf(0),
        Kind::Each(Op::Silu) => Link::Silu(0),
        Kind::Each(Op::Sigmoid { beta }) => Link::Sigmoid(0, *beta),
        Kind::Each(Op::Power { exponent: -1.0 }) => Link::Reciprocal(0),
        Kind::Zip(op) => {
            let second = usize::from(operands[1] != operands[0]);
            let link = match op {
                Op::Mul => Link::Mul(0, second),
                Op::Sub => Link::Sub(0, second),
                _ => Link::Add(0, second),
            };
            return Some(Program { operands: operands[..=second].to_vec(), links: vec![link] });
        }
        Kind::Epilogue if node.epilogue.mask.is_none() && node.epilogue != Epilogue::NOTHING => {
            let Epilogue { residual, bounds, .. } = node.epilogue;
            let mut program = Program { operands, links: Vec::new() };
            if let Some(residual) = residual {
                program.operands.push(residual);
                program.links.push(Link::Add(0, 1));
            }
            if bounds != Epilogue::<Id>::NOTHING.bounds {
                let last = program.operands.len() + program.links.len() - 1;
                let x = if program.links.is_empty() { 0 } else { last };
                program.links.push(Link::Bounded(x, bounds));
            }
            return Some(program);
        }
        _ => return None,
    };
    Some(Program { operands, links: vec![link] })
}

/// A program with those of its operands in their place, where nothing else reads these.
fn joined(
    own: Program,
    node: &Node,
    nodes: &[Node],
    programs: &[Option<Program>],
    uses: &[usize],
) -> Program {
    let readers = |id: Id| node.operands().filter(|&operand| operand == id).count();
    let mut whole = own;
    for at in (0..whole.operands.len()).rev() {
        let id = whole.operands[at];
        let Some(before) = programs[id].as_ref().filter(|before| {
            // A factor and a shift are sooner computed again than read.
            let again = matches!(before.links[..], [Link::Affine(..)]);
            (again || uses[id] == readers(id)) && nodes[id].shape == node.shape
        }) else {
            continue;
        };
        let both = in_place(&whole, at, before);
        if both.links.len() <= LINKS && both.operands.len() <= OPERANDS {
            whole = both;
        }
    }
    whole
}

/// `program` with `before` in the place of the operand at a position.
fn in_place(program: &Program, at: usize, before: &Program) -> Program {
    let mut operands = program.operands.clone();
    operands.remove(at);
    for operand in &before.operands {
        if !operands.contains(operand) {
            operands.push(*operand);
        }
    }
    let place = |id: Id| operands.iter().position(|o| *o == id).expect("all operands are there");
    let (count, inner) = (operands.len(), before.links.len());
    let of_before = |value: usize| match value.checked_sub(before.operands.len()) {
        None => place(before.operands[value]),
        Some(link) => count + link,
    };
    let of_program = |value: usize| match value.checked_sub(program.operands.len()) {
        None if value == at => count + inner - 1,
        None => place(program.operands[value]),
        Some(link) => count + inner + link,
    };
    let links = before.links.iter().map(|link| link.renumbered(of_before));
    let links = links.chain(program.links.iter().map(|link| link.renumbered(of_program)));
    Program { links: links.collect(), operands }
}
