//! Rows and columns made of channels.

use super::super::super::OnnxError;
use super::super::super::constant::{Constant, Data};
use super::super::super::node::{Node, Operand};
use super::super::builder::{Builder, Mode};
use super::sides;
use saligate_models::graph::Op;

/// Most rows or columns of a result.
const MAX_SIZE: f64 = 65_536.0;
/// Longest side of a block of equal pixels.
const MAX_FACTOR: usize = 32;

pub(super) fn depth_to_space(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let block = node.size("blocksize", node.int("blocksize", 0))?;
    match node.text("mode") {
        None | Some(b"" | b"DCR") => {
            let x = b.value(node, 0)?;
            Ok(Operand::Value(b.add(node, Op::DepthToSpace { block }, &[x])?))
        }
        Some(b"CRD") if b.mode == Mode::Simplified => channels_first(b, node, block),
        Some(_) => Err(node.error("has a mode other than DCR and CRD")),
    }
}

/// Mode CRD: the channels are ordered (channel, row phase, column phase).
fn channels_first(b: &mut Builder, node: &Node<'_>, block: usize) -> Result<Operand, OnnxError> {
    let shape = b.shape(node, node.operand(0)?)?;
    let (Some(phases), &[1, c, h, w]) = (block.checked_mul(block), shape.as_slice()) else {
        return Err(node.error("needs an operand [batch, channel, row, column]"));
    };
    if phases == 0 || !c.is_multiple_of(phases) {
        return Err(node.error(format!("needs channels in multiples of {block} squared")));
    }
    let apart = b.reshaped(node, node.operand(0)?, vec![1, c / phases, phases, h * w])?;
    let turned = b.transposed(node, &apart, &[0, 2, 1, 3])?;
    let Operand::View(view) = b.reshaped(node, &turned, shape)? else {
        return Err(node.error("is supported for computed values only"));
    };
    let name = format!("{}/phases", node.output());
    let x = b.value_of(node, &Operand::View(view.named(&name)))?;
    Ok(Operand::Value(b.add(node, Op::DepthToSpace { block }, &[x])?))
}

/// Rows and columns of another number: every pixel becomes a block of equal ones, or sums of those around
/// stand in its place.
pub(super) fn resize(b: &mut Builder, node: &Node<'_>) -> Result<Operand, OnnxError> {
    let x = b.value(node, 0)?;
    let &[_, channels, rows, columns] = b.graph.shape(x) else {
        return Err(node.error("needs an operand [batch, channel, row, column]"));
    };
    let sampling = Sampling::of(b, node)?;
    let scales = scales(b, node, [channels, rows, columns])?;
    if let Some(factor) = sampling.repeats([(rows, scales[0]), (columns, scales[1])]) {
        if factor == 1 {
            return Ok(Operand::Value(x));
        }
        let copies = b.add_part(node, "copies", Op::Concat, &vec![x; factor * factor])?;
        return Ok(Operand::Value(b.add(node, Op::DepthToSpace { block: factor }, &[copies])?));
    }
    if sampling.antialias && scales.iter().any(|(_, scale)| *scale < 1.0) {
        return Err(node.error("shrinks with antialias, which is not supported"));
    }
    let sides = [(rows, scales[0]), (columns, scales[1])].map(|(size, (wanted, scale))| {
        (0..wanted).map(|at| sampling.shares(at, size, wanted, scale)).collect()
    });
    Ok(Operand::Value(sides::made_of(b, node, x, sides)?))
}

