//! Small lines and specks that lie on the ground and are no object.

use super::colour::{Colour, mix, with_luma};
use super::figure::{Point, segment_distance};
use super::random::Random;

const MAX_STROKES: u32 = 5;

/// A line with round ends; a speck is a very short one.
struct Stroke {
    start: Point,
    end: Point,
    half_width: f32,
    colour: Colour,
}

/// The strokes of one scene, in the order in which they cover each other.
pub(super) struct Clutter(Vec<Stroke>);

impl Clutter {
    /// Draws up to five lines and as many specks for images of `size` pixels a side.
    pub(super) fn draw(size: usize, random: &mut Random) -> Self {
        let mut strokes = Vec::new();
        for (shortest, longest) in [(0.15, 0.4), (0.01, 0.02)] {
            for _ in 0..random.below(MAX_STROKES + 1) {
                strokes.push(Stroke::draw(size as f32, shortest, longest, random));
            }
        }
        Self(strokes)
    }

    /// Lays the strokes over the ground's colour at a point, in pixels.
    pub(super) fn over(&self, ground: Colour, point: Point) -> Colour {
        self.0.iter().fold(ground, |below, stroke| {
            let distance = segment_distance(stroke.start, stroke.end, point) - stroke.half_width;
            mix(below, stroke.colour, (0.5 - distance).clamp(0.0, 1.0))
        })
    }
}

impl Stroke {
    /// Lengths are shares of the image's side.
    fn draw(size: f32, shortest: f32, longest: f32, random: &mut Random) -> Self {
        let start = [0; 2].map(|_| random.between(0.0, size));
        let length = random.between(shortest, longest) * size;
        let [cos, sin] = random.direction();
        let half_width = random.between(0.015, 0.03) * size;
        let level = random.between(0.05, 0.95);
        let end = [start[0] + length * cos, start[1] + length * sin];
        Self { start, end, half_width, colour: with_luma(level, random) }
    }
}
