//! A node of a file: its attributes and operands.

use super::OnnxError;
use super::constant::{Constant, Data, MAX_RANK, elements};
use super::proto;
use super::view::View;
use saligate_models::graph::ValueId;

/// What an ONNX name stands for while a graph is read.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    /// A value of the graph.
    Value(ValueId),
    /// A value of the graph with its axes in another order or shape.
    View(View),
    /// An array that is known.
    Constant {
        /// Its name in the file.
        name: String,
        /// Its shape and elements.
        constant: Constant,
    },
    /// A function of an input on its way to its one use: the product with that input.
    Factor {
        /// The input's name.
        input: String,
        /// The product.
        product: saligate_models::graph::Op,
    },
    /// The largest class of these scores, before it becomes a one-hot row.
    ArgMax(ValueId),
    /// The softmax of these scores.
    Softmax(ValueId),
}

impl Operand {
    /// The operand under another name, where it has one of its own until it is made.
    pub(super) fn named(self, name: &str) -> Self {
        match self {
            Self::View(view) => Self::View(view.named(name)),
            other => other,
        }
    }
}

/// A node with its operands: `None` where an optional one is left out.
pub(super) struct Node<'a> {
    pub(super) source: &'a proto::Node,
    /// Whether the result has one use: its product with the operand.
    pub(super) is_factor: bool,
    pub(super) operands: Vec<Option<Operand>>,
}

impl<'a> Node<'a> {
    /// The same node with other operands.
    pub(super) fn with(&self, operands: Vec<Option<Operand>>) -> Node<'a> {
        Node { source: self.source, is_factor: false, operands }
    }
}

