//! A small bitmap font: letters five pixels wide and seven high, with two more rows for what hangs
//! below the line.

/// Rows of a glyph: seven from the top of a capital to the line it stands on, two below.
pub(super) const GLYPH_ROWS: usize = 9;
/// Columns from one glyph of a strip to the next.
const PITCH: usize = 6;
/// Widest glyph.
const GLYPH_COLUMNS: usize = 5;

/// The pixels of one character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Glyph {
    /// Number of columns up to the last inked one; 0 without ink.
    pub(super) width: usize,
    /// Each row as bits, the leftmost pixel lowest.
    rows: [u8; GLYPH_ROWS],
}

impl Glyph {
    /// The glyph of a character, if the font has one. A space has no ink.
    pub(super) fn of(character: char) -> Option<Self> {
        if character == ' ' {
            return Some(Self::new([0; GLYPH_ROWS]));
        }
        STRIPS.iter().find_map(|strip| {
            let place = strip.characters.chars().position(|other| other == character)?;
            Some(Self::new(strip.rows.map(|row| bits(row, PITCH * place))))
        })
    }

    /// A hollow box, for characters that the font lacks.
    pub(super) fn unknown() -> Self {
        Self::new([0b11111, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b11111, 0, 0])
    }

    /// Whether there is ink; there is none outside the glyph.
    pub(super) fn ink(&self, row: usize, column: usize) -> bool {
        column < GLYPH_COLUMNS && self.rows.get(row).is_some_and(|bits| bits >> column & 1 == 1)
    }

    fn new(rows: [u8; GLYPH_ROWS]) -> Self {
        let inked = rows.iter().fold(0, |all, row| all | row);
        Self { width: (u8::BITS - inked.leading_zeros()) as usize, rows }
    }
}

