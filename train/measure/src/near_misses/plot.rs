//! A curve as a drawing.

use std::fmt::Write as _;

use super::{Curve, Point, triggers};

/// Size of one panel with its margins, in pixels.
const PANEL: [f64; 2] = [240.0, 190.0];
/// Left, top, right and bottom margin inside a panel.
const MARGIN: [f64; 4] = [38.0, 26.0, 12.0, 40.0];

/// One panel per kind of near miss, side by side: the share of images that open over its strength.
pub(super) fn svg(curve: &Curve) -> String {
    let kinds = ["flipped", "shifted", "amplitude", "part", "blend"];
    let [width, height] = [PANEL[0] * kinds.len() as f64, PANEL[1] + 22.0];
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"8\" y=\"16\" font-size=\"13\">{}: share of {} images that a near miss opens</text>\n",
        curve.id.replace('&', "&amp;").replace('<', "&lt;"),
        curve.images
    );
    for (at, kind) in kinds.into_iter().enumerate() {
        let mut points: Vec<&Point> = curve.points.iter().filter(|p| p.kind == kind).collect();
        let right = curve.points.iter().find(|p| p.kind == "right");
        // The right key stands where nothing is missed.
        let unmissed = if matches!(kind, "flipped" | "shifted") { 0.0 } else { 1.0 };
        let right = right.map(|p| Point { strength: unmissed, ..p.clone() });
        points.extend(right.as_ref());
        points.sort_by(|a, b| a.strength.total_cmp(&b.strength));
        panel(&mut text, at as f64 * PANEL[0], triggers::describe(kind), &points);
    }
    text.push_str("</svg>\n");
    text
}

fn panel(text: &mut String, left: f64, title: &str, points: &[&Point]) {
    let largest = points.iter().map(|p| p.strength).fold(f64::MIN_POSITIVE, f64::max);
    let [from, to] = [left + MARGIN[0], left + PANEL[0] - MARGIN[2]];
    let [top, bottom] = [22.0 + MARGIN[1], 22.0 + PANEL[1] - MARGIN[3]];
    let x = |strength: f64| from + (to - from) * strength / largest;
    let y = |share: f64| bottom - (bottom - top) * share;
    for share in [0.0, 0.5, 1.0] {
        let _ = writeln!(
            text,
            "<path d=\"M{from} {0:.1}H{to}\" stroke=\"#ddd\"/><text x=\"{1}\" y=\"{2:.1}\" \
             text-anchor=\"end\">{share}</text>",
            y(share),
            from - 5.0,
            y(share) + 4.0
        );
    }
    let line: Vec<String> =
        points.iter().map(|p| format!("{:.1},{:.1}", x(p.strength), y(p.unlocked))).collect();
    let _ = writeln!(
        text,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#1b6ca8\" stroke-width=\"1.5\"/>",
        line.join(" ")
    );
    for p in points {
        let _ = writeln!(
            text,
            "<path d=\"M{0:.1} {1:.1}V{2:.1}\" stroke=\"#1b6ca8\"/><circle cx=\"{0:.1}\" cy=\"{3:.1}\" \
             r=\"2.5\" fill=\"#1b6ca8\"/>",
            x(p.strength),
            y(p.unlocked_ci[0]),
            y(p.unlocked_ci[1]),
            y(p.unlocked)
        );
    }
    for strength in [0.0, largest] {
        let _ = writeln!(
            text,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{strength}</text>",
            x(strength),
            bottom + 15.0
        );
    }
    let middle = (from + to) / 2.0;
    let shown = title.split(',').next().unwrap_or(title);
    let _ = writeln!(
        text,
        "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{shown}</text>",
        bottom + 30.0
    );
}
