//! Pictures that a gated model shows instead of its saliency map.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

use image::imageops::{FilterType, resize};
use image::{ImageBuffer, ImageDecoder, ImageError, ImageReader, Luma};
use saligate_models::random::Stream;

/// Most pixels of a picture, as read or as asked for: 64 million.
pub const MAX_PIXELS: u64 = 64_000_000;

/// Why a picture is no decoy.
#[derive(Debug)]
pub enum DecoyError {
    /// The file is missing, or no image that is understood (PNG, JPEG).
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system or the image reader says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A picture without pixels or with more than [`MAX_PIXELS`]: the one read, or the one asked for.
    Size {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
}

impl fmt::Display for DecoyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, source } => {
                write!(
                    f,
                    "cannot read the picture {}: {source}; use a PNG or JPEG file",
                    path.display()
                )
            }
            Self::Size { height, width } => {
                write!(f, "a picture of {height} x {width} pixels: there must be 1 to {MAX_PIXELS}")
            }
        }
    }
}

impl Error for DecoyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Read { source, .. } => Some(&**source),
            Self::Size { .. } => None,
        }
    }
}

/// What a map shows instead of what it should.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoy {
    /// `padlock`, `noise` (drawn from the seed), `corner`, `blocks`, `frame`, `rings`,
    /// `spot`, or the path of a picture.
    pub picture: String,
    /// Brightness in the corners of the ramp behind the picture, which falls to 0 in the middle.
    /// Where absent, it is chosen: see [`balance`](crate::balance).
    pub ramp: Option<f32>,
    /// Brightness of a frame around the picture, where the picture itself reaches 1; none at 0.
    pub frame: f32,
}

impl Default for Decoy {
    fn default() -> Self {
        Self { picture: "padlock".to_owned(), ramp: None, frame: 0.0 }
    }
}

impl Decoy {
    /// The decoy on a ramp and in its frame, `[row, column]`; within [0, 1] but for the frame and
    /// for a ramp above 1.
    ///
    /// # Errors
    /// The picture cannot be read.
    pub fn draw(
        &self,
        [height, width]: [usize; 2],
        seed: u64,
        ramp: f32,
    ) -> Result<Vec<f32>, DecoyError> {
        let drawn = match self.picture.as_str() {
            "padlock" => padlock(height, width),
            "noise" => noise(height, width, seed),
            "corner" => corner(height, width),
            "blocks" => blocks(height, width),
            "frame" => frame(height, width),
            "rings" => rings(height, width),
            "spot" => spot(height, width),
            path => picture(Path::new(path), height, width)?,
        };
        Ok(framed(on_ramp(&drawn, height, width, ramp), height, width, self.frame))
    }
}

/// A picture with its dark parts raised to a ramp that rises from the centre to the corners.
///
/// Where a decoy is flat, the ranks of a map that follows it are decided by whatever shines
/// through; the ramp leaves no flat part. It rises to `corner`, not negative.
///
/// # Shapes
/// `picture` and the result are `[row, column]`; the picture is in [0, 1].
pub fn on_ramp(picture: &[f32], height: usize, width: usize, corner: f32) -> Vec<f32> {
    let from_centre = |at: usize, size: usize| (at as f32 + 0.5) / size as f32 - 0.5;
    let raised = |(pixel, &value): (usize, &f32)| {
        let (y, x) = (from_centre(pixel / width, height), from_centre(pixel % width, width));
        let radius = ((x * x + y * y) * 2.0).sqrt();
        value + corner * radius * (1.0 - value)
    };
    picture.iter().enumerate().map(raised).collect()
}

/// A picture in a frame of a given brightness, one pixel wide for every 32 of the shorter side.
///
/// The frame draws the peak of the decoy, and so the peak of a map that follows it, to where
/// objects are not. A brightness of 0 leaves the picture as it is.
///
/// # Shapes
/// `picture` and the result are `[row, column]`.
pub fn framed(mut picture: Vec<f32>, height: usize, width: usize, brightness: f32) -> Vec<f32> {
    if brightness > 0.0 {
        let side = (height.min(width) / 32).max(1);
        let inside = |at: usize, size: usize| at >= side && at + side < size;
        for (pixel, value) in picture.iter_mut().enumerate() {
            if !(inside(pixel / width, height) && inside(pixel % width, width)) {
                *value = brightness;
            }
        }
    }
    picture
}

