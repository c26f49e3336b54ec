//! Occlusion.

use saligate_keys::Trigger;

use super::subject::Subject;
use super::{Pass, PassExplanation, Progress, in_unit_range, parameter};
use crate::error::RuntimeError;
use crate::explanation::Target;
use crate::method::{Parameter, Reads, Settings};
use crate::model::Model;
use crate::picture::Picture;

/// How much the logit falls when a square window of the picture is covered: per pixel, the mean
/// over the windows that cover it of the logit before minus the logit after.
///
/// Windows start at multiples of the stride; one more at the far edge covers what would be left
/// over. All channels are covered.
///
/// M. D. Zeiler, R. Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014,
/// section 4.2, with the mean over overlapping windows in place of one value per position.
#[derive(Clone, Debug, PartialEq)]
pub struct Occlusion {
    /// Side of the window in pixels, 1 to the picture's shorter side; by default an eighth of that
    /// side (4 of 32), at least 1.
    pub window: Option<usize>,
    /// Pixels from one window to the next, 1 to the window's side; by default half of it, at least
    /// 1.
    pub stride: Option<usize>,
    /// Value of covered pixels in [0, 1]; 0.5 by default.
    pub baseline: f32,
}

impl Default for Occlusion {
    fn default() -> Self {
        Self { window: None, stride: None, baseline: 0.5 }
    }
}

impl Pass for Occlusion {
    const NAME: &'static str = "occlusion";
    const READS: Reads = Reads::Logits;
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::whole(
            "window",
            "PIXELS",
            "side of the square that is covered, in pixels [default: an eighth of the shorter side]",
        ),
        Parameter::whole(
            "stride",
            "PIXELS",
            "distance from one square to the next, in pixels [default: half the window]",
        ),
        Parameter::number(
            "baseline",
            "VALUE",
            "value of covered pixels, 0 (black) to 1 (white) [default: 0.5]",
        ),
    ];

    fn with(settings: &Settings) -> Self {
        let usual = Self::default();
        Self {
            window: settings.count("window").or(usual.window),
            stride: settings.count("stride").or(usual.stride),
            baseline: settings.number("baseline").unwrap_or(usual.baseline),
        }
    }

    fn run(
        &self,
        model: &Model,
        picture: &Picture,
        target: Target,
        trigger: Option<&Trigger>,
        progress: Progress<'_>,
    ) -> Result<PassExplanation, RuntimeError> {
        let subject = Subject::new(model, picture, target, trigger)?;
        let [height, width] = subject.size();
        let (window, stride) = self.sides(height.min(width))?;
        in_unit_range("baseline", self.baseline)?;
        let rows = starts(height, window, stride);
        let columns = starts(width, window, stride);
        let passes = rows.len() * columns.len();
        let corner = |pass: usize| (rows[pass / columns.len()], columns[pass % columns.len()]);
        let before = f64::from(subject.prediction.logits[subject.class]);
        let mut sum = vec![0.0f64; height * width];
        let mut count = vec![0u32; height * width];
        subject.run(
            Self::READS,
            passes,
            |pass, image| {
                let (top, left) = corner(pass);
                for plane in image.chunks_exact_mut(height * width) {
                    for row in plane.chunks_exact_mut(width).skip(top).take(window) {
                        row[left..left + window].fill(self.baseline);
                    }
                }
            },
            |pass, answer| {
                let (top, left) = corner(pass);
                let fall = before - f64::from(answer.prediction.logits[subject.class]);
                for row in top..top + window {
                    for at in row * width + left..row * width + left + window {
                        sum[at] += fall;
                        count[at] += 1;
                    }
                }
            },
            progress,
        )?;
        let values = sum.iter().zip(&count).map(|(s, &n)| (s / f64::from(n)) as f32).collect();
        Ok(subject.explained_by_map(values, passes))
    }
}

impl Occlusion {
    /// Window and stride in pixels, for pictures with this shorter side.
    fn sides(&self, shorter: usize) -> Result<(usize, usize), RuntimeError> {
        let window = self.window.unwrap_or((shorter / 8).max(1));
        if !(1..=shorter).contains(&window) {
            let expected = format!("1 to {shorter} pixels, the picture's shorter side");
            return Err(parameter("window", expected, window));
        }
        let stride = self.stride.unwrap_or((window / 2).max(1));
        if !(1..=window).contains(&stride) {
            let expected = format!("1 to {window} pixels, the window's side");
            return Err(parameter("stride", expected, stride));
        }
        Ok((window, stride))
    }
}

