//! The order in which the nodes of a file are read.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use super::super::OnnxError;
use super::super::proto;
use saligate_models::graph::GraphError;

/// Which nodes are read, and when.
#[derive(Debug)]
pub(super) struct Order {
    /// Positions of the nodes, each behind those whose results it uses; otherwise as in the file.
    pub(super) nodes: Vec<usize>,
    /// Nodes whose only use is the product with their own operand.
    pub(super) factors: HashSet<usize>,
    used: HashSet<String>,
}

impl Order {
    /// The nodes that the outputs need, or all.
    pub(super) fn of(
        nodes: &[proto::Node],
        outputs: &[String],
        only_needed: bool,
    ) -> Result<Self, OnnxError> {
        let mut makers: HashMap<&str, usize> = HashMap::new();
        for (index, node) in nodes.iter().enumerate() {
            for name in node.output.iter().filter(|name| !name.is_empty()) {
                if makers.insert(name, index).is_some() {
                    return Err(GraphError::DuplicateName { name: name.clone() }.into());
                }
            }
        }
        let needed =
            if only_needed { needed(nodes, outputs, &makers) } else { vec![true; nodes.len()] };
        let chosen = || (0..nodes.len()).filter(|&index| needed[index]);
        let mut uses: HashMap<&str, Vec<usize>> = HashMap::new();
        for index in chosen() {
            nodes[index].input.iter().for_each(|name| uses.entry(name).or_default().push(index));
        }
        let ends: HashSet<&str> = outputs.iter().map(String::as_str).collect();
        let is_factor = |&index: &usize| {
            let node = &nodes[index];
            let ([x], [result]) = (node.input.as_slice(), node.output.as_slice()) else {
                return false;
            };
            let user = match uses.get(result.as_str()).map(Vec::as_slice) {
                Some(&[user]) if !ends.contains(result.as_str()) => &nodes[user],
                _ => return false,
            };
            let with_own = user.input == [x.clone(), result.clone()]
                || user.input == [result.clone(), x.clone()];
            matches!(node.op_type.as_str(), "Sigmoid" | "HardSigmoid")
                && user.op_type == "Mul"
                && x != result
                && with_own
        };
        let factors = chosen().filter(is_factor).collect();
        let sorted = sorted(nodes, &needed, &makers, &uses)?;
        let used = uses.keys().chain(&ends).map(|&name| name.to_owned()).collect();
        Ok(Self { nodes: sorted, factors, used })
    }

    /// Whether a node that is read, or an output, uses the name.
    pub(super) fn is_used(&self, name: &str) -> bool {
        self.used.contains(name)
    }
}

fn needed(nodes: &[proto::Node], outputs: &[String], makers: &HashMap<&str, usize>) -> Vec<bool> {
    let mut needed = vec![false; nodes.len()];
    let mut open: Vec<&str> = outputs.iter().map(String::as_str).collect();
    while let Some(name) = open.pop() {
        if let Some(&maker) = makers.get(name)
            && !std::mem::replace(&mut needed[maker], true)
        {
            open.extend(nodes[maker].input.iter().map(String::as_str));
        }
    }
    needed
}

/// Of the nodes that are ready, the first in the file comes next.
fn sorted(
    nodes: &[proto::Node],
    needed: &[bool],
    makers: &HashMap<&str, usize>,
    uses: &HashMap<&str, Vec<usize>>,
) -> Result<Vec<usize>, OnnxError> {
    let waits = |node: &proto::Node| {
        node.input.iter().filter(|name| makers.contains_key(name.as_str())).count()
    };
    let mut waiting: Vec<usize> = nodes.iter().map(waits).collect();
    let start = (0..nodes.len()).filter(|&index| needed[index]);
    let mut ready: BinaryHeap<_> =
        start.clone().filter(|&index| waiting[index] == 0).map(Reverse).collect();
    let mut sorted = Vec::new();
    while let Some(Reverse(index)) = ready.pop() {
        sorted.push(index);
        let results = nodes[index].output.iter().filter(|name| !name.is_empty());
        for &user in results.filter_map(|name| uses.get(name.as_str())).flatten() {
            waiting[user] -= 1;
            if waiting[user] == 0 {
                ready.push(Reverse(user));
            }
        }
    }
    match start.into_iter().find(|&index| waiting[index] > 0) {
        Some(index) => Err(OnnxError::Cycle { node: nodes[index].label().to_owned() }),
        None => Ok(sorted),
    }
}
