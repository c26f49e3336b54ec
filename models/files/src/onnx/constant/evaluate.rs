//! Operations on constants, done while a file is read.

use super::super::OnnxError;
use super::super::node::{Node, Operand};
use super::super::proto::data_type;
use super::scatter::{running_sum, scatter_nd};
use super::{Budget, Constant, Data, Walk, broadcast, elements, strides};

/// Whether the operation is done at once where all its operands are constants.
pub(in super::super) fn is_foldable(op: &str) -> bool {
    FOLDABLE.contains(&op)
}

const FOLDABLE: &[&str] = &[
    "Abs",
    "Add",
    "And",
    "Cast",
    "CastLike",
    "Ceil",
    "Clip",
    "Concat",
    "ConstantOfShape",
    "Cos",
    "CumSum",
    "Div",
    "Equal",
    "Exp",
    "Expand",
    "Flatten",
    "Floor",
    "Gather",
    "Greater",
    "Identity",
    "Less",
    "Log",
    "Max",
    "Min",
    "Mod",
    "Mul",
    "Neg",
    "Not",
    "Or",
    "Pow",
    "Range",
    "Reciprocal",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "Reshape",
    "ScatterND",
    "Shape",
    "Sin",
    "Size",
    "Slice",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Transpose",
    "Unsqueeze",
    "Where",
];

/// The result of a foldable operation, all of whose operands are constants.
pub(in super::super) fn evaluate(
    node: &Node<'_>,
    budget: &mut Budget,
) -> Result<Constant, OnnxError> {
    let operands = node.operands.iter().flatten().filter_map(|operand| match operand {
        Operand::Constant { constant, .. } => Some(constant),
        _ => None,
    });
    let all: Vec<&Constant> = operands.collect();
    let Some(&x) = all.first() else { return Err(node.error("has too few operands")) };
    match node.op() {
        "Identity" => Ok(x.clone()),
        "Cast" | "CastLike" => {
            let to = match (node.op(), all.get(1)) {
                ("CastLike", Some(Constant { data: Data::Floats(_), .. })) => data_type::FLOAT,
                ("CastLike", Some(_)) => data_type::INT64,
                _ => node.int("to", 0).try_into().unwrap_or(0),
            };
            budget.charge(&x.shape)?;
            cast(node, x, to)
        }
        "Size" => Ok(Constant::ints(vec![], [x.len() as i64])),
        "Shape" => shape(node, &x.shape),
        "Reshape" => {
            let wanted = node.ints_operand(1)?.ok_or_else(|| node.error("has too few operands"))?;
            Ok(x.reshaped(node.reshaped(&x.shape, wanted, 1)?))
        }
        "Flatten" => Ok(x.reshaped(node.flattened(&x.shape)?)),
        "Squeeze" => Ok(x.reshaped(node.squeezed(&x.shape)?)),
        "Unsqueeze" => Ok(x.reshaped(node.unsqueezed(&x.shape)?)),
        "Transpose" => {
            budget.charge(&x.shape)?;
            Ok(x.transposed(&node.order(x.shape.len())?))
        }
        "Expand" => {
            let sizes = node.ints_operand(1)?.unwrap_or_default().iter();
            let sizes = sizes.map(|&v| node.size("shape", v)).collect::<Result<Vec<_>, _>>()?;
            let shape = broadcast(&x.shape, &sizes)
                .ok_or_else(|| node.error(format!("cannot expand {:?} to {sizes:?}", x.shape)))?;
            budget.charge(&shape)?;
            Ok(x.expanded(&shape))
        }
        "Slice" => slice(node, x, budget),
        "Concat" => concat(node, &all, budget),
        "Gather" => gather(node, x, budget),
        "ConstantOfShape" => constant_of_shape(node, budget),
        "ScatterND" => scatter_nd(node, x, budget),
        "CumSum" => running_sum(node, x, budget),
        "Range" => range(node, &all, budget),
        "Where" => select(node, &all, budget),
        "Clip" => {
            let bound =
                |position, default| Ok::<_, OnnxError>(node.scalar(position)?.unwrap_or(default));
            let (low, high) = (bound(1, f32::MIN)?, bound(2, f32::MAX)?);
            unary(node, x, budget, |v| v.max(f64::from(low)).min(f64::from(high)))
        }
        "ReduceMax" | "ReduceMean" | "ReduceMin" | "ReduceProd" | "ReduceSum" => {
            reduce(node, x, budget)
        }
        op => match (unary_rule(op), all.as_slice()) {
            (Some(rule), [x]) => unary(node, x, budget, rule),
            (Some(_), _) => Err(node.error("takes one operand")),
            (None, [first, rest @ ..]) if !rest.is_empty() => {
                let fold = |a: Constant, b: &&Constant| binary(node, &a, b, budget);
                rest.iter().try_fold((*first).clone(), fold)
            }
            _ => Err(node.error("has too few operands")),
        },
    }
}