impl Node<'_> {
    /// Name of the operation.
    pub(super) fn op(&self) -> &str {
        &self.source.op_type
    }

    /// Name of the first result.
    pub(super) fn output(&self) -> &str {
        self.source.output.first().map_or("", String::as_str)
    }

    pub(super) fn error(&self, reason: impl Into<String>) -> OnnxError {
        OnnxError::node(self.source, reason)
    }

    /// The operand at a position.
    pub(super) fn operand(&self, position: usize) -> Result<&Operand, OnnxError> {
        let operand = self.operands.get(position).and_then(Option::as_ref);
        operand.ok_or_else(|| self.error("has too few operands"))
    }

    /// The constant at a position, if an operand is given there.
    pub(super) fn constant(&self, position: usize) -> Result<Option<&Constant>, OnnxError> {
        match self.operands.get(position) {
            None | Some(None) => Ok(None),
            Some(Some(Operand::Constant { constant, .. })) => Ok(Some(constant)),
            Some(Some(_)) => {
                Err(self.error(format!("has a computed operand {position}; it must be constant")))
            }
        }
    }

    /// The constant integers at a position, if an operand is given there.
    pub(super) fn ints_operand(&self, position: usize) -> Result<Option<&[i64]>, OnnxError> {
        match self.constant(position)? {
            None => Ok(None),
            Some(Constant { data: Data::Ints(values), .. }) => Ok(Some(values)),
            Some(_) => Err(self.error(format!("has operand {position} of floats, not integers"))),
        }
    }

    /// The constant integers at a position or, in older versions, in an attribute.
    pub(super) fn ints_operand_or(
        &self,
        position: usize,
        name: &str,
    ) -> Result<Option<&[i64]>, OnnxError> {
        Ok(self.ints_operand(position)?.or_else(|| self.ints(name)))
    }

    /// The one constant number at a position, if an operand is given there.
    pub(super) fn scalar(&self, position: usize) -> Result<Option<f32>, OnnxError> {
        match self.constant(position)? {
            None => Ok(None),
            Some(Constant { data: Data::Floats(values), .. }) if values.len() == 1 => {
                Ok(Some(values[0]))
            }
            Some(_) => Err(self.error(format!("needs one constant float as operand {position}"))),
        }
    }

    fn attribute(&self, name: &str) -> Option<&proto::Attribute> {
        self.source.attribute.iter().find(|a| a.name == name)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    pub(super) fn tensor(&self, name: &str) -> Option<&proto::Tensor> {
        self.attribute(name)?.t.as_ref()
    }

    pub(super) fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |a| a.i)
    }

    pub(super) fn ints(&self, name: &str) -> Option<&[i64]> {
        self.attribute(name).map(|a| a.ints.as_slice())
    }

    pub(super) fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute(name).map_or(default, |a| a.f)
    }

    pub(super) fn floats(&self, name: &str) -> Option<&[f32]> {
        self.attribute(name).map(|a| a.floats.as_slice())
    }

    pub(super) fn text(&self, name: &str) -> Option<&[u8]> {
        self.attribute(name).map(|a| a.s.as_slice())
    }

    /// A length, where the file has a number that could be negative.
    pub(super) fn size(&self, what: &str, value: i64) -> Result<usize, OnnxError> {
        let size = usize::try_from(value);
        size.map_err(|_| self.error(format!("has a negative entry in {what}: {value}")))
    }

    /// The entries of an attribute that holds N lengths.
    pub(super) fn sizes<const N: usize>(
        &self,
        name: &str,
        default: [usize; N],
    ) -> Result<[usize; N], OnnxError> {
        let Some(ints) = self.ints(name) else { return Ok(default) };
        let sizes = ints.iter().map(|&v| self.size(name, v)).collect::<Result<Vec<_>, _>>()?;
        sizes.try_into().map_err(|_| {
            let rank = N / if name == "pads" { 2 } else { 1 };
            self.error(format!("has {} entries in {name}; only {rank}-D is supported", ints.len()))
        })
    }

    /// An axis counted from either end.
    pub(super) fn axis(&self, axis: i64, rank: usize) -> Result<usize, OnnxError> {
        let counted = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
        let counted = counted.and_then(|a| usize::try_from(a).ok()).filter(|&a| a < rank);
        counted.ok_or_else(|| self.error(format!("has axis {axis}, its operand has {rank} axes")))
    }

    /// An entry of an axis of a length, counted from either end.
    pub(super) fn entry(&self, at: i64, size: usize) -> Result<usize, OnnxError> {
        let counted = if at < 0 { at.checked_add(size as i64) } else { Some(at) };
        let counted = counted.and_then(|at| usize::try_from(at).ok()).filter(|&at| at < size);
        counted.ok_or_else(|| self.error(format!("has index {at} for an axis of length {size}")))
    }

    /// Axes from an operand or, in older versions, from an attribute; sorted, each once.
    pub(super) fn axes(
        &self,
        position: usize,
        rank: usize,
    ) -> Result<Option<Vec<usize>>, OnnxError> {
        let Some(given) = self.ints_operand_or(position, "axes")? else { return Ok(None) };
        let axes = given.iter().map(|&axis| self.axis(axis, rank));
        let mut axes = axes.collect::<Result<Vec<_>, _>>()?;
        axes.sort_unstable();
        if axes.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(self.error("names an axis twice"));
        }
        Ok(Some(axes))
    }

    /// The order of a Transpose of an operand with so many axes.
    pub(super) fn order(&self, rank: usize) -> Result<Vec<usize>, OnnxError> {
        let Some(given) = self.ints("perm") else { return Ok((0..rank).rev().collect()) };
        let order = given.iter().map(|&axis| self.axis(axis, rank));
        let order = order.collect::<Result<Vec<_>, _>>()?;
        let mut sorted = order.clone();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..rank) {
            return Err(self.error(format!("cannot put {rank} axes into the order {given:?}")));
        }
        Ok(order)
    }

    /// The shape that an operand of `shape` is given by the entries of a Reshape: 0 keeps an axis,
    /// -1 is what remains. A batch that the file fixes to `batch` has become 1.
    pub(super) fn reshaped(
        &self,
        shape: &[usize],
        wanted: &[i64],
        batch: usize,
    ) -> Result<Vec<usize>, OnnxError> {
        let count = elements(shape).unwrap_or(0);
        let fail = || self.error(format!("cannot reshape {shape:?} into {wanted:?}"));
        if wanted.len() > MAX_RANK {
            return Err(self.error(format!("has more than {MAX_RANK} axes")));
        }
        let keeps_zero = self.int("allowzero", 0) != 0;
        let mut result = Vec::with_capacity(wanted.len());
        let mut open = None;
        for (position, &size) in wanted.iter().enumerate() {
            result.push(match size {
                0 if !keeps_zero => *shape.get(position).ok_or_else(fail)?,
                -1 if open.is_none() => {
                    open = Some(position);
                    1
                }
                _ => usize::try_from(size).map_err(|_| fail())?,
            });
        }
        let fits = |result: &[usize]| match (elements(result), open) {
            (Some(filled), None) => filled == count,
            (Some(filled), Some(_)) => filled > 0 && count.is_multiple_of(filled),
            (None, _) => false,
        };
        if batch > 1 && shape.first() == Some(&1) && result.first() == Some(&batch) {
            result[0] = 1;
            if !fits(&result) {
                result[0] = batch;
            }
        }
        if !fits(&result) {
            return Err(fail());
        }
        if let Some(position) = open {
            result[position] = count / elements(&result).unwrap_or(1);
        }
        Ok(result)
    }

    /// The shape without the given axes of length one, or without all of them.
    pub(super) fn squeezed(&self, shape: &[usize]) -> Result<Vec<usize>, OnnxError> {
        let axes = self.axes(1, shape.len())?;
        let mut result = Vec::new();
        for (axis, &size) in shape.iter().enumerate() {
            match &axes {
                Some(axes) if !axes.contains(&axis) => result.push(size),
                Some(_) if size != 1 => {
                    return Err(self.error(format!("cannot drop axis {axis} of {shape:?}")));
                }
                None if size != 1 => result.push(size),
                _ => {}
            }
        }
        Ok(result)
    }

    /// The shape with axes of length one put in.
    pub(super) fn unsqueezed(&self, shape: &[usize]) -> Result<Vec<usize>, OnnxError> {
        let given = self.ints_operand_or(1, "axes")?.map_or(0, <[i64]>::len);
        let rank = shape.len().saturating_add(given);
        if rank > MAX_RANK {
            return Err(self.error(format!("has more than {MAX_RANK} axes")));
        }
        let axes = self.axes(1, rank)?.ok_or_else(|| self.error("names no axes"))?;
        let mut rest = shape.iter();
        let sizes =
            (0..rank).map(|axis| if axes.contains(&axis) { Some(1) } else { rest.next().copied() });
        Ok(sizes.flatten().collect())
    }

    /// The two sides of a Flatten.
    pub(super) fn flattened(&self, shape: &[usize]) -> Result<Vec<usize>, OnnxError> {
        let axis = match self.int("axis", 1) {
            axis if axis == shape.len() as i64 => shape.len(),
            axis => self.axis(axis, shape.len())?,
        };
        let (before, behind) = shape.split_at(axis);
        Ok(vec![before.iter().product(), behind.iter().product()])
    }

    /// What a Slice takes of each axis.
    pub(super) fn slices(&self, shape: &[usize]) -> Result<Vec<AxisRange>, OnnxError> {
        let needed = |position, name| {
            let ints = self.ints_operand_or(position, name)?;
            ints.ok_or_else(|| self.error("has too few operands"))
        };
        let (starts, ends) = (needed(1, "starts")?, needed(2, "ends")?);
        let all: Vec<i64> = (0..starts.len() as i64).collect();
        let ones = vec![1; starts.len()];
        let axes = self.ints_operand_or(3, "axes")?.unwrap_or(&all);
        let steps = self.ints_operand(4)?.unwrap_or(&ones);
        if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
            return Err(self.error("has lists of different lengths"));
        }
        let mut taken: Vec<AxisRange> = shape.iter().map(|&size| AxisRange::all(size)).collect();
        for (i, &axis) in axes.iter().enumerate() {
            let axis = self.axis(axis, shape.len())?;
            taken[axis] = self.slice(shape[axis] as i64, starts[i], ends[i], steps[i])?;
        }
        Ok(taken)
    }

    fn slice(&self, size: i64, start: i64, end: i64, step: i64) -> Result<AxisRange, OnnxError> {
        let counted = |at: i64| if at < 0 { at.saturating_add(size) } else { at };
        let (from, to, room) = match step {
            0 => return Err(self.error("has a step of zero")),
            1.. => {
                let (from, to) = (counted(start).clamp(0, size), counted(end).clamp(0, size));
                (from, to, to - from)
            }
            _ => {
                let from = counted(start).clamp(-1, size - 1);
                let to = counted(end).clamp(-1, size - 1);
                (from, to, from - to)
            }
        };
        let count = if room > 0 { (room as u64).div_ceil(step.unsigned_abs()) } else { 0 };
        let (start, end) = (from.max(0) as usize, to.max(0) as usize);
        Ok(AxisRange { start, end, step, count: count as usize })
    }

    /// Lengths of the parts of an axis that a Split makes.
    pub(super) fn parts(&self, size: usize) -> Result<Vec<usize>, OnnxError> {
        let lengths = match self.ints_operand_or(1, "split")? {
            Some(lengths) => {
                lengths.iter().map(|&v| self.size("split", v)).collect::<Result<Vec<_>, _>>()?
            }
            None => {
                let count = self.source.output.len().max(1);
                let part = size.div_ceil(count);
                (0..count).map(|i| size.saturating_sub(i * part).min(part)).collect()
            }
        };
        let sum = lengths.iter().try_fold(0usize, |sum, &length| sum.checked_add(length));
        if sum != Some(size) || lengths.len() != self.source.output.len() {
            return Err(self.error(format!("does not split {size} entries evenly: {lengths:?}")));
        }
        Ok(lengths)
    }
}

/// What is taken of an axis: `count` entries from `start`, `step` apart, before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AxisRange {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) step: i64,
    pub(super) count: usize,
}

impl AxisRange {
    /// All of an axis.
    pub(super) fn all(size: usize) -> Self {
        Self { start: 0, end: size, step: 1, count: size }
    }
}
