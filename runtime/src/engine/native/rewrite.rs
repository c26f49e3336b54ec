//! Lists of nodes from lists of nodes.

use super::epilogue::Epilogue;
use super::node::{Id, Node};

/// Makes a list of nodes from another one, and tells where its outputs are.
///
/// `each` is called with every node in order, whose operands are ids of the new list by then, and
/// with its old id. It pushes what stands for the node, and returns the id that others read in its
/// place: none where nothing does.
pub(super) fn rewrite(
    nodes: Vec<Node>,
    outputs: Vec<Id>,
    mut each: impl FnMut(&mut Vec<Node>, Id, Node) -> Option<Id>,
) -> (Vec<Node>, Vec<Id>) {
    let mut made = Vec::with_capacity(nodes.len());
    let mut moved: Vec<Option<Id>> = Vec::with_capacity(nodes.len());
    let place = |moved: &[Option<Id>], id: Id| moved[id].expect("nothing reads what was taken out");
    for (old, mut node) in nodes.into_iter().enumerate() {
        node.inputs.iter_mut().for_each(|id| *id = place(&moved, *id));
        node.epilogue = node.epilogue.map(|id| place(&moved, id));
        moved.push(each(&mut made, old, node));
    }
    let outputs = outputs.into_iter().map(|id| place(&moved, id)).collect();
    (made, outputs)
}

/// Changes nodes where they are, each with those before it at hand.
pub(super) fn revise(nodes: &mut [Node], mut each: impl FnMut(&[Node], &mut Node)) {
    for id in 0..nodes.len() {
        let (before, rest) = nodes.split_at_mut(id);
        each(before, &mut rest[0]);
    }
}

/// Puts a node behind others; its id.
pub(super) fn push(nodes: &mut Vec<Node>, node: Node) -> Id {
    // Kinds that take none would drop it.
    assert!(node.takes_epilogue() || node.epilogue == Epilogue::NOTHING, "an epilogue is lost");
    nodes.push(node);
    nodes.len() - 1
}
