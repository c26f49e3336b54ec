//! Values on at most four axes, for operations along some of them.

use super::super::super::OnnxError;
use super::super::super::node::{Node, Operand};
use super::super::super::view::View;
use super::super::builder::Builder;
use super::arithmetic::{inverse, turned};
use saligate_models::graph::ValueId;

/// A computed operand as a value of the graph, on axes that the graph has.
pub(super) struct Laid {
    /// `[1, ...]`, of two or four axes.
    pub(super) value: ValueId,
    /// The axes of the value that were asked for, ascending.
    pub(super) axes: Vec<usize>,
    /// Shape of the operand with its axes in the order of the value.
    shape: Vec<usize>,
    /// The axes of the operand, in the order of the value.
    order: Vec<usize>,
    /// For every axis of the operand, in the order of the value, that of the value which it is part of.
    homes: Vec<usize>,
}

/// Lays an operand out so that some of its axes are whole axes of a value, with as little moved as can be.
pub(super) fn laid(
    b: &mut Builder,
    node: &Node<'_>,
    operand: &Operand,
    axes: &[usize],
) -> Result<Laid, OnnxError> {
    let view = b.view(node, operand)?;
    let rank = view.shape().len();
    let natural = view.natural().unwrap_or_else(|| (0..rank).collect());
    let apart = || {
        let (inside, outside): (Vec<usize>, Vec<usize>) =
            (0..rank).partition(|axis| axes.contains(axis));
        [outside, inside].concat()
    };
    for order in [natural, apart()] {
        let shape: Vec<usize> = order.iter().map(|&axis| view.shape()[axis]).collect();
        let wanted: Vec<bool> = order.iter().map(|axis| axes.contains(axis)).collect();
        let Some((grouped, homes)) = grouped(&shape, &wanted) else { continue };
        let operand = b.transposed(node, &Operand::View(view.clone()), &order)?;
        let operand = b.reshaped(node, &operand, grouped)?;
        let value = b.value_of(node, &operand.named(&format!("{}/laid", node.output())))?;
        let mut own: Vec<usize> = homes
            .iter()
            .zip(&wanted)
            .zip(&shape)
            .filter(|((_, wanted), size)| **wanted && **size > 1)
            .map(|((home, _), _)| *home)
            .collect();
        own.dedup();
        return Ok(Laid { value, axes: own, shape, order, homes });
    }
    Err(node.error("has an operand with more axes than are supported"))
}

/// A shape of two or four axes, a batch of one in front, and where each axis has gone. Axes stay what they
/// are where they fit; else those that follow each other become one, wanted ones apart from others.
fn grouped(shape: &[usize], wanted: &[bool]) -> Option<(Vec<usize>, Vec<usize>)> {
    match shape {
        [1, ..] if [2, 4].contains(&shape.len()) => {
            return Some((shape.to_vec(), (0..shape.len()).collect()));
        }
        [1, a, b] => return Some((vec![1, *a, 1, *b], vec![0, 1, 3])),
        _ => (),
    }
    let mut groups = vec![1];
    let mut homes = Vec::new();
    let mut before = None;
    for (&size, &wanted) in shape.iter().zip(wanted) {
        if size > 1 && before == Some(wanted) {
            *groups.last_mut()? *= size;
        } else if size > 1 {
            groups.push(size);
            before = Some(wanted);
        }
        homes.push(groups.len() - 1);
    }
    (groups.len() <= 4).then(|| {
        groups.resize(4, 1);
        (groups, homes)
    })
}

impl Laid {
    /// What was made of the value, in the layout of the operand; axes whose length has changed have it here
    /// too.
    ///
    /// # Errors
    /// An axis of the value that stands for several has changed.
    pub(super) fn back(
        &self,
        b: &mut Builder,
        node: &Node<'_>,
        made: ValueId,
    ) -> Result<Operand, OnnxError> {
        let new = b.graph.shape(made).to_vec();
        let old = b.graph.shape(self.value).to_vec();
        let mut shape = self.shape.clone();
        for (home, (&old, &new)) in old.iter().zip(&new).enumerate().filter(|(_, (a, b))| a != b) {
            let long = |at: &usize| self.homes[*at] == home && (self.shape[*at] > 1 || old == 1);
            let members: Vec<usize> = (0..shape.len()).filter(long).collect();
            match (members.as_slice(), new) {
                (_, 1) => members.iter().for_each(|&at| shape[at] = 1),
                (&[at], new) => shape[at] = new,
                _ => return Err(node.error(format!("changes {old} entries of several axes"))),
            }
        }
        let view = View::of(&b.graph, made).reshaped(shape).transposed(&inverse(&self.order));
        let view = view.ok_or_else(|| node.error("cannot be read in this layout"))?;
        Ok(Operand::View(view.named(&turned(node))))
    }
}