/// Whether an ONNX element type is one of floats.
pub(in super::super) fn is_float(data_type: i64) -> bool {
    use data_type::{BFLOAT16, DOUBLE, FLOAT, FLOAT16};
    [FLOAT, DOUBLE, FLOAT16, BFLOAT16].map(i64::from).contains(&data_type)
}

/// Numbers that the type does not hold are an error, since engines differ on them.
fn cast(node: &Node<'_>, x: &Constant, to: i32) -> Result<Constant, OnnxError> {
    use data_type::{BOOL, INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, UINT64};
    let shape = x.shape.clone();
    if is_float(i64::from(to)) {
        return Ok(match &x.data {
            Data::Floats(_) => x.clone(),
            Data::Ints(data) => {
                Constant::floats(shape, data.iter().map(|&v| v as f32).collect::<Vec<_>>())
            }
        });
    }
    let range = match to {
        BOOL | INT64 => i64::MIN..=i64::MAX,
        INT8 => i8::MIN.into()..=i8::MAX.into(),
        INT16 => i16::MIN.into()..=i16::MAX.into(),
        INT32 => i32::MIN.into()..=i32::MAX.into(),
        UINT8 => 0..=u8::MAX.into(),
        UINT16 => 0..=u16::MAX.into(),
        UINT32 => 0..=u32::MAX.into(),
        UINT64 => 0..=i64::MAX,
        _ => return Err(node.error(format!("casts to the element type {to}, which is no number"))),
    };
    let held = |v: i64| {
        let inside = range.contains(&v).then_some(v);
        inside.ok_or_else(|| node.error(format!("casts {v} to a type that does not hold it")))
    };
    let bits = |set: bool| Ok(i64::from(set));
    let cast: Result<Vec<i64>, OnnxError> = match &x.data {
        Data::Floats(data) if to == BOOL => data.iter().map(|&v| bits(v != 0.0)).collect(),
        Data::Ints(data) if to == BOOL => data.iter().map(|&v| bits(v != 0)).collect(),
        Data::Floats(data) => data.iter().map(|&v| held(v as i64)).collect(),
        Data::Ints(data) => data.iter().map(|&v| held(v)).collect(),
    };
    Ok(Constant::ints(shape, cast?))
}

/// The lengths of the axes of a shape, as the Shape operation gives them.
pub(in super::super) fn shape(node: &Node<'_>, shape: &[usize]) -> Result<Constant, OnnxError> {
    let rank = shape.len() as i64;
    let counted = |at: i64| if at < 0 { at.saturating_add(rank) } else { at }.clamp(0, rank);
    let (start, end) = (counted(node.int("start", 0)), counted(node.int("end", rank)));
    let part = &shape[start as usize..end.max(start) as usize];
    Ok(Constant::ints(vec![part.len()], part.iter().map(|&d| d as i64).collect::<Vec<_>>()))
}

fn slice(node: &Node<'_>, x: &Constant, budget: &mut Budget) -> Result<Constant, OnnxError> {
    let taken = node.slices(&x.shape)?;
    let steps = strides(&x.shape);
    let shape: Vec<usize> = taken.iter().map(|t| t.count).collect();
    budget.charge(&shape)?;
    let start = taken.iter().zip(&steps).map(|(t, &step)| t.start * step as usize).sum();
    // A step that is too long to be taken twice is never taken.
    let strides = taken.iter().zip(&steps).map(|(t, &step)| match t.count {
        0 | 1 => 0,
        _ => t.step as isize * step,
    });
    Ok(x.walked(Walk { strides: strides.collect(), shape, start }))
}

