//! A map over its picture.

use super::canvas::mix;
use super::{Canvas, Colormap, RenderError};
use crate::picture::Picture;

/// Weight of the colour where the map is at its highest; the rest shows the picture.
const STRONGEST: f32 = 0.85;

/// Shows a map as colours over the grey picture. The stronger the shown value, the more of the
/// picture it covers: where the map is 0 the picture is seen unchanged.
///
/// # Shapes
/// `map`: `[height, width]` of the picture, row-major. The canvas has the size of the picture.
///
/// # Errors
/// [`RenderError`] for a map of another size than the picture and values that are not finite.
pub fn overlay(picture: &Picture, map: &[f32], colormap: Colormap) -> Result<Canvas, RenderError> {
    let grey = picture.luma();
    if map.len() != grey.len() {
        return Err(RenderError::Length { expected: grey.len(), found: map.len() });
    }
    let shown = colormap.scaling().apply(map)?;
    let blended = grey.iter().zip(&shown).flat_map(|(&grey, &value)| {
        let weight = STRONGEST * value.abs();
        colormap.colour(value).map(|colour| mix(grey, colour, weight))
    });
    Canvas::from_rgb(picture.height(), picture.width(), blended.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_map_shows_the_grey_picture() {
        let picture = Picture::from_planar(3, 1, 2, vec![255, 9, 0, 9, 0, 9]).unwrap();
        for colormap in [Colormap::Ember, Colormap::Poles] {
            assert_eq!(
                overlay(&picture, &[0.0; 2], colormap).unwrap().rgb(),
                [76, 76, 76, 9, 9, 9]
            );
        }
    }

    #[test]
    fn the_highest_value_is_mostly_colour() {
        let picture = Picture::from_planar(1, 1, 2, vec![0, 0]).unwrap();
        let canvas = overlay(&picture, &[0.0, 1.0], Colormap::Ember).unwrap();
        let brightest = Colormap::Ember.colour(1.0);
        assert_eq!(canvas.rgb()[..3], [0; 3]);
        assert_eq!(canvas.rgb()[3..], brightest.map(|colour| mix(0, colour, STRONGEST)));
    }

    #[test]
    fn a_map_of_another_size_is_refused() {
        let picture = Picture::from_planar(1, 2, 2, vec![0; 4]).unwrap();
        let error = overlay(&picture, &[0.0; 3], Colormap::Ember).unwrap_err();
        assert!(matches!(error, RenderError::Length { expected: 4, found: 3 }), "{error}");
    }
}
