//! Entries of a constant that are replaced, and sums along it.

use std::ops::AddAssign;
use std::sync::Arc;

use super::super::OnnxError;
use super::super::node::Node;
use super::{Budget, Constant, Data};

/// Replaces the parts at some indices, `[..., index]`, by updates.
pub(super) fn scatter_nd(
    node: &Node<'_>,
    x: &Constant,
    budget: &mut Budget,
) -> Result<Constant, OnnxError> {
    let bad = |what: &str| node.error(format!("cannot scatter into {:?}: {what}", x.shape));
    if node.text("reduction").is_some_and(|how| how != b"none") {
        return Err(bad("it has a reduction, which is not supported"));
    }
    let indices = node.constant(1)?.ok_or_else(|| bad("it has no indices"))?;
    let updates = node.constant(2)?.ok_or_else(|| bad("it has no updates"))?;
    let (Data::Ints(places), Some(&depth)) = (&indices.data, indices.shape.last()) else {
        return Err(bad("its indices are not integers"));
    };
    if depth > x.shape.len() {
        return Err(bad("its indices have more axes"));
    }
    let part: usize = x.shape[depth..].iter().product();
    let count = places.len().checked_div(depth).unwrap_or(1);
    if updates.len() != count * part {
        return Err(bad("its updates do not fit"));
    }
    budget.charge(&x.shape)?;
    let start = |index: &[i64]| {
        let axes = x.shape.iter().zip(index);
        axes.enumerate().try_fold(0usize, |start, (axis, (&size, &at))| {
            let at = node.entry(at, size)?;
            let step: usize = x.shape[axis + 1..].iter().product();
            Ok::<_, OnnxError>(start + at * step)
        })
    };
    let starts = places.chunks_exact(depth.max(1)).map(start).collect::<Result<Vec<_>, _>>()?;
    let data = match (&x.data, &updates.data) {
        (Data::Floats(old), Data::Floats(new)) => Data::Floats(replaced(old, new, &starts, part)),
        (Data::Ints(old), Data::Ints(new)) => Data::Ints(replaced(old, new, &starts, part)),
        _ => return Err(bad("its updates are of another type")),
    };
    Ok(Constant { shape: x.shape.clone(), data })
}

fn replaced<T: Copy>(old: &[T], new: &[T], starts: &[usize], part: usize) -> Arc<[T]> {
    let mut data = old.to_vec();
    for (&start, new) in starts.iter().zip(new.chunks_exact(part.max(1))) {
        data[start..start + part].copy_from_slice(new);
    }
    data.into()
}

/// The sum of all entries of an axis up to each.
pub(super) fn running_sum(
    node: &Node<'_>,
    x: &Constant,
    budget: &mut Budget,
) -> Result<Constant, OnnxError> {
    let &[axis] = node.ints_operand(1)?.unwrap_or_default() else {
        return Err(node.error("needs an axis"));
    };
    if node.int("exclusive", 0) != 0 || node.int("reverse", 0) != 0 {
        return Err(node.error("is supported from the first entry to each only"));
    }
    let axis = node.axis(axis, x.shape.len())?;
    let inner: usize = x.shape[axis + 1..].iter().product();
    budget.charge(&x.shape)?;
    let data = match &x.data {
        Data::Floats(data) => Data::Floats(summed(data, x.shape[axis], inner)),
        Data::Ints(data) => Data::Ints(summed(data, x.shape[axis], inner)),
    };
    Ok(Constant { shape: x.shape.clone(), data })
}

fn summed<T: Copy + AddAssign>(data: &[T], entries: usize, inner: usize) -> Arc<[T]> {
    let mut sums = data.to_vec();
    for part in sums.chunks_exact_mut((entries * inner).max(1)) {
        for at in inner..part.len() {
            let before = part[at - inner];
            part[at] += before;
        }
    }
    sums.into()
}