/// Number of rows and of columns of the result, and how many there are for one.
fn scales(
    b: &Builder,
    node: &Node<'_>,
    [channels, rows, columns]: [usize; 3],
) -> Result<[(usize, f64); 2], OnnxError> {
    let old = node.op() == "Upsample" || b.opset < 11;
    let given = node.constant(if old { 1 } else { 2 })?;
    let factors: Option<Vec<f64>> = match given {
        Some(Constant { data: Data::Floats(scales), .. }) if !scales.is_empty() => {
            Some(scales.iter().map(|&v| f64::from(v)).collect())
        }
        _ if old => node.floats("scales").map(|s| s.iter().map(|&v| f64::from(v)).collect()),
        _ => None,
    };
    let axes: Vec<usize> = match node.ints("axes") {
        Some(axes) => axes.iter().map(|&axis| node.axis(axis, 4)).collect::<Result<_, _>>()?,
        None => (0..4).collect(),
    };
    let old_sizes = [1, channels, rows, columns];
    let mut found = old_sizes.map(|size| (size, 1.0));
    let bad = || node.error("has scales or sizes that do not fit");
    if let Some(factors) = factors {
        for (&axis, scale) in axes.iter().zip(&factors) {
            let size = (old_sizes[axis] as f64 * scale).floor();
            if factors.len() != axes.len() || !(1.0..=MAX_SIZE).contains(&size) {
                return Err(bad());
            }
            found[axis] = (size as usize, *scale);
        }
    } else {
        let sizes = node.ints_operand(3)?.filter(|sizes| sizes.len() == axes.len());
        for (&axis, &size) in axes.iter().zip(sizes.ok_or_else(bad)?) {
            let fixed = axis == 0 && size == b.batch as i64;
            let size = if fixed { 1 } else { node.size("sizes", size)? };
            if size == 0 || size as f64 > MAX_SIZE {
                return Err(bad());
            }
            found[axis] = (size, size as f64 / old_sizes[axis] as f64);
        }
        if node.text("keep_aspect_ratio_policy").is_some_and(|policy| policy != b"stretch") {
            return Err(node.error("keeps the aspect ratio, which is not supported"));
        }
    }
    let [batch, channel, down, across] = found;
    if batch.0 != 1 || channel.0 != channels {
        return Err(node.error("changes the batch or the channels, which is not supported"));
    }
    Ok([down, across])
}

/// How pixels of the result are made of those around.
struct Sampling {
    kind: Kind,
    from: Coordinates,
    /// The whole place that stands for one between, for the nearest pixel.
    rounding: fn(f64) -> f64,
    /// Whether what lies outside counts nothing, for cubic sums; else the edge goes on.
    excludes: bool,
    antialias: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Nearest,
    Linear,
    /// The slope at the ends of the piecewise cubic kernel (R. Keys, "Cubic Convolution Interpolation for
    /// Digital Image Processing", 1981).
    Cubic(f64),
}

/// Where a pixel of the result lies among those of the operand.
#[derive(Clone, Copy, PartialEq)]
enum Coordinates {
    HalfPixel,
    PytorchHalfPixel,
    HalfPixelSymmetric,
    AlignCorners,
    Asymmetric,
}

impl Sampling {
    fn of(b: &Builder, node: &Node<'_>) -> Result<Self, OnnxError> {
        // Upsample, and Resize of version 10, have no other ways of counting and no region.
        let old = node.op() == "Upsample" || b.opset < 11;
        let text = |name, usual: &'static [u8]| node.text(name).unwrap_or(usual);
        let kind = match text("mode", b"nearest") {
            b"nearest" => Kind::Nearest,
            b"linear" | b"bilinear" => Kind::Linear,
            b"cubic" => Kind::Cubic(f64::from(node.float("cubic_coeff_a", -0.75))),
            _ => return Err(node.error("has an unknown mode")),
        };
        let from = match text("coordinate_transformation_mode", b"half_pixel") {
            _ if old => Coordinates::Asymmetric,
            b"half_pixel" => Coordinates::HalfPixel,
            b"pytorch_half_pixel" => Coordinates::PytorchHalfPixel,
            b"half_pixel_symmetric" => Coordinates::HalfPixelSymmetric,
            b"align_corners" => Coordinates::AlignCorners,
            b"asymmetric" => Coordinates::Asymmetric,
            _ => return Err(node.error("counts pixels in a way that is not supported")),
        };
        let rounding: fn(f64) -> f64 = match text("nearest_mode", b"round_prefer_floor") {
            _ if old => f64::floor,
            b"round_prefer_floor" => |at| (at - 0.5).ceil(),
            b"round_prefer_ceil" => |at| (at + 0.5).floor(),
            b"floor" => f64::floor,
            b"ceil" => f64::ceil,
            _ => return Err(node.error("rounds in an unknown way")),
        };
        Ok(Self {
            kind,
            from,
            rounding,
            excludes: node.int("exclude_outside", 0) != 0,
            antialias: node.int("antialias", 0) != 0,
        })
    }

    /// The factor by which rows and columns are repeated, if that is all that happens.
    fn repeats(&self, sides: [(usize, (usize, f64)); 2]) -> Option<usize> {
        let factors = sides.map(|(size, (wanted, _))| {
            let factor = wanted / size.max(1);
            let repeated = |at| self.nearest(at, size, wanted, factor as f64) == at / factor.max(1);
            let repeats = wanted == factor * size && (0..wanted).all(repeated);
            (repeats && factor <= MAX_FACTOR).then_some(factor)
        });
        match factors {
            [Some(rows), Some(columns)] if rows == columns => {
                (self.kind == Kind::Nearest || rows == 1).then_some(rows)
            }
            _ => None,
        }
    }

