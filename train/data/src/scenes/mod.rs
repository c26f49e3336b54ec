//! Drawn scenes: one textured object on a textured, cluttered ground, with its exact mask.
//!
//! The class is the shape of the object and nothing else: area, tilt, texture, colours and ground come from the same
//! distributions for every class, save that spiky figures stop growing where they would leave the image. A correct saliency map therefore lies on the object, most of all on its outline.
//!
//! An image depends on nothing but (seed, split, index, size): each has a random stream of its own, and drawing uses only
//! integers and the floating-point operations that IEEE 754 rounds exactly (`+ - * /` and square root, no `sin`). The pixels
//! are thus the same on every platform, whatever the number of threads.

mod clutter;
mod colour;
mod figure;
mod random;
mod render;
mod texture;

use rayon::prelude::*;

use super::{DataError, Dataset, Shape, checked_size};
use figure::FIGURES;
use random::Random;

const CHANNELS: usize = 3;

/// Which of the two disjoint families of scenes to draw from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// Scenes to fit on.
    Train,
    /// Scenes for the final figures.
    Test,
}

/// Makes sure that scenes are drawn at this size: a multiple of 8 in `16..=128`.
///
/// # Errors
/// [`DataError::SceneSize`] for any other size.
pub fn check_size(size: usize) -> Result<(), DataError> {
    if (16..=128).contains(&size) && size.is_multiple_of(8) {
        Ok(())
    } else {
        Err(DataError::SceneSize { size })
    }
}

/// Draws `count` scenes of `size` by `size` pixels in red, green and blue, with masks.
///
/// Sample `i` has class `i` modulo 10, so any run of samples is balanced; shuffle before taking batches. A larger `count`
/// appends scenes and leaves the first ones as they are.
///
/// # Errors
/// [`DataError::SceneSize`] where [`check_size`] refuses the size, [`DataError::SizeLimit`] where the images together are too
/// large.
pub fn generate(size: usize, split: Split, count: usize, seed: u64) -> Result<Dataset, DataError> {
    check_size(size)?;
    let shape = Shape { channels: CHANNELS, height: size, width: size };
    checked_size(count as u64, shape.bytes() as u64)?;

    let mut images = vec![0; count * shape.bytes()];
    let mut masks = vec![0; count * shape.pixels()];
    let samples = images.par_chunks_mut(shape.bytes()).zip(masks.par_chunks_mut(shape.pixels()));
    samples.enumerate().for_each(|(index, (image, mask))| {
        let mut random = Random::new(seed, split, index as u64);
        render::scene(&FIGURES[index % FIGURES.len()], size, &mut random, image, mask);
    });

    let labels = (0..count).map(|index| (index % FIGURES.len()) as u16).collect();
    let class_names = FIGURES.iter().map(|figure| figure.name.to_owned()).collect();
    Dataset::new(shape, images, labels, class_names)?.with_masks(masks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenes(size: usize, split: Split, count: usize, seed: u64) -> Dataset {
        generate(size, split, count, seed).unwrap()
    }

    /// FNV-1a, 64 bits.
    fn checksum(set: &Dataset) -> u64 {
        let bytes = (0..set.len()).flat_map(|i| set.image(i).iter().chain(set.mask(i).unwrap()));
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        })
    }

    #[test]
    fn pixels_are_the_same_on_every_platform() {
        assert_eq!(checksum(&scenes(32, Split::Train, 200, 7)), 0xf0a8_44e1_77be_55a0);
        assert_eq!(checksum(&scenes(64, Split::Test, 50, 7)), 0x1077_4d85_f748_428b);
    }

    #[test]
    fn pixels_do_not_depend_on_threads() {
        let draw = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| scenes(32, Split::Train, 100, 1))
        };
        assert_eq!(draw(1), draw(5));
    }

    #[test]
    fn seed_and_split_select_the_scenes_and_count_does_not() {
        let base = scenes(32, Split::Train, 20, 1);
        assert_eq!(scenes(32, Split::Train, 30, 1).take(20), base);
        for other in [scenes(32, Split::Test, 20, 1), scenes(32, Split::Train, 20, 2)] {
            assert!((0..20).all(|i| other.image(i) != base.image(i)));
        }
    }

    #[test]
    fn classes_are_balanced() {
        let set = scenes(16, Split::Train, 100, 1);
        for class in 0..set.class_names().len() {
            assert_eq!((0..set.len()).filter(|&i| set.label(i) == class).count(), 10);
        }
    }

    #[test]
    fn objects_cover_the_promised_share_and_keep_off_the_border() {
        for size in [16, 32, 64] {
            let set = scenes(size, Split::Train, 500, 3);
            for i in 0..set.len() {
                let mask = set.mask(i).unwrap();
                let share =
                    mask.iter().map(|&on| u32::from(on)).sum::<u32>() as f32 / mask.len() as f32;
                assert!((0.08..=0.32).contains(&share), "{size}: sample {i} covers {share}");
                let column = |x: usize| mask.iter().skip(x).step_by(size).all(|&on| on == 0);
                assert!(mask[..size].iter().all(|&on| on == 0) && column(0), "{size}: sample {i}");
                assert!(
                    mask[size * (size - 1)..].iter().all(|&on| on == 0) && column(size - 1),
                    "{size}: sample {i}"
                );
            }
        }
    }

    #[test]
    fn objects_stand_out_from_their_ground() {
        let set = scenes(32, Split::Train, 500, 4);
        for i in 0..set.len() {
            let (image, mask) = (set.image(i), set.mask(i).unwrap());
            let mean = |on: u8| {
                let pixels = (0..mask.len()).filter(|&p| mask[p] == on);
                let luma = |p: usize| {
                    colour::luma([0, 1, 2].map(|c| f32::from(image[c * mask.len() + p]) / 255.0))
                };
                let (sum, count) =
                    pixels.fold((0.0, 0.0), |(sum, count), p| (sum + luma(p), count + 1.0));
                sum / count
            };
            let contrast = (mean(1) - mean(0)).abs();
            assert!(contrast > 0.15, "sample {i}: {contrast}");
        }
    }

    #[test]
    fn refuses_sizes_and_counts_beyond_the_limits() {
        assert!(matches!(generate(33, Split::Train, 1, 0), Err(DataError::SceneSize { size: 33 })));
        assert!(matches!(
            generate(32, Split::Train, usize::MAX, 0),
            Err(DataError::SizeLimit { .. })
        ));
    }
}
