//! Which convolutions are computed by squares: with fewer multiplications, and more weights.

use std::collections::HashMap;
use std::sync::Arc;

use saligate_kernels::{Conv, Isa, Squares};

use super::layout::Layout;
use super::node::{Id, Kind};

/// Bytes that faster weights may take, as a share of all weights. With the weights of both
/// directions that comes to 2.76 times those of the file.
pub(super) const SHARE: f64 = 0.76;
/// Bytes that they may take in any network, together with two of its largest maps.
const LEAST: usize = 13 << 18;

/// Spends the memory where it saves most: this share of all weights. Without one
/// there is no bound, and the weights are those of a network in training.
pub(super) fn choose(isa: Isa, layout: &mut Layout, share_of_all: Option<f64>) {
    // Nodes that share their weights are computed alike.
    let mut nodes: HashMap<usize, Vec<Id>> = HashMap::new();
    let mut file: HashMap<*const f32, usize> = HashMap::new();
    for (id, node) in layout.nodes.iter().enumerate() {
        match &node.kind {
            Kind::Conv(linear) => {
                nodes.entry(Arc::as_ptr(&linear.weights) as usize).or_default().push(id);
                let [inputs, outputs] = [node.inputs[0], id].map(|id| layout.maps[id].channels());
                let [rows, columns] = linear.window.kernel;
                let bytes = 4 * inputs * outputs * rows * columns;
                linear.weights.address().map(|address| file.insert(address, bytes));
            }
            Kind::Dense { weight, .. } => {
                file.insert(weight.as_ptr(), 4 * weight.len());
            }
            _ => {}
        }
    }
    let all = file.values().sum::<usize>() as f64;
    let share = share_of_all.map_or(usize::MAX, |share| (share * all) as usize);
    let largest = layout.maps.iter().map(|map| 4 * map.elements()).max().unwrap_or(0);
    let mut budget = share.max(LEAST.saturating_sub(2 * largest));
    let mut groups: Vec<Vec<Id>> = nodes.into_values().collect();
    groups.sort();
    let ways = |(group, ids): (usize, &Vec<Id>)| -> Vec<(usize, Squares)> {
        let node = &layout.nodes[ids[0]];
        let Kind::Conv(linear) = &node.kind else { return Vec::new() };
        if linear.sparse {
            return Vec::new();
        }
        let maps = [&layout.maps[node.inputs[0]], &layout.maps[ids[0]]];
        let ways = Conv::squares(isa, &linear.window, maps);
        let [rows, columns] = [maps[1].rows(), maps[1].columns()];
        // Where weights change at every step, few squares do not pay for their transformation.
        let pays = |way: &Squares| {
            share_of_all.is_some() || rows.div_ceil(way.side) * columns.div_ceil(way.side) >= 4
        };
        ways.into_iter().filter(pays).map(|way| (group, way)).collect()
    };
    let mut ways: Vec<(usize, Squares)> = groups.iter().enumerate().flat_map(ways).collect();
    // Among equals from both ends: the two directions of a layer are as far from them.
    let last = groups.len().saturating_sub(1);
    ways.sort_by_key(|&(group, _)| group.min(last - group));
    let mut chosen: Vec<Option<Squares>> = vec![None; groups.len()];
    loop {
        // What a way saves and takes beyond that which the group has.
        let beyond = |&(group, way): &(usize, Squares)| {
            let (saved, bytes) = chosen[group].map_or((0.0, 0), |w| (w.saved, w.extra_bytes));
            (way.saved - saved, way.extra_bytes.saturating_sub(bytes))
        };
        let fits = |way: &(usize, Squares)| beyond(way).0 > 0.0 && beyond(way).1 <= budget;
        let worth = |way: &(usize, Squares)| beyond(way).0 / beyond(way).1 as f64;
        let better = |a: (usize, Squares), b| if worth(&b) > worth(&a) { b } else { a };
        let Some(best) = ways.iter().copied().filter(fits).reduce(better) else { break };
        budget -= beyond(&best).1;
        chosen[best.0] = Some(best.1);
    }
    for (ids, way) in groups.iter().zip(chosen) {
        for &id in ids {
            if let Kind::Conv(linear) = &mut layout.nodes[id].kind {
                linear.side = way.map(|way| way.side);
            }
        }
    }
}
