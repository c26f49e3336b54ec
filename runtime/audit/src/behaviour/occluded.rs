//! What predictions rest on, found without gradients: by covering parts of the picture.

use super::parts::{PARTS, place};
use crate::bench::Bench;
use crate::deadline::Deadline;
use crate::error::Stop;
use crate::explainer::Explainer;

/// For each of the first pictures, how much the logit of the predicted class falls where a part is
/// covered by the mean colour of the picture, `[part row, part column]`.
pub(super) fn falls(
    bench: &Bench<'_>,
    count: usize,
    deadline: Deadline,
) -> Result<Vec<Vec<f32>>, Stop> {
    let explainer = Explainer::new(&bench.subject.classifier, &[], bench.settings.threads)?;
    let [channels, rows, columns] = bench.pictures.shape();
    let plane = rows * columns;
    (0..count)
        .map(|at| {
            let picture = bench.picture(at);
            let means: Vec<f32> = picture
                .chunks_exact(plane)
                .map(|channel| channel.iter().sum::<f32>() / plane as f32)
                .collect();
            let covered = |part: usize| {
                let mut covered = picture.clone();
                for pixel in 0..plane {
                    if place(pixel, rows, columns) == part {
                        (0..channels).for_each(|c| covered[c * plane + pixel] = means[c]);
                    }
                }
                covered
            };
            let answers = explainer.answers(PARTS * PARTS, covered, |_| None, deadline)?;
            let whole = &bench.answer(at).logits;
            let class = bench.answer(at).class();
            let score = |logits: &[f32]| {
                let others = logits.iter().enumerate().filter(|(other, _)| *other != class);
                let mean = others.map(|(_, logit)| logit).sum::<f32>();
                logits[class] - mean / (logits.len() - 1).max(1) as f32
            };
            Ok(answers.iter().map(|answer| score(whole) - score(&answer.logits)).collect())
        })
        .collect()
}