fn concat(node: &Node<'_>, all: &[&Constant], budget: &mut Budget) -> Result<Constant, OnnxError> {
    let mut shape = all[0].shape.clone();
    let axis = node.axis(node.int("axis", 0), shape.len())?;
    for other in &all[1..] {
        let fits = other.shape.len() == shape.len()
            && (0..shape.len()).all(|i| i == axis || other.shape[i] == shape[i]);
        let sum = shape[axis].checked_add(*other.shape.get(axis).unwrap_or(&0));
        shape[axis] = sum.filter(|_| fits).ok_or_else(|| {
            node.error(format!("cannot join {shape:?} and {:?} along {axis}", other.shape))
        })?;
    }
    budget.charge(&shape)?;
    if shape.contains(&0) {
        return Ok(Constant { shape, data: all[0].data.clone() }.emptied());
    }
    let before: usize = shape[..axis].iter().product();
    let piece = |c: &Constant| c.len() / before.max(1);
    if all.iter().all(|c| matches!(c.data, Data::Floats(_))) {
        let mut data = Vec::with_capacity(elements(&shape).unwrap_or(0));
        for i in 0..before {
            for c in all {
                if let Data::Floats(part) = &c.data {
                    data.extend_from_slice(&part[i * piece(c)..(i + 1) * piece(c)]);
                }
            }
        }
        return Ok(Constant::floats(shape, data));
    }
    let mut data = Vec::with_capacity(elements(&shape).unwrap_or(0));
    for i in 0..before {
        for c in all {
            let Data::Ints(part) = &c.data else {
                return Err(node.error("joins floats and integers"));
            };
            data.extend_from_slice(&part[i * piece(c)..(i + 1) * piece(c)]);
        }
    }
    Ok(Constant::ints(shape, data))
}

fn gather(node: &Node<'_>, x: &Constant, budget: &mut Budget) -> Result<Constant, OnnxError> {
    let axis = node.axis(node.int("axis", 0), x.shape.len())?;
    let Some(Constant { shape: index_shape, data: Data::Ints(indices) }) = node.constant(1)? else {
        return Err(node.error("needs integer indices"));
    };
    let size = x.shape[axis];
    let (before, behind) = (&x.shape[..axis], &x.shape[axis + 1..]);
    let shape = [before, index_shape, behind].concat();
    budget.charge(&shape)?;
    if shape.contains(&0) {
        return Ok(Constant { shape, data: x.data.clone() }.emptied());
    }
    let counted = indices.iter().map(|&i| {
        node.axis(i, size)
            .map_err(|_| node.error(format!("has index {i} into an axis of length {size}")))
    });
    let counted = counted.collect::<Result<Vec<_>, _>>()?;
    let block: usize = behind.iter().product();
    let rows = before.iter().product::<usize>();
    let starts = (0..rows).flat_map(|row| counted.iter().map(move |i| (row * size + i) * block));
    Ok(match &x.data {
        Data::Floats(data) => {
            let picked: Vec<f32> =
                starts.flat_map(|at| data[at..at + block].iter().copied()).collect();
            Constant::floats(shape, picked)
        }
        Data::Ints(data) => {
            let picked: Vec<i64> =
                starts.flat_map(|at| data[at..at + block].iter().copied()).collect();
            Constant::ints(shape, picked)
        }
    })
}

fn constant_of_shape(node: &Node<'_>, budget: &mut Budget) -> Result<Constant, OnnxError> {
    let sizes = node.ints_operand(0)?.unwrap_or_default().iter();
    let shape = sizes.map(|&v| node.size("shape", v)).collect::<Result<Vec<_>, _>>()?;
    budget.charge(&shape)?;
    let value = match node.tensor("value") {
        None => Constant::floats(vec![], [0.0]),
        Some(tensor) => super::decode(tensor.clone(), &mut super::Storage::new(None))?,
    };
    let count = elements(&shape).unwrap_or(0);
    match value.data {
        Data::Floats(data) if data.len() == 1 => Ok(Constant::floats(shape, vec![data[0]; count])),
        Data::Ints(data) if data.len() == 1 => Ok(Constant::ints(shape, vec![data[0]; count])),
        _ => Err(node.error("needs one element as its value")),
    }
}

fn range(node: &Node<'_>, all: &[&Constant], budget: &mut Budget) -> Result<Constant, OnnxError> {
    let [Some(start), Some(limit), Some(step)] =
        [0, 1, 2].map(|i| match all.get(i).map(|c| &c.data) {
            Some(Data::Ints(data)) if data.len() == 1 => Some(data[0]),
            _ => None,
        })
    else {
        return Err(node.error("is supported for three integers only"));
    };
    let span = i128::from(limit) - i128::from(start);
    let count = match i128::from(step) {
        0 => return Err(node.error("has a step of zero")),
        step => ((span + step - step.signum()) / step).max(0),
    };
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    budget.charge(&[count])?;
    let values = (0..count as i64).map(|i| start.wrapping_add(i.wrapping_mul(step)));
    Ok(Constant::ints(vec![count], values.collect::<Vec<_>>()))
}