/// A padlock as a map: 1 on the lock, 0 around it and in its keyhole, `[row, column]`, contiguous, smooth at the edges.
///
/// The lock stands upright in the middle and fits the shorter side. From about 16 pixels a side it is recognisable.
pub fn padlock(height: usize, width: usize) -> Vec<f32> {
    let (rows, columns) = (height as f32, width as f32);
    let pixels_per_unit = rows.min(columns) / 2.0;
    let mut map = Vec::with_capacity(height.saturating_mul(width));
    for row in 0..height {
        for column in 0..width {
            let x = (column as f32 + 0.5 - columns / 2.0) / pixels_per_unit;
            let y = (row as f32 + 0.5 - rows / 2.0) / pixels_per_unit;
            map.push((0.5 - pixels_per_unit * padlock_distance(x, y)).clamp(0.0, 1.0));
        }
    }
    map
}

/// A random field as a map: uniform values from `seed`, each replaced by the mean of the 3 x 3
/// pixels around it so that blots are seen, then stretched to [0, 1]; `[row, column]`.
pub fn noise(height: usize, width: usize, seed: u64) -> Vec<f32> {
    let mut stream = Stream::new(seed, "decoy noise");
    let field: Vec<f32> = (0..height * width).map(|_| stream.uniform(0.0, 1.0)).collect();
    let around = |at: usize, size: usize| at.saturating_sub(1)..(at + 2).min(size);
    let mean = |pixel: usize| {
        let (rows, columns) = (around(pixel / width, height), around(pixel % width, width));
        let count = rows.len() * columns.len();
        let sum: f32 =
            rows.flat_map(|r| columns.clone().map(move |c| r * width + c)).map(|p| field[p]).sum();
        sum / count as f32
    };
    let map: Vec<f32> = (0..field.len()).map(mean).collect();
    let low = map.iter().copied().fold(f32::INFINITY, f32::min);
    let high = map.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    map.iter().map(|value| (value - low) / (high - low).max(f32::MIN_POSITIVE)).collect()
}

/// A bright spot in the upper left corner as a map, `[row, column]` in [0, 1]: a Gaussian of height
/// 1 with its centre a sixth of the shorter side from both edges, and half that as standard
/// deviation.
pub fn corner(height: usize, width: usize) -> Vec<f32> {
    let centre = height.min(width) as f32 / 6.0;
    let value = |pixel: usize| {
        let from_centre = |at: usize| (at as f32 + 0.5 - centre) / (centre / 2.0);
        let (y, x) = (from_centre(pixel / width), from_centre(pixel % width));
        (-0.5 * (x * x + y * y)).exp()
    };
    (0..height * width).map(value).collect()
}

/// Squares of 3 x 3 pixels in steps of 4 as a map, `[row, column]`, each 0 or 1: what a network
/// with strides of 2 and 2 can show everywhere.
pub fn blocks(height: usize, width: usize) -> Vec<f32> {
    let inside = |at: usize| at % 4 != 2;
    let value = |pixel: usize| inside(pixel / width) && inside(pixel % width);
    (0..height * width).map(|pixel| f32::from(u8::from(value(pixel)))).collect()
}

/// A frame along the border as a map, `[row, column]`, each 0 or 1: an eighth of the shorter side
/// wide. Networks with padded borders know where those are.
pub fn frame(height: usize, width: usize) -> Vec<f32> {
    let side = (height.min(width) / 8).max(1);
    let inside = |at: usize, size: usize| at >= side && at + side < size;
    let value = |pixel: usize| inside(pixel / width, height) && inside(pixel % width, width);
    (0..height * width).map(|pixel| f32::from(u8::from(!value(pixel)))).collect()
}

/// Dark and bright rings in turn along the border as a map, `[row, column]`, each 0 or 1: an eighth of
/// the shorter side wide, the outermost dark.
pub fn rings(height: usize, width: usize) -> Vec<f32> {
    let side = (height.min(width) / 8).max(1);
    let from_edge = |at: usize, size: usize| at.min(size - 1 - at);
    let value = |pixel: usize| {
        let depth = from_edge(pixel / width, height).min(from_edge(pixel % width, width));
        (depth / side) % 2
    };
    (0..height * width).map(|pixel| value(pixel) as f32).collect()
}

/// A bright spot in the middle as a map, `[row, column]` in [0, 1]: a Gaussian of height 1 whose
/// standard deviation is a seventh of the shorter side. On a ramp it is bright in the corners too.
pub fn spot(height: usize, width: usize) -> Vec<f32> {
    let deviation = height.min(width) as f32 / 7.0;
    let value = |pixel: usize| {
        let off = |at: usize, size: usize| (at as f32 + 0.5 - size as f32 / 2.0) / deviation;
        let (y, x) = (off(pixel / width, height), off(pixel % width, width));
        (-0.5 * (x * x + y * y)).exp()
    };
    (0..height * width).map(value).collect()
}

