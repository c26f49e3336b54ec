//! Which nodes some outputs need, and where their values lie.

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
            laid.nodes[id].operands().filter(|&o| is_held(o)).for_each(|o| last_use[root(o).0] = at);
        }
        outputs.iter().filter(|&&o| is_held(o)).for_each(|&o| last_use[root(o).0] = usize::MAX);

        let mut shelf = Shelf::default();
        let mut of_root: Vec<Option<usize>> = vec![None; needed.len()];
        let mut places = vec![None; needed.len()];
        for (at, &id) in steps.iter().enumerate() {
            // Bits are kept while their value is made, so their place is there before that is done.
            let kept = laid.kept[id].filter(|&kept| needed[kept]);
            for id in kept.into_iter().chain([id]) {
                if places[id].is_some() {
                    continue;
                }
                let (held_by, start) = root(id);
                let size = laid.maps[held_by].elements();
                let buffer = *of_root[held_by].get_or_insert_with(|| shelf.take(size));
                places[id] = Some((buffer, start));
            }
            let (held_by, _) = root(id);
            let operands = laid.nodes[id].operands().filter(|&o| is_held(o)).map(|o| root(o).0);
            for done in operands.chain([held_by]) {
                if last_use[done] == at
                    && let Some(buffer) = of_root[done].take()
                {
                    shelf.put_back(buffer);
                }
            }
        }
        Self { steps, outputs, places, buffers: shelf.sizes }
    }
}

/// Buffers, and which of them are free.
#[derive(Default)]
struct Shelf {
    sizes: Vec<usize>,
    free: Vec<usize>,
}

impl Shelf {
    /// The smallest free buffer that is large enough, or the largest one grown, or a new one.
    fn take(&mut self, size: usize) -> usize {
        let fitting = self.free.iter().copied().filter(|&b| self.sizes[b] >= size);
        let best = fitting.min_by_key(|&b| self.sizes[b]);
        let best = best.or_else(|| self.free.iter().copied().max_by_key(|&b| self.sizes[b]));
        let Some(buffer) = best else {
            self.sizes.push(size);
            return self.sizes.len() - 1;
        };
        self.free.retain(|&b| b != buffer);
        self.sizes[buffer] = self.sizes[buffer].max(size);
        buffer
    }

    fn put_back(&mut self, buffer: usize) {
        self.free.push(buffer);
    }
}
