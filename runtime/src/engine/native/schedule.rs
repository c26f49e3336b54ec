//! Which nodes some outputs need, and where their values lie.

use std::collections::HashMap;

use super::layout::Laid;
use super::node::{Id, Kind};

/// The nodes to compute for some outputs, and a place in a few buffers for each of their values.
pub(in super::super) struct Schedule {
    /// Nodes, in order.
    pub(super) steps: Vec<Id>,
    /// Outputs, in order.
    pub(super) outputs: Vec<Id>,
    /// For every node that is computed: its buffer, and its first element there.
    pub(super) places: Vec<Option<(usize, usize)>>,
    /// Elements of each buffer.
    pub(super) buffers: Vec<usize>,
    /// Buffers that hold the image as it came in, moved or scaled: a trigger can be read from them.
    pub(super) seen: Vec<usize>,
}

impl Schedule {
    pub(super) fn new(laid: &Laid, outputs: Vec<Id>) -> Self {
        let mut needed = vec![false; laid.nodes.len()];
        outputs.iter().for_each(|&o| needed[o] = true);
        for id in (0..laid.nodes.len()).rev() {
            if needed[id] {
                laid.nodes[id].operands().for_each(|o| needed[o] = true);
            }
        }
        let is_held = |id: Id| !matches!(laid.nodes[id].kind, Kind::Input(_) | Kind::Constant(_));
        let steps: Vec<Id> = (0..needed.len()).filter(|&id| needed[id] && is_held(id)).collect();

        // The value that holds each value, and where: a part lies in a whole only if that is made.
        let root = |mut id: Id| {
            let mut start = 0;
            while let Some((parent, offset)) = laid.within[id].filter(|(p, _)| needed[*p]) {
                (id, start) = (parent, start + offset);
            }
            (id, start)
        };
        let mut last_use = vec![0; needed.len()];
        for (at, &id) in steps.iter().enumerate() {
            last_use[root(id).0] = at;
            laid.nodes[id]
                .operands()
                .filter(|&o| is_held(o))
                .for_each(|o| last_use[root(o).0] = at);
        }
        outputs.iter().filter(|&&o| is_held(o)).for_each(|&o| last_use[root(o).0] = usize::MAX);

        let mut first_use: Vec<Option<usize>> = vec![None; needed.len()];
        for (at, &id) in steps.iter().enumerate() {
            // Bits are kept while their value is made, so their place is there before that is done.
            let kept = laid.kept[id].filter(|&kept| needed[kept]);
            for id in kept.into_iter().chain([id]) {
                first_use[root(id).0].get_or_insert(at);
            }
        }
        let roots = (0..needed.len()).filter_map(|id| Some((id, first_use[id]?)));
        let spans = roots.map(|(id, first)| (id, laid.maps[id].elements(), [first, last_use[id]]));
        let (of_root, buffers) = shared_buffers(spans.collect());
        let place = |id: Id| {
            let (held_by, start) = root(id);
            of_root.get(&held_by).map(|&buffer| (buffer, start))
        };
        let places =
            (0..needed.len()).map(|id| place(id).filter(|_| needed[id] && is_held(id))).collect();
        let mut schedule = Self { steps, outputs, places, buffers, seen: Vec::new() };
        schedule.seen = schedule.buffers_of(&images(laid));
        schedule
    }

    fn buffers_of(&self, wanted: &[bool]) -> Vec<usize> {
        let places = self.places.iter().zip(wanted).filter(|(_, wanted)| **wanted);
        let mut buffers: Vec<usize> = places.filter_map(|(place, _)| Some((*place)?.0)).collect();
        buffers.sort_unstable();
        buffers.dedup();
        buffers
    }
}

/// Which values hold pixels of the image, without a layer in between.
fn images(laid: &Laid) -> Vec<bool> {
    let mut found = vec![false; laid.nodes.len()];
    for (id, node) in laid.nodes.iter().enumerate() {
        let moved = matches!(
            node.kind,
            Kind::Convert | Kind::Plain(_) | Kind::Finish | Kind::Each(_) | Kind::Zip(_)
        );
        found[id] = match node.kind {
            Kind::Input(0) => true,
            Kind::Move(_) => found[node.inputs[0]],
            _ => {
                let from = |&input: &Id| found[input] && laid.nodes[input].size() == node.size();
                moved && node.inputs.iter().any(from)
            }
        };
    }
    found
}

/// Values that are never needed at once share a buffer. The largest come first, so that a buffer is
/// as large as its first value.
///
/// Takes values with their sizes and first and last steps; returns the buffer of each, and the
/// sizes of the buffers.
fn shared_buffers(mut values: Vec<(Id, usize, [usize; 2])>) -> (HashMap<Id, usize>, Vec<usize>) {
    values.sort_by_key(|&(id, size, _)| (std::cmp::Reverse(size), id));
    let mut taken: Vec<Vec<[usize; 2]>> = Vec::new();
    let mut sizes = Vec::new();
    let mut buffers = HashMap::new();
    for (id, size, [first, last]) in values {
        let apart = |&[from, to]: &[usize; 2]| last < from || to < first;
        // The last one that is free: the smallest that is large enough.
        let free = taken.iter().rposition(|spans| spans.iter().all(apart));
        let buffer = free.unwrap_or_else(|| {
            taken.push(Vec::new());
            sizes.push(size);
            sizes.len() - 1
        });
        taken[buffer].push([first, last]);
        buffers.insert(id, buffer);
    }
    (buffers, sizes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_share_a_buffer_unless_they_meet() {
        let values = vec![(0, 10, [0, 1]), (1, 5, [1, 2]), (2, 8, [2, 3]), (3, 1, [0, 3])];
        let (buffers, sizes) = shared_buffers(values);
        assert_eq!(sizes, [10, 5, 1]);
        assert_eq!([0, 1, 2, 3].map(|id| buffers[&id]), [0, 1, 0, 2]);
    }
}
