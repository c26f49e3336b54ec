//! Constants that look like a pattern to find or to add.

use saligate_models::graph::{Source, Value};

use super::listed;
use crate::bench::Bench;
use crate::check::{Area, CheckInfo};
use crate::deadline::Deadline;
use crate::error::Stop;
use crate::finding::{Finding, Verdict};

/// Fewest elements of a pattern.
const LEAST: usize = 16;
/// Largest difference of magnitudes, as a share, that counts as none.
const EQUAL: f32 = 1e-3;

pub(crate) const CONSTANTS: CheckInfo = CheckInfo {
    name: "repeated-constants",
    area: Area::Structure,
    about: "are there constants like a pattern of signs, or one that repeats over the picture?",
    share: 0.05,
    run,
};

fn run(bench: &Bench<'_>, _: Deadline) -> Result<Vec<Finding>, Stop> {
    let graph = &bench.subject.classifier;
    let params = graph.values().filter_map(|(id, value)| match &value.source {
        Source::Param(data) => Some((id, value, data)),
        _ => None,
    });
    let found: Vec<_> = params
        .filter(|(_, value, data)| is_signs(data) || repeats(value, data))
        .map(|(id, ..)| id)
        .collect();
    let says = match found.len() {
        0 => "no constant is a pattern of signs or repeats itself".to_owned(),
        count => format!(
            "{count} of the constants: patterns of equal magnitudes and varying signs, or such that repeat \
             themselves over rows and columns: what finds a trigger looks like this, trained weights do not"
        ),
    };
    let finding = Finding::new(CONSTANTS.name, Verdict::of(!found.is_empty()), says);
    Ok(vec![finding.values(listed(graph, &found))])
}

/// Whether all elements that are not zero have one magnitude and both signs.
fn is_signs(data: &[f32]) -> bool {
    let set = || data.iter().copied().filter(|&v| v != 0.0);
    let most = set().fold(0.0f32, |most, v| most.max(v.abs()));
    let signs = [set().filter(|v| *v > 0.0).count(), set().filter(|v| *v < 0.0).count()];
    signs[0] + signs[1] >= LEAST
        && signs.iter().all(|&count| count >= LEAST / 4)
        && set().all(|v| (v.abs() - most).abs() <= EQUAL * most)
}

/// Whether a constant with rows and columns is a smaller one, repeated in both directions.
fn repeats(value: &Value, data: &[f32]) -> bool {
    let [.., rows, columns] = value.shape[..] else { return false };
    if rows < 8 || columns < 8 || data.len() < LEAST {
        return false;
    }
    let most = data.iter().fold(0.0f32, |most, v| most.max(v.abs()));
    let plane = &data[..rows * columns];
    let varies = plane.iter().any(|v| (v - plane[0]).abs() > EQUAL * most);
    let by = |period: usize, down: bool| {
        data.iter().enumerate().all(|(at, v)| {
            let (row, column) = (at / columns % rows, at % columns);
            let (inside, step) = if down {
                (row + period < rows, period * columns)
            } else {
                (column + period < columns, period)
            };
            !inside || (data[at + step] - v).abs() <= EQUAL * most
        })
    };
    varies
        && (2..=rows / 2).any(|period| by(period, true))
        && (2..=columns / 2).any(|period| by(period, false))
        && !(by(1, true) || by(1, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(shape: &[usize]) -> Value {
        Value { name: "p".into(), shape: shape.to_vec(), source: Source::Input }
    }

    #[test]
    fn signs_are_told_from_weights() {
        let signs: Vec<f32> = (0..64).map(|at| if at % 3 == 0 { 0.03 } else { -0.03 }).collect();
        assert!(is_signs(&signs));
        let weights: Vec<f32> = (0..64).map(|at| (at as f32).sin()).collect();
        assert!(!is_signs(&weights));
        assert!(!is_signs(&[1.0; 64]) && !is_signs(&[0.0; 64]));
    }

    #[test]
    fn a_repeated_tile_is_seen() {
        let tile = [0.1, 0.7, -0.4, 0.2, 0.9, 0.3, -0.8, 0.5, 0.0];
        let data: Vec<f32> = (0..81).map(|at| tile[(at / 9 % 3) * 3 + at % 9 % 3]).collect();
        assert!(repeats(&value(&[1, 1, 9, 9]), &data));
        let ramp: Vec<f32> = (0..81).map(|at| at as f32).collect();
        assert!(!repeats(&value(&[1, 1, 9, 9]), &ramp));
        let rows: Vec<f32> = (0..81).map(|at| (at % 9) as f32).collect();
        assert!(!repeats(&value(&[1, 1, 9, 9]), &rows));
    }
}
