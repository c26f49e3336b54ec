//! Products of matrices.

use super::super::super::OnnxError;
use super::super::super::constant::broadcast;
use super::super::super::node::{Node, Operand};
use super::super::super::view::View;
use super::super::builder::{Builder, Mode};
use super::arithmetic::turned;
use super::linear::weight;
use saligate_models::graph::{ConvAttrs, Op};

pub(super) fn mat_mul(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    if b.mode == Mode::AsWritten {
        let operands = [b.value(node, 0)?, b.value(node, 1)?];
        return Ok(Operand::Value(b.add(node, Op::MatMul, &operands)?));
    }
    let shapes = [b.shape(node, node.operand(0)?)?, b.shape(node, node.operand(1)?)?];
    if b.constant(node, 1).is_some() && shapes[1].len() == 2 {
        let [leading @ .., _] = shapes[0].as_slice() else {
            return Err(node.error("needs an operand with axes"));
        };
        return if leading.iter().all(|&size| size == 1) {
            row(b, node, &shapes[0])
        } else {
            tokens(b, node, &shapes[0], false)
        };
    }
    computed(b, node, &shapes)
}

/// One row times a constant matrix: a dense layer.
fn row(b: &mut Builder, node: &Node<'_>, shape: &[usize]) -> Result<Operand, OnnxError> {
    let [leading @ .., features] = shape else { return Err(node.error("needs a row")) };
    let weight = weight(b, node, false, 1.0)?;
    let row = b.reshaped(node, node.operand(0)?, vec![1, *features])?;
    let row = b.value_of(node, &row)?;
    let made = Operand::Value(b.add(node, Op::Gemm { transposed: false }, &[row, weight])?);
    let out = b.graph.shape(weight)[0];
    if leading.len() == 1 {
        return Ok(made);
    }
    b.reshaped(node, &made, [leading, &[out]].concat())
}

/// Many rows times a constant matrix `[in, out]`, or `[out, in]` where `outer`: a convolution of one tap over
/// a map whose channels are the columns.
pub(super) fn tokens(
    b: &mut Builder,
    node: &Node<'_>,
    shape: &[usize],
    outer: bool,
) -> Result<Operand, OnnxError> {
    let [leading @ .., features] = shape else { return Err(node.error("needs rows")) };
    let count: usize = leading.iter().product();
    let sides = match leading {
        [1, rows, columns] => [*rows, *columns],
        _ => [1, count],
    };
    let apart = b.reshaped(node, node.operand(0)?, vec![1, count, *features])?;
    let first = b.transposed(node, &apart, &[0, 2, 1])?;
    let map = b.reshaped(node, &first, vec![1, *features, sides[0], sides[1]])?;
    let x = b.value_of(node, &map.named(&format!("{}/rows", node.output())))?;
    let Some((name, constant, data)) = b.constant(node, 1) else {
        return Err(node.error("needs a constant weight"));
    };
    let &[rows, columns] = constant.shape.as_slice() else {
        return Err(node.error("needs a weight with two axes"));
    };
    let turned_weight =
        || (0..columns * rows).map(|i| data[i % rows * columns + i / rows]).collect();
    let (columns, weight) = if outer {
        let own = || data.to_vec();
        (rows, b.derived(name, data, ("taps", false), &[rows, columns, 1, 1], own)?)
    } else {
        let how = ("taps", false);
        (columns, b.derived(name, data, how, &[columns, rows, 1, 1], turned_weight)?)
    };
    let made = b.add(node, Op::Conv(ConvAttrs::same(0)), &[x, weight])?;
    let view = View::of(&b.graph, made).reshaped(vec![1, columns, count]).transposed(&[0, 2, 1]);
    let view = view.ok_or_else(|| node.error("cannot be read in this layout"))?;
    let view = view.named(&turned(node));
    Ok(Operand::View(view.reshaped([leading, &[columns]].concat())))
}

