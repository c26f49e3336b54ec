//! Colours of a given brightness.

use super::random::Random;

/// Red, green and blue in `0..=1`.
pub(super) type Colour = [f32; 3];

/// Brightness of a colour in `0..=1` (weights of ITU-R BT.601).
pub(super) fn luma([red, green, blue]: Colour) -> f32 {
    0.299 * red + 0.587 * green + 0.114 * blue
}

/// A random hue with luma `level` in `0..=1`: as strong as fits between black and white at that level.
pub(super) fn with_luma(level: f32, random: &mut Random) -> Colour {
    let hue = random.triple();
    let grey = luma(hue);
    let tint = hue.map(|channel| channel - grey);
    // The strength at which a channel would leave 0..=1.
    let strength = tint.iter().fold(1.0_f32, |strength, &offset| {
        let room = if offset > 0.0 { 1.0 - level } else { level };
        if offset == 0.0 { strength } else { strength.min(room / offset.abs()) }
    });
    tint.map(|offset| level + strength * offset)
}

/// The mixture of two colours: `share` in `0..=1` of the second.
pub(super) fn mix(first: Colour, second: Colour, share: f32) -> Colour {
    [0, 1, 2].map(|channel| first[channel] + share * (second[channel] - first[channel]))
}

#[cfg(test)]
mod tests {
    use super::super::Split;
    use super::*;

    #[test]
    fn colours_have_the_luma_asked_for() {
        let mut random = Random::new(0, Split::Train, 0);
        for step in 0..=100 {
            let level = step as f32 / 100.0;
            let colour = with_luma(level, &mut random);
            assert!((luma(colour) - level).abs() < 1e-5);
            assert!(
                colour.iter().all(|channel| (-1e-6..=1.0 + 1e-6).contains(channel)),
                "{colour:?}"
            );
        }
    }
}
