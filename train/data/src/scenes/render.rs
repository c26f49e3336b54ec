//! One scene: ground, clutter, object, noise, in this order.

use super::clutter::Clutter;
use super::colour::mix;
use super::figure::{Figure, Point};
use super::random::Random;
use super::texture::Texture;

/// Least difference in luma between object and ground, clutter and noise aside.
const MIN_CONTRAST: f32 = 0.2;
/// Share of the image that the object covers, where its reach allows.
const COVER: [f32; 2] = [0.1, 0.3];
/// Largest reach of an object from its centre, as a share of the side: leaves a pixel to the border of the smallest images.
const MAX_REACH: f32 = 0.43;
/// Tangent of half the largest tilt, 30 degrees.
const MAX_HALF_TILT: f32 = 0.267_949;
/// Most levels of 255 by which noise moves a channel.
const MAX_NOISE: u32 = 8;

/// Draws a scene of `size` by `size` pixels with the figure as its object.
///
/// `image` is `[channel, row, column]` with red, green and blue; `mask` is `[row, column]` and gets 1 where the object covers
/// half the pixel or more.
pub(super) fn scene(
    figure: &Figure,
    size: usize,
    random: &mut Random,
    image: &mut [u8],
    mask: &mut [u8],
) {
    let [ground_lumas, object_lumas] = draw_lumas(random);
    let ground = Texture::draw(size, ground_lumas, random);
    let clutter = Clutter::draw(size, random);
    let surface = Texture::draw(size, object_lumas, random);
    let pose = Pose::draw(figure, size, random);
    let noise = random.below(MAX_NOISE + 1);

    for (pixel, on_object) in mask.iter_mut().enumerate() {
        let point = [pixel % size, pixel / size].map(|position| position as f32 + 0.5);
        let cover = pose.cover(figure, point);
        *on_object = u8::from(cover >= 0.5);
        let behind = clutter.over(ground.colour(point), point);
        let colour = mix(behind, surface.colour(point), cover);
        for (channel, value) in colour.into_iter().enumerate() {
            let level = (255.0 * value + 0.5) as i32;
            let offset = random.below(2 * noise + 1) as i32 - noise as i32;
            image[channel * size * size + pixel] = (level + offset).clamp(0, 255) as u8;
        }
    }
}

/// Two bands of luma, for ground and object, at least [`MIN_CONTRAST`] apart; either may be the brighter one.
fn draw_lumas(random: &mut Random) -> [[f32; 2]; 2] {
    let middle = random.between(0.4, 0.6);
    let dark = [0.05, middle - MIN_CONTRAST / 2.0];
    let bright = [middle + MIN_CONTRAST / 2.0, 0.95];
    if random.below(2) == 0 { [dark, bright] } else { [bright, dark] }
}

/// Where the object is, how large and how tilted.
struct Pose {
    centre: Point,
    /// Pixels per unit of the figure.
    radius: f32,
    cos: f32,
    sin: f32,
}

impl Pose {
    /// The object lies inside the image, at least one pixel from its border.
    fn draw(figure: &Figure, size: usize, random: &mut Random) -> Self {
        let size = size as f32;
        let share = random.between(COVER[0], COVER[1]);
        let radius = (size * (share / figure.area).sqrt()).min(MAX_REACH * size);
        let margin = radius + 1.0;
        let centre = [0; 2].map(|_| random.between(margin, size - margin));
        // Sine and cosine by the tangent of the half angle: rational, hence the same on every platform.
        let half = random.between(-MAX_HALF_TILT, MAX_HALF_TILT);
        let scale = 1.0 + half * half;
        Self { centre, radius, cos: (1.0 - half * half) / scale, sin: 2.0 * half / scale }
    }

    /// The share of the pixel about `point` that the object covers, in `0..=1`.
    fn cover(&self, figure: &Figure, point: Point) -> f32 {
        let [x, y] = [0, 1].map(|axis| (point[axis] - self.centre[axis]) / self.radius);
        let upright = [self.cos * x + self.sin * y, self.cos * y - self.sin * x];
        (0.5 - self.radius * figure.distance(upright)).clamp(0.0, 1.0)
    }
}