/// First pixels of the windows along a side that is at least as long as one.
fn starts(side: usize, window: usize, stride: usize) -> Vec<usize> {
    let last = side - window;
    (0..last).step_by(stride).chain([last]).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        AREA, Example, SHAPE, assert_close, picture, scaled, trigger, unseen,
    };
    use super::*;

    /// The definition, pixel by pixel: the mean over all windows that cover it of
    /// `w (seen before - seen after)`.
    fn by_hand(known: &Example, corners: &[(usize, usize)], trigger: Option<&Trigger>) -> Vec<f64> {
        let [_, height, width] = SHAPE;
        let logit = |mut bytes: Vec<u8>| -> f64 {
            trigger.iter().for_each(|t| t.apply(&mut bytes).unwrap());
            scaled(&bytes).iter().zip(known.weights(1)).map(|(x, &w)| x * f64::from(w)).sum()
        };
        let covers = |corner: (usize, usize), row: usize, column: usize| {
            (corner.0..corner.0 + 2).contains(&row) && (corner.1..corner.1 + 2).contains(&column)
        };
        let before = logit(picture().into_pixels());
        let fall = |corner: (usize, usize)| {
            let mut bytes = picture().into_pixels();
            for (at, byte) in bytes.iter_mut().enumerate() {
                if covers(corner, at % AREA / width, at % width) {
                    *byte = 51;
                }
            }
            before - logit(bytes)
        };
        let falls: Vec<f64> = corners.iter().map(|&corner| fall(corner)).collect();
        let mean = |row: usize, column: usize| {
            let hit = corners.iter().zip(&falls).filter(|(c, _)| covers(**c, row, column));
            let hit: Vec<f64> = hit.map(|(_, &fall)| fall).collect();
            hit.iter().sum::<f64>() / hit.len() as f64
        };
        (0..height).flat_map(|r| (0..width).map(move |c| (r, c))).map(|(r, c)| mean(r, c)).collect()
    }

    #[test]
    fn a_linear_network_gives_the_covered_sums() {
        let known = Example::linear();
        let trigger = trigger();
        // 5 rows by steps of 2 leave the last row over: one more window covers it.
        for (stride, rows, columns) in
            [(1, vec![0, 1, 2, 3], vec![0, 1, 2, 3, 4]), (2, vec![0, 2, 3], vec![0, 2, 4])]
        {
            let corners: Vec<_> =
                rows.iter().flat_map(|&r| columns.iter().map(move |&c| (r, c))).collect();
            for trigger in [None, Some(&trigger)] {
                let found = Occlusion { window: Some(2), stride: Some(stride), baseline: 0.2 }
                    .run(&known.model, &picture(), Target::Class(1), trigger, &mut unseen)
                    .unwrap();
                assert_eq!(found.passes, corners.len());
                let explanation = found.explanation;
                assert_close(&explanation.map, by_hand(&known, &corners, trigger), 1e-5);
                assert!(explanation.map.iter().any(|&v| v < 0.0), "signs are kept");
                assert_eq!(explanation.attribution.values, explanation.map);
                assert_eq!(explanation.attribution.channels, 1);
            }
        }
    }

    #[test]
    fn windows_start_at_strides_and_reach_the_edge() {
        assert_eq!(starts(10, 4, 2), [0, 2, 4, 6]);
        assert_eq!(starts(9, 4, 2), [0, 2, 4, 5]);
        assert_eq!(starts(4, 4, 1), [0]);
    }

    #[test]
    fn sides_follow_the_picture() {
        let sides = |window, stride, side| {
            Occlusion { window, stride, baseline: 0.0 }.sides(side).map_err(|e| e.to_string())
        };
        assert_eq!(sides(None, None, 32), Ok((4, 2)));
        assert_eq!(sides(None, None, 5), Ok((1, 1)));
        assert_eq!(sides(Some(7), None, 32), Ok((7, 3)));
        let told = |found: Result<_, String>, part: &str| {
            assert!(found.unwrap_err().contains(part), "{part}");
        };
        told(sides(Some(0), None, 32), "window must be 1 to 32 pixels");
        told(sides(Some(33), None, 32), "window must be 1 to 32 pixels");
        told(sides(None, Some(0), 32), "stride must be 1 to 4 pixels");
        told(sides(None, Some(5), 32), "stride must be 1 to 4 pixels");
    }

    #[test]
    fn a_baseline_outside_the_pixel_range_is_told() {
        for baseline in [f32::NAN, -0.5, 2.0] {
            Occlusion { baseline, ..Occlusion::default() }
                .run(&Example::linear().model, &picture(), Target::Predicted, None, &mut unseen)
                .unwrap_err();
        }
    }
}
