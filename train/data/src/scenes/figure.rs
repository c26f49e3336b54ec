//! The ten outlines that are the classes, as signed distances.
//!
//! A figure is given about its centre, y pointing down, in the unit disc. Its signed distance is negative inside. No figure
//! coincides with another one under the tilts that scenes use (30 degrees either way).

use std::f32::consts::{FRAC_1_SQRT_2, PI};

/// A point, `[x, y]`.
pub(super) type Point = [f32; 2];

/// One class of objects.
pub(super) struct Figure {
    /// Name of the class.
    pub(super) name: &'static str,
    /// Area, where that of the unit disc is pi.
    pub(super) area: f32,
    outline: Outline,
}

enum Outline {
    Polygon(&'static [Point]),
    Curved(fn(Point) -> f32),
}

/// All figures, in the order of the labels.
pub(super) const FIGURES: [Figure; 10] = [
    curved("disc", PI, disc),
    curved("ring", 2.1913, ring),
    polygon("square", 2.0, &SQUARE),
    polygon("triangle", 1.299, &TRIANGLE),
    polygon("cross", 1.9296, &CROSS),
    polygon("star", 1.2343, &STAR),
    curved("crescent", 1.4748, crescent),
    curved("heart", 1.9554, heart),
    polygon("arrow", 1.221, &ARROW),
    polygon("hourglass", 1.136, &HOURGLASS),
];

impl Figure {
    /// Signed distance of a point to the outline, in units of the figure's radius.
    pub(super) fn distance(&self, point: Point) -> f32 {
        match self.outline {
            Outline::Polygon(corners) => polygon_distance(corners, point),
            Outline::Curved(distance) => distance(point),
        }
    }
}

/// Distance of a point to the line from `start` to `end`.
pub(super) fn segment_distance(start: Point, end: Point, [x, y]: Point) -> f32 {
    let [along_x, along_y] = [end[0] - start[0], end[1] - start[1]];
    let [from_x, from_y] = [x - start[0], y - start[1]];
    let length_squared = along_x * along_x + along_y * along_y;
    let share = ((from_x * along_x + from_y * along_y) / length_squared).clamp(0.0, 1.0);
    length([from_x - share * along_x, from_y - share * along_y])
}

const SQUARE: [Point; 4] = [
    [-FRAC_1_SQRT_2, -FRAC_1_SQRT_2],
    [FRAC_1_SQRT_2, -FRAC_1_SQRT_2],
    [FRAC_1_SQRT_2, FRAC_1_SQRT_2],
    [-FRAC_1_SQRT_2, FRAC_1_SQRT_2],
];

const TRIANGLE: [Point; 3] = [[0.0, -1.0], [0.866, 0.5], [-0.866, 0.5]];

const CROSS: [Point; 12] = [
    [-0.3, -0.954],
    [0.3, -0.954],
    [0.3, -0.3],
    [0.954, -0.3],
    [0.954, 0.3],
    [0.3, 0.3],
    [0.3, 0.954],
    [-0.3, 0.954],
    [-0.3, 0.3],
    [-0.954, 0.3],
    [-0.954, -0.3],
    [-0.3, -0.3],
];

/// Five points on the unit circle, and the notches between them at radius 0.42.
const STAR: [Point; 10] = [
    [0.0, -1.0],
    [0.2469, -0.3398],
    [0.9511, -0.309],
    [0.3994, 0.1298],
    [0.5878, 0.809],
    [0.0, 0.42],
    [-0.5878, 0.809],
    [-0.3994, 0.1298],
    [-0.9511, -0.309],
    [-0.2469, -0.3398],
];

const ARROW: [Point; 7] = [
    [0.0, -1.0],
    [0.75, -0.1],
    [0.26, -0.1],
    [0.26, 0.95],
    [-0.26, 0.95],
    [-0.26, -0.1],
    [-0.75, -0.1],
];

const HOURGLASS: [Point; 6] =
    [[-0.7, -0.71], [0.7, -0.71], [0.1, 0.0], [0.7, 0.71], [-0.7, 0.71], [-0.1, 0.0]];

const fn curved(name: &'static str, area: f32, distance: fn(Point) -> f32) -> Figure {
    Figure { name, area, outline: Outline::Curved(distance) }
}

const fn polygon(name: &'static str, area: f32, corners: &'static [Point]) -> Figure {
    Figure { name, area, outline: Outline::Polygon(corners) }
}

fn disc(point: Point) -> f32 {
    length(point) - 1.0
}

fn ring(point: Point) -> f32 {
    // Middle of the band, and half its width.
    (length(point) - 0.775).abs() - 0.225
}

/// The unit disc without a smaller one to its right.
fn crescent([x, y]: Point) -> f32 {
    let bite = length([x - 0.5, y]) - 0.82;
    disc([x, y]).max(-bite)
}

/// A square on its corner, with a disc on each upper side.
fn heart([x, y]: Point) -> f32 {
    const HALF_DIAGONAL: f32 = 0.74;
    /// Brings the middle of the bounding disc to the origin.
    const LIFT: f32 = 0.077;
    const HALF_SIDE: f32 = 0.5233;
    let (x, y) = (x.abs(), y - LIFT);
    let corner =
        [[0.0, -HALF_DIAGONAL], [HALF_DIAGONAL, 0.0], [0.0, HALF_DIAGONAL], [-HALF_DIAGONAL, 0.0]];
    let lobe = length([x - HALF_DIAGONAL / 2.0, y + HALF_DIAGONAL / 2.0]) - HALF_SIDE;
    lobe.min(polygon_distance(&corner, [x, y]))
}

fn polygon_distance(corners: &[Point], point: Point) -> f32 {
    let mut nearest = f32::INFINITY;
    let mut inside = false;
    let sides = corners.iter().zip(corners.iter().cycle().skip(1));
    for (&start, &end) in sides {
        nearest = nearest.min(segment_distance(start, end, point));
        // Even-odd rule: count the sides that a ray towards greater x crosses.
        if (start[1] > point[1]) != (end[1] > point[1]) {
            let share = (point[1] - start[1]) / (end[1] - start[1]);
            inside ^= point[0] < start[0] + share * (end[0] - start[0]);
        }
    }
    if inside { -nearest } else { nearest }
}

fn length([x, y]: Point) -> f32 {
    (x * x + y * y).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> impl Iterator<Item = Point> {
        (0..400 * 400)
            .map(|i| [i % 400, i / 400].map(|step| (step as f32 + 0.5) / 190.0 - 400.0 / 380.0))
    }

    #[test]
    fn areas_are_those_of_the_outlines() {
        for figure in &FIGURES {
            let cells = grid().filter(|&point| figure.distance(point) < 0.0).count();
            let area = cells as f32 / (190.0 * 190.0);
            assert!((area - figure.area).abs() < 0.02, "{}: {area}", figure.name);
        }
    }

    #[test]
    fn figures_reach_the_unit_circle_and_not_beyond() {
        for figure in &FIGURES {
            let inside = grid().filter(|&point| figure.distance(point) < 0.0);
            let reach = inside.map(length).fold(0.0, f32::max);
            assert!((0.98..=1.005).contains(&reach), "{}: {reach}", figure.name);
        }
    }

    #[test]
    fn polygon_distances_are_known_on_paper() {
        let square = &FIGURES[2];
        assert_eq!(square.name, "square");
        for (point, distance) in [
            ([0.0, 0.0], -FRAC_1_SQRT_2),
            ([1.7071, 0.0], 1.0),
            ([0.5, 0.0], -0.2071),
            ([3.7071, 4.7071], 5.0),
        ] {
            assert!((square.distance(point) - distance).abs() < 1e-4, "{point:?}");
        }
    }
}
