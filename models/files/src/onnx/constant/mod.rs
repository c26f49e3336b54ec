//! Arrays that are known when a file is read.

mod decode;
mod evaluate;
mod external;
mod scatter;

use std::sync::Arc;

pub(super) use decode::{Storage, decode};
pub(super) use evaluate::{evaluate, is_float, is_foldable, shape};

use super::OnnxError;

/// Largest number of axes of anything in a file.
pub(super) const MAX_RANK: usize = 8;

/// The elements of a constant, row-major. Floats of any width are f32, integers and truth values
/// i64.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Data {
    Floats(Arc<[f32]>),
    Ints(Arc<[i64]>),
}

/// An array that is known when a file is read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Constant {
    /// Length of each axis; none for a single number.
    pub(super) shape: Vec<usize>,
    pub(super) data: Data,
}

impl Constant {
    pub(super) fn floats(shape: Vec<usize>, data: impl Into<Arc<[f32]>>) -> Self {
        Self { shape, data: Data::Floats(data.into()) }
    }

    pub(super) fn ints(shape: Vec<usize>, data: impl Into<Arc<[i64]>>) -> Self {
        Self { shape, data: Data::Ints(data.into()) }
    }

    pub(super) fn len(&self) -> usize {
        match &self.data {
            Data::Floats(data) => data.len(),
            Data::Ints(data) => data.len(),
        }
    }

    /// The same without elements, for a shape that has none.
    fn emptied(self) -> Self {
        match self.data {
            Data::Floats(_) => Self::floats(self.shape, []),
            Data::Ints(_) => Self::ints(self.shape, []),
        }
    }

    /// The same elements in another shape of the same size.
    pub(super) fn reshaped(&self, shape: Vec<usize>) -> Self {
        Self { shape, data: self.data.clone() }
    }

    /// The same array with axes of length one in front.
    pub(super) fn widened(&self, rank: usize) -> Self {
        self.reshaped(padded_shape(&self.shape, rank))
    }

    /// The array whose axis i is axis `order[i]` of this one.
    pub(super) fn transposed(&self, order: &[usize]) -> Self {
        let steps = strides(&self.shape);
        let walk = Walk {
            shape: order.iter().map(|&axis| self.shape[axis]).collect(),
            strides: order.iter().map(|&axis| steps[axis]).collect(),
            start: 0,
        };
        self.walked(walk)
    }

    /// The array repeated along axes of length one up to a shape that it broadcasts to.
    pub(super) fn expanded(&self, shape: &[usize]) -> Self {
        let wide = self.widened(shape.len());
        let steps = strides(&wide.shape).into_iter().zip(&wide.shape);
        let strides = steps.map(|(step, &size)| if size == 1 { 0 } else { step }).collect();
        wide.walked(Walk { shape: shape.to_vec(), strides, start: 0 })
    }

    /// The elements that a walk meets.
    pub(super) fn walked(&self, walk: Walk) -> Self {
        let data = match &self.data {
            Data::Floats(data) => Data::Floats(walk.collect(data)),
            Data::Ints(data) => Data::Ints(walk.collect(data)),
        };
        Self { shape: walk.shape, data }
    }
}

/// A way through a row-major array: per axis a length and a distance, from a start.
///
/// Whoever makes one sees to it that all positions are inside the array.
pub(super) struct Walk {
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<isize>,
    pub(super) start: usize,
}

impl Walk {
    fn collect<T: Copy>(&self, data: &[T]) -> Arc<[T]> {
        let count = self.shape.iter().product();
        let mut out = Vec::with_capacity(count);
        let mut index = vec![0; self.shape.len()];
        let mut at = self.start as isize;
        for _ in 0..count {
            out.push(data[at as usize]);
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                at += self.strides[axis];
                if index[axis] < self.shape[axis] {
                    break;
                }
                at -= self.strides[axis] * self.shape[axis] as isize;
                index[axis] = 0;
            }
        }
        out.into()
    }
}

/// Distance between neighbours along each axis of a row-major array.
pub(super) fn strides(shape: &[usize]) -> Vec<isize> {
    let mut step = 1;
    let mut strides: Vec<isize> = shape
        .iter()
        .rev()
        .map(|&size| {
            let own = step;
            step *= size as isize;
            own
        })
        .collect();
    strides.reverse();
    strides
}

/// A shape with ones in front, up to `rank` axes.
pub(super) fn padded_shape(shape: &[usize], rank: usize) -> Vec<usize> {
    let ones = std::iter::repeat_n(1, rank.saturating_sub(shape.len()));
    ones.chain(shape.iter().copied()).collect()
}

/// The shape that two shapes broadcast to, as in numpy.
pub(super) fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let (a, b) = (padded_shape(a, rank), padded_shape(b, rank));
    let pairs = a.into_iter().zip(b);
    pairs.map(|(a, b)| if a == 1 || a == b { Some(b) } else { (b == 1).then_some(a) }).collect()
}

/// Number of elements of a shape, if it can be counted even without its empty axes.
pub(super) fn elements(shape: &[usize]) -> Option<usize> {
    let filled = shape
        .iter()
        .try_fold(1isize, |count, &size| count.checked_mul(isize::try_from(size.max(1)).ok()?))?;
    if shape.contains(&0) { Some(0) } else { usize::try_from(filled).ok() }
}

/// What may still be computed while a file is read, in elements: in proportion to what the file
/// stores, so that a small file is done with quickly.
#[derive(Debug)]
pub(super) struct Budget {
    left: usize,
}

impl Budget {
    /// For a file that stores this many elements.
    pub(super) fn new(stored: usize) -> Self {
        Self { left: stored.saturating_mul(4).saturating_add(1 << 24) }
    }

    /// Takes the elements of a shape.
    pub(super) fn charge(&mut self, shape: &[usize]) -> Result<(), OnnxError> {
        let count = elements(shape).filter(|_| shape.len() <= MAX_RANK);
        let left = count.and_then(|count| self.left.checked_sub(count));
        self.left = left.ok_or(OnnxError::Limit { what: "elements of computed constants" })?;
        Ok(())
    }
}
