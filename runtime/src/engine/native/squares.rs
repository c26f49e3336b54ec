//! Which convolutions are computed by squares: with fewer multiplications, and more weights.

use std::collections::HashMap;
use std::sync::Arc;

use saligate_kernels::{Conv, Isa, Squares};

use super::layout::Laid;
use super::node::{Id, Kind};

/// Bytes that faster weights may take, as a share of all weights. With the weights of both
/// directions that comes to 2.6 times those of the file.
const SHARE: f64 = 0.6;
/// Bytes that they may take in any network, together with two of its largest maps.
const LEAST: usize = 13 << 18;

/// Spends the memory where it saves most.
pub(super) fn choose(isa: Isa, laid: &mut Laid) {
    // Nodes that share their weights are computed alike.
    let mut nodes: HashMap<usize, Vec<Id>> = HashMap::new();
    let mut file: HashMap<*const f32, usize> = HashMap::new();
    for (id, node) in laid.nodes.iter().enumerate() {
        match &node.kind {
            Kind::Conv(linear) => {
                nodes.entry(Arc::as_ptr(&linear.weights) as usize).or_default().push(id);
                let [inputs, outputs] = [node.inputs[0], id].map(|id| laid.maps[id].channels);
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
    let share = (SHARE * file.values().sum::<usize>() as f64) as usize;
    let largest = laid.maps.iter().map(|map| 4 * map.elements()).max().unwrap_or(0);
    let mut budget = share.max(LEAST.saturating_sub(2 * largest));
    let mut groups: Vec<Vec<Id>> = nodes.into_values().collect();
    groups.sort();
    let ways = |(group, ids): (usize, &Vec<Id>)| -> Vec<(usize, Squares)> {
        let node = &laid.nodes[ids[0]];
        let Kind::Conv(linear) = &node.kind else { return Vec::new() };
        if linear.sparse {
            return Vec::new();
        }
        let maps = [&laid.maps[node.inputs[0]], &laid.maps[ids[0]]];
        let ways = Conv::squares(isa, &linear.window, maps);
        ways.into_iter().map(|way| (group, way)).collect()
    };
    let mut ways: Vec<(usize, Squares)> = groups.iter().enumerate().flat_map(ways).collect();
    let worth = |way: &Squares| way.saved / way.extra_bytes as f64;
    // Among equals from both ends: the two directions of a layer are as far from them.
    let last = groups.len().saturating_sub(1);
    let from_end = |group: usize| group.min(last - group);
    ways.sort_by(|a, b| {
        worth(&b.1).total_cmp(&worth(&a.1)).then(from_end(a.0).cmp(&from_end(b.0)))
    });
    let mut chosen: Vec<Option<Squares>> = vec![None; groups.len()];
    for (group, way) in ways {
        let spent = chosen[group].map_or(0, |before| before.extra_bytes);
        let better = chosen[group].is_none_or(|before| before.saved < way.saved);
        if better && way.extra_bytes <= budget + spent {
            budget = budget + spent - way.extra_bytes;
            chosen[group] = Some(way);
        }
    }
    for (ids, way) in groups.iter().zip(chosen) {
        for &id in ids {
            if let Kind::Conv(linear) = &mut laid.nodes[id].kind {
                linear.side = way.map(|way| way.side);
            }
        }
    }
}