/// Glyphs side by side as one reads them, one blank column between.
struct Strip {
    characters: &'static str,
    rows: [&'static str; GLYPH_ROWS],
}

/// The pixels of one row of a glyph that starts at `column`; rows may leave out trailing blanks.
fn bits(row: &str, column: usize) -> u8 {
    let pixels = row.bytes().skip(column).take(GLYPH_COLUMNS);
    pixels.enumerate().fold(0, |bits, (place, pixel)| bits | u8::from(pixel == b'#') << place)
}

const STRIPS: [Strip; 7] = [
    Strip {
        characters: "ABCDEFGHIJKLM",
        rows: [
            " ###  ####   ###  ####  ##### #####  ###  #   # ###      #  #   # #     #   #",
            "#   # #   # #   # #   # #     #     #   # #   #  #       #  #  #  #     ## ##",
            "#   # #   # #     #   # #     #     #     #   #  #       #  # #   #     # # #",
            "##### ####  #     #   # ####  ####  # ### #####  #       #  ##    #     # # #",
            "#   # #   # #     #   # #     #     #   # #   #  #       #  # #   #     #   #",
            "#   # #   # #   # #   # #     #     #   # #   #  #    #  #  #  #  #     #   #",
            "#   # ####   ###  ####  ##### #      ###  #   # ###    ##   #   # ####  #   #",
            "                                                                             ",
            "                                                                             ",
        ],
    },
    Strip {
        characters: "NOPQRSTUVWXYZ",
        rows: [
            "#   #  ###  ####   ###  ####   #### ##### #   # #   # #   # #   # #   # #####",
            "##  # #   # #   # #   # #   # #       #   #   # #   # #   # #   # #   #     #",
            "##  # #   # #   # #   # #   # #       #   #   # #   # #   #  # #   # #     # ",
            "# # # #   # ####  #   # ####   ###    #   #   # #   # # # #   #     #     #  ",
            "#  ## #   # #     # # # # #       #   #   #   #  # #  # # #  # #    #    #   ",
            "#  ## #   # #     #  #  #  #      #   #   #   #  # #  ## ## #   #   #   #    ",
            "#   #  ###  #      ## # #   # ####    #    ###    #   #   # #   #   #   #####",
            "                                                                             ",
            "                                                                             ",
        ],
    },
    Strip {
        characters: "abcdefghijklm",
        rows: [
            "      #               #         ##        #     #       #   #     #          ",
            "      #               #        #          #                 #     #          ",
            " ###  ####   ###   ####  ###  ####   #### ####  #       #   #  #  #     ## # ",
            "    # #   # #     #   # #   #  #    #   # #   # #       #   # #   #     # # #",
            " #### #   # #     #   # #####  #    #   # #   # #       #   ##    #     # # #",
            "#   # #   # #     #   # #      #    #   # #   # #       #   # #   #     # # #",
            " #### ####   ###   ####  ###   #     #### #   # #       #   #  #   #    # # #",
            "                                        #               #                    ",
            "                                     ###              ##                     ",
        ],
    },
    Strip {
        characters: "nopqrstuvwxyz",
        rows: [
            "                                     #                                       ",
            "                                     #                                       ",
            "####   ###  ####   #### # ##   ###  ####  #   # #   # #   # #   # #   # #### ",
            "#   # #   # #   # #   # ##    #      #    #   # #   # # # #  # #  #   #    # ",
            "#   # #   # #   # #   # #      ##    #    #   #  # #  # # #   #   #   #  ##  ",
            "#   # #   # #   # #   # #        #   #    #   #  # #  # # #  # #  #   # #    ",
            "#   #  ###  ####   #### #     ###     ##   ####   #    # #  #   #  #### #### ",
            "            #         #                                               #      ",
            "            #         #                                            ###       ",
        ],
    },
    Strip {
        characters: "0123456789",
        rows: [
            " ##    #     ##    ##     #   ####   ##   ####   ##    ##  ",
            "#  #  ##    #  #  #  #   ##   #     #        #  #  #  #  # ",
            "#  #   #       #     #   ##   ###   #        #  #  #  #  # ",
            "#  #   #      #    ##   # #      #  ###     #    ##    ### ",
            "#  #   #     #       #  ####     #  #  #    #   #  #     # ",
            "#  #   #    #     #  #    #   #  #  #  #   #    #  #     # ",
            " ##   ###   ####   ##     #    ##    ##    #     ##    ##  ",
            "                                                           ",
            "                                                           ",
        ],
    },
    Strip {
        characters: ".,:;+-=/%()",
        rows: [
            "                                              # ##  #   #   #    ",
            "                                             #  ##  #  #     #   ",
            "            #      #      #                  #     #  #       #  ",
            "                          #         ####    #     #   #       #  ",
            "                        ##### ####         #     #    #       #  ",
            "                          #         ####   #    #  ##  #     #   ",
            "#      #    #      #      #               #     #  ##   #   #    ",
            "       #           #                                             ",
            "      #           #                                              ",
        ],
    },
    Strip {
        characters: "[]<>_'\"!?#*",
        rows: [
            "###   ###      #  #           #     # #   #      ###   # #       ",
            "#       #     #    #          #     # #   #     #   #  # #  # # #",
            "#       #    #      #                     #         # #####  ### ",
            "#       #   #        #                    #        #   # #  #####",
            "#       #    #      #                     #       #   #####  ### ",
            "#       #     #    #                                   # #  # # #",
            "###   ###      #  #                       #       #    # #       ",
            "                        #####                                    ",
            "                                                                 ",
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(character: char) -> Vec<String> {
        let glyph = Glyph::of(character).unwrap();
        let pixel = |row, column| if glyph.ink(row, column) { '#' } else { '.' };
        (0..GLYPH_ROWS)
            .map(|row| (0..glyph.width).map(|column| pixel(row, column)).collect())
            .collect()
    }

    #[test]
    fn a_glyph_is_cut_out_of_its_strip() {
        assert_eq!(
            drawn('T'),
            ["#####", "..#..", "..#..", "..#..", "..#..", "..#..", "..#..", ".....", "....."]
        );
        assert_eq!(drawn('i'), ["#", ".", "#", "#", "#", "#", "#", ".", "."]);
        assert_eq!(drawn(','), ["..", "..", "..", "..", "..", "..", ".#", ".#", "#."]);
    }

    #[test]
    fn what_panels_are_titled_with_is_there() {
        for character in ('a'..='z').chain('A'..='Z').chain('0'..='9').chain(" .,:%+-/()=".chars())
        {
            assert!(Glyph::of(character).is_some(), "{character}");
        }
        assert_eq!(Glyph::of('\u{3bb}'), None);
    }

    #[test]
    fn no_two_characters_look_alike() {
        let characters: Vec<char> =
            STRIPS.iter().flat_map(|strip| strip.characters.chars()).collect();
        for (at, &a) in characters.iter().enumerate() {
            for &b in &characters[at + 1..] {
                assert_ne!(Glyph::of(a), Glyph::of(b), "{a} and {b}");
            }
        }
    }

    #[test]
    fn every_glyph_starts_at_its_left_edge_and_has_ink() {
        for character in STRIPS.iter().flat_map(|strip| strip.characters.chars()) {
            let glyph = Glyph::of(character).unwrap();
            assert!((0..GLYPH_ROWS).any(|row| glyph.ink(row, 0)), "{character}");
            assert!(glyph.width <= GLYPH_COLUMNS, "{character}");
        }
    }
}