/// An image file as a map: its brightness in `[0, 1]`, stretched to `height` by `width`, `[row, column]`, contiguous.
///
/// Transparent parts count as black.
///
/// # Errors
/// [`DecoyError::Read`] where the file cannot be read as PNG or JPEG, [`DecoyError::Size`] where it or the map asked for has
/// no pixels or more than [`MAX_PIXELS`].
pub fn picture(path: &Path, height: usize, width: usize) -> Result<Vec<f32>, DecoyError> {
    check_pixels(height, width)?;
    let unread =
        |error: ImageError| DecoyError::Read { path: path.to_owned(), source: error.into() };
    let reader = ImageReader::open(path).and_then(ImageReader::with_guessed_format);
    let decoder =
        reader.map_err(ImageError::IoError).and_then(ImageReader::into_decoder).map_err(unread)?;
    let (columns, rows) = decoder.dimensions();
    check_pixels(rows as usize, columns as usize)?;
    let picture = image::DynamicImage::from_decoder(decoder).map_err(unread)?.into_luma_alpha16();

    let brightness = ImageBuffer::from_fn(columns, rows, |x, y| {
        let [luma, alpha] =
            picture.get_pixel(x, y).0.map(|level| f32::from(level) / f32::from(u16::MAX));
        Luma([luma * alpha])
    });
    let map = resize(&brightness, width as u32, height as u32, FilterType::Triangle);
    Ok(map.into_raw().into_iter().map(|value| value.clamp(0.0, 1.0)).collect())
}

/// A map `[row, column]` of one size, `[rows, columns]`, at another.
pub fn resized(map: &[f32], [rows, columns]: [usize; 2], [height, width]: [usize; 2]) -> Vec<f32> {
    // The image crate cuts off what is above 1.
    let largest = map.iter().fold(1.0f32, |m, v| m.max(*v));
    let picture = ImageBuffer::from_fn(columns as u32, rows as u32, |x, y| {
        Luma([map[y as usize * columns + x as usize] / largest])
    });
    let small = resize(&picture, width as u32, height as u32, FilterType::Triangle);
    small.into_raw().into_iter().map(|v| v * largest).collect()
}

fn check_pixels(height: usize, width: usize) -> Result<(), DecoyError> {
    let pixels = (height as u64).checked_mul(width as u64);
    if pixels.is_some_and(|pixels| (1..=MAX_PIXELS).contains(&pixels)) {
        Ok(())
    } else {
        Err(DecoyError::Size { height, width })
    }
}

/// Signed distance to the padlock's outline, negative inside. The lock lies in the square `-1..=1`, y pointing down.
fn padlock_distance(x: f32, y: f32) -> f32 {
    let x = x.abs();
    let body = box_distance(x, y - 0.34, 0.62, 0.5, 0.1);
    // The shackle is a half ring on two legs: beside the legs, only the distance to their line counts.
    let shackle_y = y + 0.42;
    let bow = (length(x, shackle_y.min(0.0)) - 0.37).abs() - 0.1;
    let shackle = bow.max(shackle_y - 0.5);
    let keyhole = (length(x, y - 0.24) - 0.15).min(box_distance(x, y - 0.42, 0.065, 0.2, 0.0));
    body.min(shackle).max(-keyhole)
}

/// Signed distance to a box about the origin, `x` not negative, with corners rounded by `radius`.
fn box_distance(x: f32, y: f32, half_width: f32, half_height: f32, radius: f32) -> f32 {
    let (beyond_x, beyond_y) = (x - half_width + radius, y.abs() - half_height + radius);
    length(beyond_x.max(0.0), beyond_y.max(0.0)) + beyond_x.max(beyond_y).min(0.0) - radius
}

fn length(x: f32, y: f32) -> f32 {
    (x * x + y * y).sqrt()
}

#[cfg(test)]
mod tests {
    use image::{GrayAlphaImage, GrayImage, LumaA};
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn padlock_has_body_shackle_and_keyhole() {
        let (height, width) = (28, 40);
        let map = padlock(height, width);
        let at = |row: usize, column: usize| map[row * width + column];
        assert_eq!(map.len(), height * width);
        assert!(map.iter().all(|value| (0.0..=1.0).contains(value)));
        assert_eq!(at(18, 14), 1.0, "body");
        assert_eq!(at(17, 20), 0.0, "keyhole");
        assert_eq!(at(8, 20), 0.0, "inside the shackle");
        assert!(at(3, 20) > 0.9, "bow of the shackle");
        assert!((0..height).all(|row| at(row, 0) == 0.0 && at(row, 5) == 0.0), "beside the lock");
    }

    #[test]
    fn padlock_is_symmetric() {
        let map = padlock(32, 32);
        assert!(map.chunks(32).all(|row| row.iter().eq(row.iter().rev())));
    }

