//! Curves as drawings.

use std::fmt::Write as _;

use super::page::escaped;

/// Width and height with margins, and the margins: left, top, right, bottom.
const SIZE: [f64; 2] = [520.0, 260.0];
const MARGIN: [f64; 4] = [40.0, 14.0, 150.0, 30.0];
/// Colours that are told apart on light and dark ground, and by most who do not see all.
const COLOURS: [&str; 6] = ["#3b82c4", "#d9792b", "#3f9e6b", "#b0538f", "#8a8f2f", "#7a6fd0"];

/// A name, and values at equal distances.
pub(crate) type Curve<'a> = (&'a str, &'a [f64]);

/// A drawing of its own, with a title above each set of curves.
pub(crate) fn sheet(sets: &[(&str, &[Curve<'_>])]) -> String {
    let [width, height] = SIZE;
    let each = height + 24.0;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{0}\" viewBox=\"0 0 {width} {0}\" \
         font-family=\"sans-serif\" font-size=\"12\" color=\"#222\" fill=\"#222\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
        each * sets.len() as f64
    );
    for (at, (title, curves)) in sets.iter().enumerate() {
        let top = each * at as f64;
        let _ = writeln!(
            text,
            "<text x=\"{}\" y=\"{}\">{}</text>\n<g transform=\"translate(0 {})\">{}</g>",
            MARGIN[0],
            top + 16.0,
            escaped(title),
            top + 24.0,
            svg(curves)
        );
    }
    text.push_str("</svg>\n");
    text
}

/// One drawing with all curves, whose values lie in [0, 1].
pub(super) fn svg(curves: &[Curve<'_>]) -> String {
    let [width, height] = SIZE;
    let (left, right) = (MARGIN[0], width - MARGIN[2]);
    let (top, bottom) = (MARGIN[1], height - MARGIN[3]);
    let mut text = format!(
        "<svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"11\" fill=\"currentColor\" role=\"img\">\n"
    );
    for tick in 0..=4 {
        let share = f64::from(tick) / 4.0;
        let (x, y) = (left + share * (right - left), bottom - share * (bottom - top));
        let _ = writeln!(
            text,
            "<line x1=\"{left}\" x2=\"{right}\" y1=\"{y}\" y2=\"{y}\" stroke=\"currentColor\" stroke-opacity=\".18\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{share}</text>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{share}</text>",
            left - 6.0,
            y + 4.0,
            bottom + 16.0
        );
    }
    for (at, (name, values)) in curves.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        let last = (values.len().max(2) - 1) as f64;
        let points: Vec<String> = values
            .iter()
            .enumerate()
            .map(|(i, value)| {
                let x = left + i as f64 / last * (right - left);
                format!("{x:.1},{:.1}", bottom - value.clamp(0.0, 1.0) * (bottom - top))
            })
            .collect();
        let y = top + 14.0 * at as f64;
        let _ = writeln!(
            text,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>\
             <rect x=\"{:.1}\" y=\"{y:.1}\" width=\"10\" height=\"3\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            points.join(" "),
            right + 10.0,
            right + 25.0,
            y + 6.0,
            escaped(name)
        );
    }
    text.push_str("</svg>");
    text
}
