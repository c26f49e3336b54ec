//! Two-coloured patterns for objects and grounds.

use super::colour::{Colour, mix, with_luma};
use super::figure::Point;
use super::random::Random;

/// A pattern over the plane in two colours.
pub(super) struct Texture {
    pattern: Pattern,
    /// Unit vector across the pattern.
    direction: Point,
    /// Length of one repetition, in pixels.
    period: f32,
    /// Offset along and across the direction, in periods.
    phase: [f32; 2],
    colours: [Colour; 2],
}

enum Pattern {
    Gradient,
    Stripes,
    Checks,
    Dots,
    Clouds(u32),
    Blobs(u32),
}

impl Texture {
    /// Draws a texture for images of `size` pixels a side, whose colours have lumas in `dark..=bright`, apart from each other.
    pub(super) fn draw(size: usize, [dark, bright]: [f32; 2], random: &mut Random) -> Self {
        let size = size as f32;
        let (pattern, period) = match random.below(6) {
            0 => (Pattern::Gradient, random.between(0.5, 1.5)),
            1 => (Pattern::Stripes, random.between(0.1, 0.25)),
            2 => (Pattern::Checks, random.between(0.15, 0.3)),
            3 => (Pattern::Dots, random.between(0.12, 0.22)),
            4 => (Pattern::Clouds(random.bits()), random.between(0.1, 0.3)),
            _ => (Pattern::Blobs(random.bits()), random.between(0.12, 0.3)),
        };
        let direction = random.direction();
        let phase = [0; 2].map(|_| random.between(0.0, 1.0));
        let third = (bright - dark) / 3.0;
        let lower = with_luma(random.between(dark, dark + third), random);
        let upper = with_luma(random.between(bright - third, bright), random);
        let colours = if random.below(2) == 0 { [lower, upper] } else { [upper, lower] };
        Self { pattern, direction, period: period * size, phase, colours }
    }

    /// The colour at a point, in pixels.
    pub(super) fn colour(&self, [x, y]: Point) -> Colour {
        let [cos, sin] = self.direction;
        let u = (cos * x + sin * y) / self.period + self.phase[0];
        let v = (cos * y - sin * x) / self.period + self.phase[1];
        let share = match self.pattern {
            Pattern::Gradient => triangle_wave(u),
            Pattern::Stripes => sharpen(triangle_wave(u)),
            Pattern::Checks => {
                let [a, b] = [u, v].map(|along| 2.0 * sharpen(triangle_wave(along)) - 1.0);
                0.5 + 0.5 * a * b
            }
            Pattern::Dots => {
                let [a, b] = [u, v].map(|along| along - along.floor() - 0.5);
                sharpen(0.85 - (a * a + b * b).sqrt())
            }
            Pattern::Clouds(key) => {
                0.65 * lattice_noise(u, v, key) + 0.35 * lattice_noise(2.0 * u, 2.0 * v, !key)
            }
            Pattern::Blobs(key) => sharpen(lattice_noise(u, v, key)),
        };
        mix(self.colours[0], self.colours[1], share)
    }
}

/// Rises from 0 to 1 and falls back within one unit.
fn triangle_wave(along: f32) -> f32 {
    1.0 - (2.0 * (along - along.floor()) - 1.0).abs()
}

/// Pushes shares towards 0 and 1, leaving a narrow ramp between.
fn sharpen(share: f32) -> f32 {
    (0.5 + 5.0 * (share - 0.5)).clamp(0.0, 1.0)
}

/// Value noise in `0..=1`: random values at whole numbers, smoothly blended between.
fn lattice_noise(u: f32, v: f32, key: u32) -> f32 {
    let (left, top) = (u.floor(), v.floor());
    let [right_share, lower_share] = [u - left, v - top].map(|t| t * t * (3.0 - 2.0 * t));
    let value = |du: i32, dv: i32| lattice_value(left as i32 + du, top as i32 + dv, key);
    let blend = |first: f32, second: f32, share: f32| first + share * (second - first);
    let upper = blend(value(0, 0), value(1, 0), right_share);
    let lower = blend(value(0, 1), value(1, 1), right_share);
    blend(upper, lower, lower_share)
}

/// A value in `0..=1` from an integer hash of the place (the finalizer of MurmurHash3).
fn lattice_value(x: i32, y: i32, key: u32) -> f32 {
    let mut hash =
        key ^ (x as u32).wrapping_mul(0x9e37_79b1) ^ (y as u32).wrapping_mul(0x85eb_ca77);
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^= hash >> 16;
    (hash >> 8) as f32 / 0x00ff_ffff as f32
}

#[cfg(test)]
mod tests {
    use super::super::{Split, colour};
    use super::*;

    #[test]
    fn lumas_keep_to_their_band() {
        for index in 0..200 {
            let texture = Texture::draw(32, [0.6, 0.9], &mut Random::new(5, Split::Train, index));
            for pixel in 0..32 * 32 {
                let luma = colour::luma(texture.colour([(pixel % 32) as f32, (pixel / 32) as f32]));
                assert!((0.599..=0.901).contains(&luma), "texture {index}: {luma}");
            }
        }
    }

    #[test]
    fn noise_agrees_where_cells_meet() {
        for step in -3..3 {
            let (below, at) =
                (lattice_noise(step as f32 - 1e-4, 0.3, 9), lattice_noise(step as f32, 0.3, 9));
            assert!((below - at).abs() < 1e-3);
        }
    }
}