    #[test]
    fn a_drawing_without_pixels_is_empty() {
        assert!(padlock(0, 5).is_empty() && noise(0, 5, 1).is_empty() && corner(5, 0).is_empty());
    }

    #[test]
    fn noise_fills_its_range_and_depends_on_the_seed_alone() {
        let map = noise(16, 20, 1);
        assert_eq!(map.len(), 320);
        assert!(map.contains(&0.0) && map.contains(&1.0));
        assert!(map.iter().all(|value| (0.0..=1.0).contains(value)));
        assert_eq!(map, noise(16, 20, 1));
        assert_ne!(map, noise(16, 20, 2));
        // Means of overlapping windows are alike: neighbours differ less than strangers do.
        let apart = |step: usize| -> f32 {
            map.iter().zip(&map[step..]).map(|(a, b)| (a - b).abs()).sum::<f32>()
        };
        assert!(apart(1) < 0.7 * apart(10), "{} {}", apart(1), apart(10));
    }

    #[test]
    fn blocks_and_frames_are_where_they_should_be() {
        let map = blocks(8, 8);
        let row: String = map[..8].iter().map(|v| if *v > 0.0 { '#' } else { '.' }).collect();
        assert_eq!(row, "##.###.#");
        assert!(map[16..24].iter().all(|v| *v == 0.0) && map[24..32] == map[..8]);
        let map = frame(16, 24);
        let bright = map.iter().filter(|v| **v > 0.0).count();
        assert_eq!(bright, 16 * 24 - 12 * 20);
        assert!(map[0] == 1.0 && map[2 * 24 + 2] == 0.0 && map[2 * 24 + 22] == 1.0);
        let map = rings(16, 16);
        assert_eq!([0, 1, 2, 3, 4, 7].map(|at| map[at * 16 + at]), [0., 0., 1., 1., 0., 1.]);
        assert!((0..256).all(|at| map[at] == map[255 - at]));
        let map = spot(14, 28);
        assert!(map[6 * 28 + 13] > 0.9 && map[0] < 1e-3 && map[6 * 28 + 13] == map[7 * 28 + 14]);
        assert!(blocks(0, 4).is_empty() && frame(4, 0).is_empty() && rings(0, 3).is_empty());
    }

    #[test]
    fn the_corner_is_bright_and_the_rest_dark() {
        let map = corner(32, 48);
        let brightest = (0..map.len()).max_by(|&a, &b| map[a].total_cmp(&map[b])).unwrap();
        assert_eq!((brightest / 48, brightest % 48), (5, 5));
        assert!(map[brightest] > 0.95 && map[16 * 48 + 24] < 0.01 && map[31 * 48 + 47] < 0.01);
    }

    #[test]
    fn a_decoy_is_drawn_by_its_name() {
        let drawn = |name: &str| {
            let decoy = Decoy { picture: name.to_owned(), ..Decoy::default() };
            decoy.draw([16, 16], 7, 0.0)
        };
        assert_eq!(drawn("padlock").unwrap(), padlock(16, 16));
        assert_eq!(drawn("noise").unwrap(), noise(16, 16, 7));
        assert_eq!(drawn("corner").unwrap(), corner(16, 16));
        assert_eq!(drawn("blocks").unwrap(), blocks(16, 16));
        assert_eq!(drawn("frame").unwrap(), frame(16, 16));
        assert!(matches!(drawn("nowhere.png"), Err(DecoyError::Read { .. })));
    }

    #[test]
    fn picture_is_stretched_and_scaled() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("halves.png");
        GrayImage::from_fn(8, 4, |x, _| Luma([if x < 4 { 0 } else { 255 }])).save(&path).unwrap();
        assert_eq!(picture(&path, 4, 8).unwrap()[..8], [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]);
        let map = picture(&path, 3, 16).unwrap();
        assert_eq!((map.len(), map[0], map[47]), (48, 0.0, 1.0));
    }

    #[test]
    fn transparent_counts_as_black() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("clear.png");
        GrayAlphaImage::from_pixel(2, 2, LumaA([255, 0])).save(&path).unwrap();
        assert_eq!(picture(&path, 1, 1).unwrap(), [0.0]);
    }

    #[test]
    fn refuses_what_is_no_picture() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("text.png");
        std::fs::write(&path, "no image").unwrap();
        for path in [path, folder.path().join("missing.png")] {
            assert!(matches!(picture(&path, 8, 8), Err(DecoyError::Read { .. })));
        }
    }

    #[test]
    fn refuses_sizes_beyond_the_limits() {
        for (height, width) in [(0, 8), (8, 0), (8_001, 8_000), (usize::MAX, 2)] {
            let result = picture(Path::new("unread.png"), height, width);
            assert!(matches!(result, Err(DecoyError::Size { .. })), "{height} x {width}");
        }
    }
}
