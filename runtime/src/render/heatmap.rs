//! A map as colours.

use super::canvas::check_size;
use super::{Canvas, RenderError, Scaling};

/// Shows a map as the colours of the scaling's [`colormap`](Scaling::colormap), one pixel a value:
/// [`Scaling::MinMax`] for magnitudes, [`Scaling::MaxAbs`] for signed values. A constant map
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
    scaling: Scaling,
) -> Result<Canvas, RenderError> {
    let expected = check_size(height, width)?;
    if map.len() != expected {
        return Err(RenderError::Length { expected, found: map.len() });
    }
    let shown = scaling.apply(map)?;
    let colormap = scaling.colormap();
    Canvas::from_rgb(
        height,
        width,
        shown.iter().flat_map(|&value| colormap.colour(value)).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Colormap;

    #[test]
    fn the_lowest_and_highest_value_take_the_ends_of_the_scale() {
        let canvas = heatmap(&[5.0, -1.0], 1, 2, Scaling::MinMax).unwrap();
        assert_eq!(
            canvas.rgb(),
            [Colormap::Ember.colour(1.0), Colormap::Ember.colour(0.0)].concat()
        );
        let canvas = heatmap(&[0.0, -1.0], 2, 1, Scaling::MaxAbs).unwrap();
        assert_eq!(
            canvas.rgb(),
            [Colormap::Poles.colour(0.0), Colormap::Poles.colour(-1.0)].concat()
        );
    }

    #[test]
    fn a_constant_map_is_one_colour() {
        let canvas = heatmap(&[0.7; 6], 2, 3, Scaling::MinMax).unwrap();
        assert_eq!(canvas.rgb(), Colormap::Ember.colour(0.0).repeat(6));
    }

    #[test]
    fn bad_maps_are_refused() {
        let of = |map: &[f32], height, width| heatmap(map, height, width, Scaling::MinMax);
        assert!(matches!(of(&[0.0; 3], 2, 2), Err(RenderError::Length { expected: 4, found: 3 })));
        assert!(matches!(of(&[], 0, 2), Err(RenderError::Empty)));
        assert!(matches!(of(&[f32::NAN], 1, 1), Err(RenderError::NotFinite { index: 0 })));
    }
}
