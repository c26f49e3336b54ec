//! Pictures whose class stays when others are blended in: STRIP.
//!
//! Y. Gao et al., STRIP: A Defence Against Trojan Attacks on Deep Neural Networks, ACSAC 2019.

use crate::bench::Bench;
use crate::check::{Area, CheckInfo};
use crate::deadline::Deadline;
use crate::error::Stop;
use crate::explainer::Explainer;
use crate::finding::{Finding, Number, Verdict};

/// Pictures that are blended into each, half and half.
const BLENDS: usize = 8;
/// Deviations below the median at which an entropy is an outlier.
const OUTLIER: f64 = 3.5;
/// Fewest such pictures that count: one or two of some dozens are ordinary.
const LEAST: usize = 3;

pub(crate) const STRIP: CheckInfo = CheckInfo {
    name: "strip",
    area: Area::Labels,
    about: "are there pictures whose class stays, whatever is blended into them?",
    share: 0.15,
    run,
};

fn run(bench: &Bench<'_>, deadline: Deadline) -> Result<Vec<Finding>, Stop> {
    let explainer = Explainer::new(&bench.subject.classifier, &[], bench.settings.threads)?;
    let count = bench.count();
    let mut stream = bench.stream(STRIP.name);
    let mut entropies = Vec::with_capacity(count);
    for at in 0..count {
        let own = bench.picture(at);
        let others: Vec<usize> =
            (0..BLENDS).map(|_| (at + 1 + stream.below(count - 1)) % count).collect();
        let blended = |blend: usize| {
            let other = bench.picture(others[blend]);
            own.iter().zip(other).map(|(a, b)| 0.5 * (a + b)).collect()
        };
        let answers = explainer.answers(BLENDS, blended, |_| None, deadline)?;
        let each = answers.iter().map(|answer| {
            let probabilities = bench.subject.head.probabilities(&answer.logits);
            let terms = probabilities
                .iter()
                .filter(|p| **p > 0.0)
                .map(|&p| -f64::from(p) * f64::from(p).log2());
            terms.sum::<f64>()
        });
        entropies.push(each.sum::<f64>() / BLENDS as f64);
    }
    let middle = median(&entropies);
    let spread = 1.4826 * median(&entropies.iter().map(|e| (e - middle).abs()).collect::<Vec<_>>());
    let below =
        entropies.iter().filter(|e| middle - **e > OUTLIER * spread && spread > 0.0).count();
    let found = below >= LEAST;
    let says = match found {
        true => format!(
            "{below} of {count} pictures keep their class under blends much more firmly than the others: \
             look whether they carry a trigger"
        ),
        false => "no picture keeps its class under blends more firmly than the others".to_owned(),
    };
    let numbers = [
        Number::new("median entropy of blends, in bits", middle),
        Number::new("its spread (scaled median deviation)", spread),
        Number::new("pictures far below", below as f64),
    ];
    Ok(vec![Finding::new(STRIP.name, Verdict::of(found), says).numbers(numbers)])
}

/// The middle value, 0 of none.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => (sorted[even / 2 - 1] + sorted[even / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&[]), 0.0);
    }
}
