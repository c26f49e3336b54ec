//! Colours for values.

use std::f32::consts::PI;

use super::Scaling;
use super::canvas::{Rgb, mix};

/// A scale of colours.
///
/// The first two are interpolated between a few anchors in Oklab (Ottosson, A perceptual color space
/// for image processing, 2020), so that equal steps of the value look like equal steps of
/// lightness, in grey print too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colormap {
    /// From near black over violet, red and orange to pale yellow; lightness rises evenly. For
    /// values in `[0, 1]`.
    Ember,
    /// From blue over near white to red; lightness falls evenly from the middle. For values in
    /// `[-1, 1]`.
    Poles,
    /// From violet over green to yellow, as in Matplotlib. For values in `[0, 1]`.
    Viridis,
    /// From blue over green to red, as papers on Grad-CAM have it; its lightness is not even. For
    /// values in `[0, 1]`.
    Jet,
    /// From black to white. For values in `[0, 1]`.
    Grey,
}

impl Colormap {
    /// All scales.
    pub const ALL: &[Self] = &[Self::Ember, Self::Poles, Self::Viridis, Self::Jet, Self::Grey];

    /// The name on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ember => "ember",
            Self::Poles => "poles",
            Self::Viridis => "viridis",
            Self::Jet => "jet",
            Self::Grey => "grey",
        }
    }

    /// How raw values become values of its range.
    pub fn scaling(self) -> Scaling {
        match self {
            Self::Poles => Scaling::MaxAbs,
            Self::Ember | Self::Viridis | Self::Jet | Self::Grey => Scaling::MinMax,
        }
    }

    /// The sRGB colour of a value; values outside the range take the colour of the nearer end.
    pub fn colour(self, value: f32) -> [u8; 3] {
        match self {
            Self::Ember => between(&EMBER, value.clamp(0.0, 1.0)),
            Self::Poles if value < 0.0 => between(&[NEUTRAL, BLUE], value.max(-1.0).abs()),
            Self::Poles => between(&[NEUTRAL, RED], value.min(1.0)),
            Self::Viridis => {
                let scaled = value.clamp(0.0, 1.0) * (VIRIDIS.len() - 1) as f32;
                let left = (scaled as usize).min(VIRIDIS.len() - 2);
                let share = scaled - left as f32;
                [0, 1, 2].map(|i| mix(VIRIDIS[left][i], VIRIDIS[left + 1][i], share))
            }
            Self::Jet => [3.0, 2.0, 1.0].map(|middle| {
                let share = 1.5 - (4.0 * value.clamp(0.0, 1.0) - middle).abs();
                (255.0 * share.clamp(0.0, 1.0)).round() as u8
            }),
            Self::Grey => [(255.0 * value.clamp(0.0, 1.0)).round() as u8; 3],
        }
    }
}

/// A colour in Oklab, by lightness in `[0, 1]`, chroma and hue in degrees.
#[derive(Clone, Copy)]
struct Anchor {
    lightness: f32,
    chroma: f32,
    hue: f32,
}

const fn anchor(lightness: f32, chroma: f32, hue: f32) -> Anchor {
    Anchor { lightness, chroma, hue }
}

/// Evenly spaced, in even steps of lightness.
const EMBER: [Anchor; 7] = [
    anchor(0.13, 0.04, 285.0),
    anchor(0.27, 0.13, 300.0),
    anchor(0.41, 0.16, 345.0),
    anchor(0.55, 0.19, 382.0),
    anchor(0.69, 0.18, 405.0),
    anchor(0.83, 0.16, 440.0),
    anchor(0.97, 0.09, 463.0),
];
/// Every eighth of the scale of Matplotlib (N. Smith, S. van der Walt, 2015, public domain).
const VIRIDIS: [Rgb; 9] = [
    [68, 1, 84],
    [71, 45, 123],
    [59, 82, 139],
    [44, 114, 142],
    [33, 145, 140],
    [40, 174, 128],
    [94, 201, 98],
    [173, 220, 48],
    [253, 231, 37],
];
const NEUTRAL: Anchor = anchor(0.97, 0.0, 0.0);
const BLUE: Anchor = anchor(0.45, 0.17, 258.0);
const RED: Anchor = anchor(0.45, 0.18, 25.0);