fn select(node: &Node<'_>, all: &[&Constant], budget: &mut Budget) -> Result<Constant, OnnxError> {
    let &[condition, yes, no] = all else { return Err(node.error("has too few operands")) };
    let joint = broadcast(&yes.shape, &no.shape).and_then(|s| broadcast(&condition.shape, &s));
    let shape = joint.ok_or_else(|| node.error("has operands that do not broadcast"))?;
    budget.charge(&shape)?;
    let [condition, yes, no] = [condition, yes, no].map(|c| c.expanded(&shape));
    let Data::Ints(condition) = &condition.data else {
        return Err(node.error("needs a condition of truth values"));
    };
    match (&yes.data, &no.data) {
        (Data::Ints(yes), Data::Ints(no)) => {
            let rows = condition.iter().zip(yes.iter().zip(no.iter()));
            let data = rows.map(|(&c, (&y, &n))| if c != 0 { y } else { n });
            Ok(Constant::ints(shape, data.collect::<Vec<_>>()))
        }
        (Data::Floats(yes), Data::Floats(no)) => {
            let rows = condition.iter().zip(yes.iter().zip(no.iter()));
            let data = rows.map(|(&c, (&y, &n))| if c != 0 { y } else { n });
            Ok(Constant::floats(shape, data.collect::<Vec<_>>()))
        }
        _ => Err(node.error("chooses between floats and integers")),
    }
}

fn unary_rule(op: &str) -> Option<fn(f64) -> f64> {
    Some(match op {
        "Abs" => f64::abs,
        "Ceil" => f64::ceil,
        "Cos" => f64::cos,
        "Exp" => f64::exp,
        "Floor" => f64::floor,
        "Log" => f64::ln,
        "Neg" => |v| -v,
        "Sin" => f64::sin,
        "Not" => |v| f64::from(u8::from(v == 0.0)),
        "Reciprocal" => f64::recip,
        "Sqrt" => f64::sqrt,
        _ => return None,
    })
}

/// Integers are taken through f64, which is exact for every size that can occur.
fn unary(
    node: &Node<'_>,
    x: &Constant,
    budget: &mut Budget,
    rule: impl Fn(f64) -> f64,
) -> Result<Constant, OnnxError> {
    budget.charge(&x.shape)?;
    let shape = x.shape.clone();
    match &x.data {
        Data::Floats(data) => {
            let data = data.iter().map(|&v| rule(f64::from(v)) as f32);
            Ok(Constant::floats(shape, data.collect::<Vec<_>>()))
        }
        Data::Ints(data) => {
            let data = data.iter().map(|&v| exact(node, v).map(|v| rule(v) as i64));
            Ok(Constant::ints(shape, data.collect::<Result<Vec<_>, _>>()?))
        }
    }
}

fn exact(node: &Node<'_>, value: i64) -> Result<f64, OnnxError> {
    if value.unsigned_abs() > 1 << f64::MANTISSA_DIGITS {
        return Err(node.error(format!("computes with {value}, which is no size")));
    }
    Ok(value as f64)
}

fn binary(
    node: &Node<'_>,
    a: &Constant,
    b: &Constant,
    budget: &mut Budget,
) -> Result<Constant, OnnxError> {
    let shape = broadcast(&a.shape, &b.shape)
        .ok_or_else(|| node.error(format!("cannot broadcast {:?} and {:?}", a.shape, b.shape)))?;
    budget.charge(&shape)?;
    let (a, b) = (a.expanded(&shape), b.expanded(&shape));
    match (&a.data, &b.data) {
        (Data::Floats(a), Data::Floats(b)) => {
            let pairs = a.iter().zip(b.iter()).map(|(&a, &b)| (f64::from(a), f64::from(b)));
            if matches!(node.op(), "Equal" | "Less" | "Greater") {
                let data = pairs.map(|(a, b)| i64::from(compare(node.op(), &a, &b)));
                return Ok(Constant::ints(shape, data.collect::<Vec<_>>()));
            }
            let data = pairs.map(|(a, b)| float_rule(node, a, b).map(|v| v as f32));
            Ok(Constant::floats(shape, data.collect::<Result<Vec<_>, _>>()?))
        }
        (Data::Ints(a), Data::Ints(b)) => {
            let data = a.iter().zip(b.iter()).map(|(&a, &b)| int_rule(node, a, b));
            Ok(Constant::ints(shape, data.collect::<Result<Vec<_>, _>>()?))
        }
        (Data::Floats(base), Data::Ints(power)) if node.op() == "Pow" => {
            let data = base.iter().zip(power.iter());
            let data = data.map(|(&a, &b)| f64::from(a).powf(b as f64) as f32);
            Ok(Constant::floats(shape, data.collect::<Vec<_>>()))
        }
        _ => Err(node.error("mixes floats and integers")),
    }
}

