//! Letters without stairs: the bitmap font enlarged, its diagonals smoothed, its corners kept.

use super::font::{GLYPH_ROWS, Glyph};

/// Canvas pixels for one pixel of the font, along each axis.
pub(super) const SCALE: usize = 2;

/// How much of each canvas pixel a glyph covers.
pub(super) struct Coverage {
    /// Each canvas pixel as two by two.
    quarters: Bitmap,
}

impl Coverage {
    /// The glyph enlarged by [`SCALE`].
    pub(super) fn of(glyph: &Glyph) -> Self {
        let pixels =
            (0..GLYPH_ROWS).flat_map(|row| (0..glyph.width).map(move |column| (row, column)));
        let inked = pixels.map(|(row, column)| glyph.ink(row, column)).collect();
        let bitmap = Bitmap { width: glyph.width, inked };
        Self { quarters: bitmap.doubled(true).doubled(false) }
    }

    /// Share of a canvas pixel that is inked, in `[0, 1]`.
    pub(super) fn at(&self, row: usize, column: usize) -> f32 {
        let (row, column) = (2 * row as isize, 2 * column as isize);
        let quarters = [(0, 0), (0, 1), (1, 0), (1, 1)];
        let inked =
            quarters.iter().filter(|(down, right)| self.quarters.ink(row + down, column + right));
        inked.count() as f32 / 4.0
    }
}

struct Bitmap {
    width: usize,
    inked: Vec<bool>,
}

impl Bitmap {
    /// Twice as large by Scale2x (Mazzoleni, 2001): a quarter of a pixel takes the value of the two
    /// neighbours that it touches where they agree and differ from those across.
    ///
    /// That also rounds right angles, which `keep_corners` prevents: there the neighbour between
    /// the two, on the diagonal, has their value as well, or the pixel is the tip of an angle.
    fn doubled(&self, keep_corners: bool) -> Self {
        let rows = 2 * self.inked.len().checked_div(self.width).unwrap_or(0);
        let columns = 2 * self.width;
        let quarters = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
        let inked = quarters
            .map(|(row, column)| self.quarter(row as isize, column as isize, keep_corners))
            .collect();
        Self { width: columns, inked }
    }

    fn quarter(&self, row: isize, column: isize, keep_corners: bool) -> bool {
        let (y, x) = (row / 2, column / 2);
        let (down, right) = (row % 2 * 2 - 1, column % 2 * 2 - 1);
        let near = self.ink(y + down, x);
        let touched = near == self.ink(y, x + right);
        let across = near != self.ink(y - down, x) && near != self.ink(y, x - right);
        let stair = !keep_corners || near != self.ink(y + down, x + right);
        if touched && across && stair { near } else { self.ink(y, x) }
    }

    /// Whether there is ink; there is none outside.
    fn ink(&self, row: isize, column: isize) -> bool {
        let (Ok(row), Ok(column)) = (usize::try_from(row), usize::try_from(column)) else {
            return false;
        };
        column < self.width && self.inked.get(row * self.width + column).is_some_and(|inked| *inked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubled(rows: &[&str]) -> Vec<String> {
        let inked = rows.iter().flat_map(|row| row.bytes().map(|pixel| pixel == b'#')).collect();
        let large = Bitmap { width: rows[0].len(), inked }.doubled(true);
        let line = |row: &[bool]| row.iter().map(|inked| if *inked { '#' } else { '.' }).collect();
        large.inked.chunks(large.width).map(line).collect()
    }

    #[test]
    fn a_diagonal_becomes_a_band() {
        assert_eq!(doubled(&["#.", ".#"]), ["##..", "###.", ".###", "..##"]);
    }

    #[test]
    fn a_right_angle_keeps_its_corner() {
        assert_eq!(doubled(&["##", "#."]), ["####", "####", "##..", "##.."]);
    }

    #[test]
    fn a_straight_stroke_is_covered_fully() {
        let stroke = Coverage::of(&Glyph::of('_').unwrap());
        assert_eq!(stroke.at(7 * SCALE, 4), 1.0);
        assert_eq!(stroke.at(7 * SCALE - 1, 4), 0.0);
        assert_eq!(stroke.at(1000, 1000), 0.0);
    }

    #[test]
    fn a_space_covers_nothing() {
        assert_eq!(Coverage::of(&Glyph::of(' ').unwrap()).at(0, 0), 0.0);
    }
}
