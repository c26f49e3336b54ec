//! Which nodes some outputs need, and where their values lie.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::Range;

use saligate_models::graph::Op;

use super::layout::Layout;
use super::node::{Id, Kind};

/// The nodes to compute for some outputs, and a place in memory for each of their values.
pub(in super::super) struct Schedule {
    /// Nodes, in order.
    pub(super) steps: Vec<Id>,
    /// Outputs, in order.
    pub(super) outputs: Vec<Id>,
    /// For every node that is computed: where its value lies.
    pub(super) places: Vec<Option<Range<usize>>>,
    /// Elements of the whole memory.
    pub(super) size: usize,
    /// Where the image lies as it came in, moved or scaled: a trigger can be read from there.
    pub(super) images: Vec<Range<usize>>,
}

impl Schedule {
    pub(super) fn new(layout: &Layout, outputs: Vec<Id>) -> Self {
        let mut needed = vec![false; layout.nodes.len()];
        outputs.iter().for_each(|&o| needed[o] = true);
        for id in (0..layout.nodes.len()).rev() {
            if needed[id] {
                layout.nodes[id].operands().for_each(|o| needed[o] = true);
            }
        }
        let held = |&id: &Id| needed[id] && is_held(layout, id);
        let steps = (0..needed.len()).filter(held).collect();
        Self::in_order(layout, outputs, &needed, steps)
    }

    /// Some nodes in an order in which they can be computed, all that outputs and each other need.
    pub(super) fn in_order(
        layout: &Layout,
        outputs: Vec<Id>,
        needed: &[bool],
        steps: Vec<Id>,
    ) -> Self {
        let is_held = |id: Id| is_held(layout, id);

        // The value that holds each value, and where: a part lies in a whole only if that is made.
        let root = |mut id: Id| {
            let mut start = 0;
            while let Some((parent, offset)) = layout.within[id].filter(|(p, _)| needed[*p]) {
                (id, start) = (parent, start + offset);
            }
            (id, start)
        };
        let mut last_use = vec![0; needed.len()];
        for (at, &id) in steps.iter().enumerate() {
            last_use[root(id).0] = at;
            layout.nodes[id]
                .operands()
                .filter(|&o| is_held(o))
                .for_each(|o| last_use[root(o).0] = at);
        }
        outputs.iter().filter(|&&o| is_held(o)).for_each(|&o| last_use[root(o).0] = usize::MAX);

        let mut first_use: Vec<Option<usize>> = vec![None; needed.len()];
        for (at, &id) in steps.iter().enumerate() {
            // Bits are kept while their value is made, so their place is there before that is done.
            let kept = [layout.bits[id], layout.winners[id]].into_iter().flatten();
            for id in kept.filter(|&kept| needed[kept]).chain([id]) {
                first_use[root(id).0].get_or_insert(at);
            }
        }
        let roots = (0..needed.len()).filter_map(|id| Some((id, first_use[id]?)));
        let spans =
            roots.map(|(id, first)| (id, layout.maps[id].elements(), [first, last_use[id]]));
        let (of_root, size) = places_of(spans.collect());
        let place = |id: Id| {
            let (held_by, start) = root(id);
            let start = of_root.get(&held_by)? + start;
            Some(start..start + layout.maps[id].elements())
        };
        let places: Vec<Option<Range<usize>>> = (0..needed.len())
            .map(|id| if needed[id] && is_held(id) { place(id) } else { None })
            .collect();
        let found = places.iter().zip(images(layout)).filter(|(_, is_image)| *is_image);
        let images = joined(found.filter_map(|(place, _)| place.clone()).collect());
        Self { steps, outputs, places, size, images }
    }
}

/// Whether the value of a node has a place in memory.
pub(super) fn is_held(layout: &Layout, id: Id) -> bool {
    !matches!(layout.nodes[id].kind, Kind::Input(_) | Kind::Constant(_))
}