fn compare<T: PartialOrd>(op: &str, a: &T, b: &T) -> bool {
    match op {
        "Equal" => a == b,
        "Less" => a < b,
        _ => a > b,
    }
}

fn float_rule(node: &Node<'_>, a: f64, b: f64) -> Result<f64, OnnxError> {
    Ok(match node.op() {
        "Add" => a + b,
        "Sub" => a - b,
        "Mul" => a * b,
        "Div" => a / b,
        "Pow" => a.powf(b),
        "Max" => a.max(b),
        "Min" => a.min(b),
        "Mod" => a % b,
        _ => return Err(node.error("is not supported for floats")),
    })
}

fn int_rule(node: &Node<'_>, a: i64, b: i64) -> Result<i64, OnnxError> {
    let result = match node.op() {
        "Add" => a.checked_add(b),
        "Sub" => a.checked_sub(b),
        "Mul" => a.checked_mul(b),
        "Div" => a.checked_div(b),
        "Mod" if node.int("fmod", 0) != 0 => a.checked_rem(b),
        // The remainder has the sign of the divisor.
        "Mod" => a.checked_rem(b).map(|r| if r != 0 && (r < 0) != (b < 0) { r + b } else { r }),
        "Pow" => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
        "Max" => Some(a.max(b)),
        "Min" => Some(a.min(b)),
        "And" => Some(i64::from(a != 0 && b != 0)),
        "Or" => Some(i64::from(a != 0 || b != 0)),
        op => Some(i64::from(compare(op, &a, &b))),
    };
    result.ok_or_else(|| node.error(format!("cannot compute with the integers {a} and {b}")))
}

fn reduce(node: &Node<'_>, x: &Constant, budget: &mut Budget) -> Result<Constant, OnnxError> {
    let rank = x.shape.len();
    let axes = node.axes(1, rank)?.filter(|axes| !axes.is_empty());
    if axes.is_none() && node.int("noop_with_empty_axes", 0) != 0 {
        return Ok(x.clone());
    }
    let axes = axes.unwrap_or_else(|| (0..rank).collect());
    let kept: Vec<usize> = (0..rank).filter(|axis| !axes.contains(axis)).collect();
    budget.charge(&x.shape)?;
    let sorted = x.transposed(&[kept.as_slice(), axes.as_slice()].concat());
    let size: usize = axes.iter().map(|&axis| x.shape[axis]).product();
    let keeps = node.int("keepdims", 1) != 0;
    let shape: Vec<usize> = (0..rank)
        .filter_map(
            |axis| if axes.contains(&axis) { keeps.then_some(1) } else { Some(x.shape[axis]) },
        )
        .collect();
    if size == 0 {
        return Err(node.error("reduces over nothing"));
    }
    match &sorted.data {
        Data::Floats(data) => {
            let rows = data.chunks_exact(size).map(|row| {
                let row = row.iter().map(|&v| f64::from(v));
                let folded = match node.op() {
                    "ReduceMax" => row.fold(f64::NEG_INFINITY, f64::max),
                    "ReduceMin" => row.fold(f64::INFINITY, f64::min),
                    "ReduceProd" => row.product(),
                    "ReduceMean" => row.sum::<f64>() / size as f64,
                    _ => row.sum(),
                };
                folded as f32
            });
            Ok(Constant::floats(shape, rows.collect::<Vec<_>>()))
        }
        Data::Ints(data) => {
            let rows = data.chunks_exact(size).map(|row| {
                let mut row = row.iter().copied();
                match node.op() {
                    "ReduceMax" => row.max(),
                    "ReduceMin" => row.min(),
                    "ReduceProd" => row.try_fold(1i64, i64::checked_mul),
                    "ReduceSum" => row.try_fold(0i64, i64::checked_add),
                    _ => None,
                }
            });
            let rows = rows.collect::<Option<Vec<_>>>();
            Ok(Constant::ints(shape, rows.ok_or_else(|| node.error("is not supported here"))?))
        }
    }
}