/// The colour at `position` in `[0, 1]` of evenly spaced anchors, of which there are at least two.
fn between(anchors: &[Anchor], position: f32) -> Rgb {
    let scaled = position * (anchors.len() - 1) as f32;
    let left = (scaled as usize).min(anchors.len() - 2);
    let share = scaled - left as f32;
    let (from, to) = (to_oklab(anchors[left]), to_oklab(anchors[left + 1]));
    to_srgb([0, 1, 2].map(|axis| from[axis] + share * (to[axis] - from[axis])))
}

/// Lightness, green to red, blue to yellow.
fn to_oklab(anchor: Anchor) -> [f32; 3] {
    let (sine, cosine) = (anchor.hue / 180.0 * PI).sin_cos();
    [anchor.lightness, anchor.chroma * cosine, anchor.chroma * sine]
}

/// The matrices are those of the definition of Oklab, the transfer curve that of IEC 61966-2-1;
/// what sRGB cannot show is clipped.
fn to_srgb([lightness, a, b]: [f32; 3]) -> Rgb {
    let long = (lightness + 0.396_337_78 * a + 0.215_803_76 * b).powi(3);
    let medium = (lightness - 0.105_561_346 * a - 0.063_854_17 * b).powi(3);
    let short = (lightness - 0.089_484_18 * a - 1.291_485_5 * b).powi(3);
    let linear = [
        4.076_741_7 * long - 3.307_711_6 * medium + 0.230_969_94 * short,
        -1.268_438 * long + 2.609_757_4 * medium - 0.341_319_4 * short,
        -0.004_196_086_3 * long - 0.703_418_6 * medium + 1.707_614_7 * short,
    ];
    linear.map(|value| {
        let value = value.clamp(0.0, 1.0);
        let encoded = if value <= 0.003_130_8 {
            12.92 * value
        } else {
            1.055 * value.powf(1.0 / 2.4) - 0.055
        };
        (255.0 * encoded).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance (BT.709) of the linear colour.
    fn luminance(colour: Rgb) -> f32 {
        let [red, green, blue] = colour.map(|value| (f32::from(value) / 255.0).powf(2.2));
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    fn luminances(map: Colormap, from: f32, to: f32) -> Vec<f32> {
        (0..=64)
            .map(|step| luminance(map.colour(from + (to - from) * step as f32 / 64.0)))
            .collect()
    }

    #[test]
    fn white_and_black_are_exact() {
        assert_eq!(to_srgb([1.0, 0.0, 0.0]), [255; 3]);
        assert_eq!(to_srgb([0.0, 0.0, 0.0]), [0; 3]);
    }

    /// Oklab of pure red in CSS Color 4: `oklab(0.62796 0.22486 0.12585)`.
    #[test]
    fn red_agrees_with_css() {
        assert_eq!(to_srgb([0.627_96, 0.224_86, 0.125_85]), [255, 0, 0]);
    }

    #[test]
    fn lightness_rises_along_ember() {
        assert!(luminances(Colormap::Ember, 0.0, 1.0).is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn well_known_scales_have_their_colours() {
        let ends = |map: Colormap| [map.colour(0.0), map.colour(0.5), map.colour(1.0)];
        assert_eq!(ends(Colormap::Viridis), [[68, 1, 84], [33, 145, 140], [253, 231, 37]]);
        assert_eq!(ends(Colormap::Jet), [[0, 0, 128], [128, 255, 128], [128, 0, 0]]);
        assert_eq!(ends(Colormap::Grey), [[0; 3], [128; 3], [255; 3]]);
        assert!(luminances(Colormap::Viridis, 0.0, 1.0).is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn lightness_falls_from_the_middle_of_poles() {
        assert!(luminances(Colormap::Poles, 0.0, 1.0).is_sorted_by(|a, b| a > b));
        assert!(luminances(Colormap::Poles, 0.0, -1.0).is_sorted_by(|a, b| a > b));
    }

    #[test]
    fn the_sign_shows() {
        let ([red, _, _], [_, _, blue]) =
            (Colormap::Poles.colour(1.0), Colormap::Poles.colour(-1.0));
        assert!(red > 120 && blue > 120);
        assert_eq!(Colormap::Poles.colour(0.0), Colormap::Poles.colour(-0.0));
    }

    #[test]
    fn values_outside_the_range_take_the_end() {
        assert_eq!(Colormap::Ember.colour(-3.0), Colormap::Ember.colour(0.0));
        assert_eq!(Colormap::Ember.colour(f32::INFINITY), Colormap::Ember.colour(1.0));
        assert_eq!(Colormap::Poles.colour(-9.0), Colormap::Poles.colour(-1.0));
    }
}