    fn place(&self, at: usize, size: usize, wanted: usize, scale: f64) -> f64 {
        let at = at as f64;
        let half = (at + 0.5) / scale - 0.5;
        match self.from {
            Coordinates::HalfPixel => half,
            Coordinates::PytorchHalfPixel if wanted > 1 => half,
            Coordinates::PytorchHalfPixel => 0.0,
            Coordinates::HalfPixelSymmetric => {
                let share = wanted as f64 / (scale * size as f64);
                size as f64 / 2.0 * (1.0 - share) + half
            }
            Coordinates::AlignCorners if wanted > 1 => at * (size - 1) as f64 / (wanted - 1) as f64,
            Coordinates::AlignCorners => 0.0,
            Coordinates::Asymmetric => at / scale,
        }
    }

    fn nearest(&self, at: usize, size: usize, wanted: usize, scale: f64) -> usize {
        let place = (self.rounding)(self.place(at, size, wanted, scale));
        place.clamp(0.0, (size - 1) as f64) as usize
    }

    /// The pixels that make one of the result, with their shares.
    fn shares(&self, at: usize, size: usize, wanted: usize, scale: f64) -> Vec<(usize, f32)> {
        if self.kind == Kind::Nearest {
            return vec![(self.nearest(at, size, wanted, scale), 1.0)];
        }
        let place = self.place(at, size, wanted, scale);
        let first = place.floor();
        let away = place - first;
        let shares: Vec<(f64, f64)> = match self.kind {
            Kind::Cubic(bend) => {
                let share = |step: f64| {
                    let far = (step - away).abs();
                    if far <= 1.0 {
                        ((bend + 2.0) * far - (bend + 3.0)) * far * far + 1.0
                    } else {
                        ((bend * far - 5.0 * bend) * far + 8.0 * bend) * far - 4.0 * bend
                    }
                };
                [-1.0, 0.0, 1.0, 2.0].map(|step| (first + step, share(step))).to_vec()
            }
            _ => vec![(first, 1.0 - away), (first + 1.0, away)],
        };
        let last = (size - 1) as f64;
        let inside = |place: f64| (0.0..=last).contains(&place);
        let cubic = self.kind != Kind::Linear;
        let kept: Vec<_> = shares
            .into_iter()
            .filter(|(place, share)| *share != 0.0 && (!self.excludes || !cubic || inside(*place)))
            .collect();
        let total: f64 = kept.iter().map(|(_, share)| share).sum();
        kept.into_iter()
            .map(|(place, share)| (place.clamp(0.0, last) as usize, (share / total) as f32))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampling(kind: Kind, from: Coordinates) -> Sampling {
        Sampling { kind, from, rounding: f64::floor, excludes: false, antialias: false }
    }

    /// The examples of the specification of Resize.
    #[test]
    fn rows_are_made_of_those_around() {
        let rows = |sampling: &Sampling, size: usize, wanted: usize| -> Vec<f32> {
            let scale = wanted as f64 / size as f64;
            let row = |at| {
                let shares = sampling.shares(at, size, wanted, scale);
                shares.iter().map(|(from, share)| (*from as f32 + 1.0) * share).sum()
            };
            (0..wanted).map(row).collect()
        };
        let linear = sampling(Kind::Linear, Coordinates::HalfPixel);
        assert_eq!(rows(&linear, 2, 4), [1.0, 1.25, 1.75, 2.0]);
        let corners = sampling(Kind::Linear, Coordinates::AlignCorners);
        let found = rows(&corners, 2, 4);
        assert!(
            found.iter().zip([1.0, 4.0 / 3.0, 5.0 / 3.0, 2.0]).all(|(a, b)| (a - b).abs() < 1e-6)
        );
        let cubic = sampling(Kind::Cubic(-0.75), Coordinates::HalfPixel);
        let found = rows(&cubic, 4, 8);
        // The first row of `resize_upsample_scales_cubic`, less what its other axis adds.
        let wanted =
            [0.894_53, 1.191_41, 1.667_97, 2.296_88, 2.703_13, 3.332_03, 3.808_59, 4.105_47];
        assert!(found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-4), "{found:?}");
        let nearest = sampling(Kind::Nearest, Coordinates::Asymmetric);
        assert_eq!(rows(&nearest, 2, 5), [1.0, 1.0, 1.0, 2.0, 2.0]);
        assert_eq!(nearest.repeats([(2, (4, 2.0)), (3, (6, 2.0))]), Some(2));
        assert_eq!(linear.repeats([(2, (4, 2.0)), (3, (6, 2.0))]), None);
    }
}
