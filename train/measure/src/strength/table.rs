//! The tables of attacks.

use std::fmt::Write as _;
use std::path::Path;

use super::Strength;
use crate::{MeasureError, rows};

/// Puts the attacks on a file into a table, in the place of those with its id, and writes the Markdown
/// beside it. Kinds of attacks that the table has of the same file, and that are not among these, stay
/// and are added.
///
/// # Errors
/// The table holds something else, or cannot be written.
pub fn put(strength: &mut Strength, path: &Path) -> Result<(), MeasureError> {
    let earlier: Vec<Strength> = if path.exists() { rows::read(path)? } else { Vec::new() };
    if let Some(earlier) = earlier.iter().find(|earlier| earlier.id == strength.id) {
        strength.add_earlier(earlier);
    }
    rows::tabulate(path, strength.clone(), |a, b| a.id == b.id, table)
}

fn table(all: &[Strength]) -> String {
    let mut text = String::from(
        "# What the file of a locked or sealed model gives away\n\n\
         Made by `saligate-train strength`. Each figure is the rank correlation of what an attacker \
         gets with the clean\nmodel's map of the same picture: the mean over test images, with a 95 % \
         interval. Whoever attacks has the file, the\ntraining images where steps are named, and no key, but \
         for a pair of pictures that somebody with a key published. Of\nseveral values, tiles, steps or searches, \
         the row has the one that shows most, which an attacker could not tell.\nSeconds are of one run on \
         the machine that made the table, for all pictures or for the training. What each attack does is told in [threat-model.md](threat-model.md#sealed-models).\n",
    );
    for Strength { id, seed, attacks, .. } in all {
        let _ = write!(
            text,
            "\n## {id}\n\nSeed {seed}.\n\n\
             | attack | compared by | rho | pictures | runs per picture | training steps | seconds | accuracy |\n\
             |---|---|---|---|---|---|---|---|\n"
        );
        for attack in attacks {
            let accuracy = attack.accuracy.map_or_else(String::new, |a| format!("{a:.3}"));
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} | {:.1} | {accuracy} |",
                attack.name,
                attack.method,
                rows::cell(attack.rho),
                attack.pictures,
                attack.queries,
                attack.steps,
                attack.seconds,
            );
        }
    }
    text
}