/// Which values hold pixels of the image, without a layer in between.
fn images(layout: &Layout) -> Vec<bool> {
    let mut found = vec![false; layout.nodes.len()];
    for (id, node) in layout.nodes.iter().enumerate() {
        let keeps_pixels = match &node.kind {
            Kind::Convert
            | Kind::Epilogue
            | Kind::Each(_)
            | Kind::Zip(_)
            | Kind::Chain(_)
            | Kind::Scale { .. }
            | Kind::Affine { .. }
            | Kind::Move(_)
            | Kind::Concat
            | Kind::Channels(_) => true,
            Kind::Plain(op) => !matches!(
                op,
                Op::Conv(_)
                    | Op::ConvTranspose { .. }
                    | Op::Gemm { .. }
                    | Op::MatMul
                    | Op::ReduceSum { .. }
                    | Op::OneHotArgMax
            ),
            _ => false,
        };
        found[id] = matches!(node.kind, Kind::Input(0))
            || keeps_pixels && node.operands().any(|operand| found[operand]);
    }
    found
}

/// The same places without overlaps.
fn joined(mut places: Vec<Range<usize>>) -> Vec<Range<usize>> {
    places.sort_by_key(|place| place.start);
    let mut joined: Vec<Range<usize>> = Vec::new();
    for place in places {
        match joined.last_mut().filter(|last| place.start <= last.end) {
            Some(last) => last.end = last.end.max(place.end),
            None => joined.push(place),
        }
    }
    joined
}

/// Values begin at a line of the cache.
const LINE: usize = 16;

/// Values that are never needed at once may lie over each other. The largest come first, each to the
/// smallest gap that takes it.
///
/// Takes values with their sizes and first and last steps; returns the start of each, and the size
/// of the whole.
fn places_of(mut values: Vec<(Id, usize, [usize; 2])>) -> (HashMap<Id, usize>, usize) {
    values.sort_by_key(|&(id, size, _)| (Reverse(size), id));
    let mut placed: Vec<(Range<usize>, [usize; 2])> = Vec::new();
    let mut starts = HashMap::new();
    let mut whole = 0;
    for (id, size, [first, last]) in values {
        let meets = |&[from, to]: &[usize; 2]| from <= last && first <= to;
        let mut taken: Vec<&Range<usize>> =
            placed.iter().filter(|(_, span)| meets(span)).map(|(range, _)| range).collect();
        taken.sort_by_key(|range| range.start);
        let mut best: Option<Range<usize>> = None;
        let mut end = 0;
        for range in taken {
            let gap = end..range.start;
            if gap.len() >= size && best.as_ref().is_none_or(|best| gap.len() < best.len()) {
                best = Some(gap);
            }
            end = end.max(range.end.next_multiple_of(LINE));
        }
        let start = best.map_or(end, |gap| gap.start);
        whole = whole.max(start + size);
        placed.push((start..start + size, [first, last]));
        starts.insert(id, start);
    }
    (starts, whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lie_over_each_other_unless_they_meet() {
        let values = vec![(0, 160, [0, 1]), (1, 64, [1, 2]), (2, 128, [2, 3]), (3, 16, [0, 3])];
        let (starts, whole) = places_of(values);
        assert_eq!([0, 1, 2, 3].map(|id| starts[&id]), [0, 160, 0, 224]);
        assert_eq!(whole, 240);
    }

    #[test]
    fn places_that_overlap_are_one() {
        assert_eq!(joined(vec![8..12, 0..4, 3..6, 10..11]), [0..6, 8..12]);
    }

    #[test]
    fn a_small_gap_is_preferred() {
        let [early, always] = [[0, 0], [0, 9]];
        let values = vec![(0, 160, early), (1, 128, always), (2, 96, early), (3, 64, always)];
        let late = (4, 32, [1, 1]);
        let (starts, whole) = places_of(values.into_iter().chain([late]).collect());
        assert_eq!([0, 1, 2, 3, 4].map(|id| starts[&id]), [0, 160, 288, 384, 288]);
        assert_eq!(whole, 448);
    }
}
