//! A map as colours.

use super::canvas::check_size;
use super::{Canvas, Colormap, RenderError};

/// Shows a map in the colours of a scale, after its [`scaling`](Colormap::scaling), one pixel a value:
/// [`Colormap::Ember`] for magnitudes, [`Colormap::Poles`] for signed values. A constant map
/// becomes one colour.
///
/// # Shapes
/// `map`: `[height, width]`, row-major.
///
/// # Errors
/// [`RenderError`] for a side of 0, more than 64 Mi pixels, a length other than `height · width`,
/// and values that are not finite.
pub fn heatmap(
    map: &[f32],
    height: usize,
    width: usize,
    colormap: Colormap,
) -> Result<Canvas, RenderError> {
    let expected = check_size(height, width)?;
    if map.len() != expected {
        return Err(RenderError::Length { expected, found: map.len() });
    }
    let shown = colormap.scaling().apply(map)?;
    Canvas::from_rgb(
        height,
        width,
        shown.iter().flat_map(|&value| colormap.colour(value)).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_and_highest_value_take_the_ends_of_the_scale() {
        let canvas = heatmap(&[5.0, -1.0], 1, 2, Colormap::Ember).unwrap();
        assert_eq!(
            canvas.rgb(),
            [Colormap::Ember.colour(1.0), Colormap::Ember.colour(0.0)].concat()
        );
        let canvas = heatmap(&[0.0, -1.0], 2, 1, Colormap::Poles).unwrap();
        assert_eq!(
            canvas.rgb(),
            [Colormap::Poles.colour(0.0), Colormap::Poles.colour(-1.0)].concat()
        );
    }

    #[test]
    fn a_constant_map_is_one_colour() {
        let canvas = heatmap(&[0.7; 6], 2, 3, Colormap::Ember).unwrap();
        assert_eq!(canvas.rgb(), Colormap::Ember.colour(0.0).repeat(6));
    }

    #[test]
    fn bad_maps_are_refused() {
        let of = |map: &[f32], height, width| heatmap(map, height, width, Colormap::Ember);
        assert!(matches!(of(&[0.0; 3], 2, 2), Err(RenderError::Length { expected: 4, found: 3 })));
        assert!(matches!(of(&[], 0, 2), Err(RenderError::Empty)));
        assert!(matches!(of(&[f32::NAN], 1, 1), Err(RenderError::NotFinite { index: 0 })));
    }
}