/// Matrices that are both computed, or one of which is a constant, for every entry of the axes in front.
fn computed(
    b: &mut Builder,
    node: &Node<'_>,
    shapes: &[Vec<usize>; 2],
) -> Result<Operand, OnnxError> {
    let [(front, x), (behind, y)] = match shapes {
        [x, y] if x.len() >= 2 && y.len() >= 2 => {
            [x.split_at(x.len() - 2), y.split_at(y.len() - 2)]
        }
        _ => return Err(node.error(format!("multiplies {shapes:?}, which is not supported"))),
    };
    let wide = broadcast(front, behind);
    let wide = wide.ok_or_else(|| node.error(format!("cannot multiply {shapes:?}")))?;
    let [own, others, count] = [front, behind, &wide].map(|s| s.iter().product::<usize>());
    if [own, others].iter().any(|&entries| entries != 1 && entries != count) {
        return Err(node.error(format!("repeats parts of {shapes:?}, which is not supported")));
    }
    let left = b.reshaped(node, node.operand(0)?, vec![1, own, x[0], x[1]])?;
    let right = b.reshaped(node, node.operand(1)?, vec![1, others, y[0], y[1]])?;
    let operands = [b.value_of(node, &left)?, b.value_of(node, &right)?];
    let made = Operand::Value(b.add(node, Op::MatMul, &operands)?);
    b.reshaped(node, &made, [&wide[..], &[x[0], y[1]]].concat())
}

/// Sums of products over the letters that the result does not have: as a product of matrices.
pub(super) fn einsum(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let text = node.text("equation").unwrap_or_default();
    let text: String = text.iter().map(|&c| char::from(c)).filter(|c| !c.is_whitespace()).collect();
    let bad = || node.error(format!("has the equation '{text}', which is not supported"));
    let (sides, result) = text.split_once("->").ok_or_else(bad)?;
    let (left, right) = sides.split_once(',').ok_or_else(bad)?;
    let letters = |side: &str| -> Result<Vec<char>, OnnxError> {
        let letters: Vec<char> = side.chars().collect();
        let once = (1..letters.len()).all(|i| !letters[..i].contains(&letters[i]));
        let plain = letters.iter().all(char::is_ascii_alphabetic);
        if once && plain { Ok(letters) } else { Err(bad()) }
    };
    let (x, y, z) = (letters(left)?, letters(right)?, letters(result)?);
    let pick = |from: &[char], keep: &dyn Fn(char) -> bool| -> Vec<char> {
        from.iter().copied().filter(|&c| keep(c)).collect()
    };
    let shared = pick(&x, &|c| y.contains(&c) && z.contains(&c));
    let summed = pick(&x, &|c| y.contains(&c) && !z.contains(&c));
    let rows = pick(&x, &|c| !y.contains(&c) && z.contains(&c));
    let columns = pick(&y, &|c| !x.contains(&c) && z.contains(&c));
    let count = |letters: &[char]| shared.len() + summed.len() + letters.len();
    if count(&rows) != x.len()
        || count(&columns) != y.len()
        || z.len() + summed.len() != count(&rows) + columns.len()
    {
        return Err(bad());
    }
    let shapes = [b.shape(node, node.operand(0)?)?, b.shape(node, node.operand(1)?)?];
    if [x.len(), y.len()] != [shapes[0].len(), shapes[1].len()] {
        return Err(bad());
    }
    let length = |c: char| {
        let own = x.iter().position(|&l| l == c).map(|at| shapes[0][at]);
        own.or_else(|| y.iter().position(|&l| l == c).map(|at| shapes[1][at])).unwrap_or(1)
    };
    let size = |letters: &[char]| letters.iter().map(|&c| length(c)).product::<usize>();
    let mut side = |at: usize, own: &[char], wanted: [&[char]; 3]| {
        let all: Vec<char> = wanted.concat();
        let order: Vec<usize> =
            all.iter().filter_map(|c| own.iter().position(|l| l == c)).collect();
        let turned = b.transposed(node, node.operand(at)?, &order)?;
        let shape = [&[1][..], &wanted.map(size)].concat();
        let matrix = b.reshaped(node, &turned, shape)?;
        b.value_of(node, &matrix)
    };
    let operands =
        [side(0, &x, [&shared, &rows, &summed])?, side(1, &y, [&shared, &summed, &columns])?];
    let made = Operand::Value(b.add(node, Op::MatMul, &operands)?);
    let all: Vec<char> = [&shared[..], &rows, &columns].concat();
    let made = b.reshaped(node, &made, all.iter().map(|&c| length(c)).collect())?;
    let order: Vec<usize> = z.iter().filter_map(|c| all.iter().position(|l| l == c)).collect();
    b.transposed(node, &made, &order)
}
