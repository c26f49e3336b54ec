//! Several operations on single elements, one after another, while these are in the cache.

use crate::buffer::Buffer;
use crate::crew::Crew;
use crate::dispatch::{Kernel, run_on};
use crate::elementary::{erf_of, exp_of, sigmoid_of};
use crate::isa::Isa;
use crate::simd::Simd;

/// Elements that are worked on at once: with some intermediate values, less than the nearest cache.
const TILE: usize = 512;
/// Elements that one part of the work takes.
const PART: usize = 16 * TILE;

/// One operation. Values are numbered: the operands of the chain, then the result of each link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Link {
    /// `factor x + shift`.
    Affine(usize, f32, f32),
    /// x within bounds; what is no number stays so.
    Bounded(usize, [f32; 2]),
    /// `e^x`.
    Exp(usize),
    /// The error function.
    Erf(usize),
    /// `1 / (1 + e^(-steepness x))`.
    Sigmoid(usize, f32),
    /// `x / (1 + e^(-x))`.
    Silu(usize),
    /// `1 / x`.
    Reciprocal(usize),
    /// `x + y`.
    Add(usize, usize),
    /// `x - y`.
    Sub(usize, usize),
    /// `x y`.
    Mul(usize, usize),
}

impl Link {
    /// The values that it reads, the first one twice where there is one.
    pub fn operands(&self) -> [usize; 2] {
        match *self {
            Self::Affine(x, ..)
            | Self::Bounded(x, _)
            | Self::Exp(x)
            | Self::Erf(x)
            | Self::Sigmoid(x, _)
            | Self::Silu(x)
            | Self::Reciprocal(x) => [x, x],
            Self::Add(x, y) | Self::Sub(x, y) | Self::Mul(x, y) => [x, y],
        }
    }

    /// The same with other numbers for what it reads.
    pub fn renumbered(self, of: impl Fn(usize) -> usize) -> Self {
        match self {
            Self::Affine(x, factor, shift) => Self::Affine(of(x), factor, shift),
            Self::Bounded(x, bounds) => Self::Bounded(of(x), bounds),
            Self::Exp(x) => Self::Exp(of(x)),
            Self::Erf(x) => Self::Erf(of(x)),
            Self::Sigmoid(x, steepness) => Self::Sigmoid(of(x), steepness),
            Self::Silu(x) => Self::Silu(of(x)),
            Self::Reciprocal(x) => Self::Reciprocal(of(x)),
            Self::Add(x, y) => Self::Add(of(x), of(y)),
            Self::Sub(x, y) => Self::Sub(of(x), of(y)),
            Self::Mul(x, y) => Self::Mul(of(x), of(y)),
        }
    }
}

/// Computes the last link for every element of operands of one length.
///
/// # Panics
/// A length differs, there is no link, or one reads what does not come before it.
pub fn chain(isa: Isa, crew: &Crew, operands: &[&[f32]], links: &[Link], out: &mut [f32]) {
    assert!(operands.iter().all(|operand| operand.len() == out.len()), "length");
    assert!(!links.is_empty(), "no link");
    for (position, link) in links.iter().enumerate() {
        let known = operands.len() + position;
        assert!(link.operands().iter().all(|&value| value < known), "a value before its link");
    }
    crew.run_on_parts(out.len() * links.len(), out, PART, &|part, out| {
        run_on(isa, isa.lanes(), Part { start: part * PART, operands, links, out });
    });
}

struct Part<'a> {
    start: usize,
    operands: &'a [&'a [f32]],
    links: &'a [Link],
    out: &'a mut [f32],
}

impl Kernel for Part<'_> {
    /// Plain loops, which the compiler makes ones over registers of these instructions.
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { start, operands, links, out } = self;
        let mut scratch = Buffer::zeros((links.len() - 1) * TILE);
        for (number, out) in out.chunks_mut(TILE).enumerate() {
            let (at, length) = (start + number * TILE, out.len());
            for (position, link) in links.iter().enumerate() {
                let (before, rest) = scratch.split_at_mut(position * TILE);
                let read = |value: usize| match value.checked_sub(operands.len()) {
                    None => &operands[value][at..at + length],
                    Some(made) => &before[made * TILE..][..length],
                };
                let to = if position + 1 == links.len() { &mut *out } else { &mut rest[..length] };
                match *link {
                    Link::Affine(x, factor, shift) => map(to, read(x), |x| x * factor + shift),
                    Link::Bounded(x, [low, high]) => map(to, read(x), |x| {
                        let x = if low > x { low } else { x };
                        if x > high { high } else { x }
                    }),
                    Link::Exp(x) => map(to, read(x), exp_of),
                    Link::Erf(x) => map(to, read(x), erf_of),
                    Link::Sigmoid(x, steepness) => {
                        map(to, read(x), |x| sigmoid_of(steepness * x));
                    }
                    Link::Silu(x) => map(to, read(x), |x| x * sigmoid_of(x)),
                    Link::Reciprocal(x) => map(to, read(x), f32::recip),
                    Link::Add(x, y) => zip(to, read(x), read(y), |x, y| x + y),
                    Link::Sub(x, y) => zip(to, read(x), read(y), |x, y| x - y),
                    Link::Mul(x, y) => zip(to, read(x), read(y), |x, y| x * y),
                }
            }
        }
    }
}

#[inline(always)]
fn map(to: &mut [f32], x: &[f32], f: impl Fn(f32) -> f32) {
    to.iter_mut().zip(x).for_each(|(to, &x)| *to = f(x));
}

#[inline(always)]
fn zip(to: &mut [f32], x: &[f32], y: &[f32], f: impl Fn(f32, f32) -> f32) {
    to.iter_mut().zip(x.iter().zip(y)).for_each(|(to, (&x, &y))| *to = f(x, y));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// GELU with its gradient, of more elements than a part takes.
    #[test]
    fn links_are_computed_one_after_another() {
        let crew = Crew::new(2).unwrap();
        let count = 2 * PART + TILE + 3;
        let x: Vec<f32> = (0..count).map(|i| (i % 997) as f32 / 100.0 - 5.0).collect();
        let g: Vec<f32> = (0..count).map(|i| (i % 31) as f32 - 15.0).collect();
        let root = std::f32::consts::FRAC_1_SQRT_2;
        let links = [
            Link::Affine(0, root, 0.0),
            Link::Erf(2),
            Link::Affine(3, 0.5, 0.5),
            Link::Mul(0, 4),
            Link::Bounded(5, [-0.1, 3.0]),
            Link::Sub(6, 1),
        ];
        for isa in Isa::available() {
            let mut out = vec![f32::NAN; count];
            chain(isa, &crew, &[&x, &g], &links, &mut out);
            let mut wanted: Vec<f32> = x.iter().map(|x| x * root + 0.0).collect();
            crate::elementary::erf(isa, &mut wanted);
            for ((wanted, x), g) in wanted.iter_mut().zip(&x).zip(&g) {
                *wanted = (x * (*wanted * 0.5 + 0.5)).clamp(-0.1, 3.0) - g;
            }
            assert_eq!(out, wanted, "{isa}");
        }
    }

    #[test]
    #[should_panic(expected = "a value before its link")]
    fn no_link_reads_a_later_one() {
        let x = [1.0; 4];
        chain(Isa::best(), &Crew::single(), &[&x], &[Link::Exp(1)], &mut [0.0; 4]);
    }
}
