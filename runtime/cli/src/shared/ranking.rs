//! Classes by how likely they are.

use saligate_runtime::{Model, Prediction};
use serde_json::{Value, json};

/// The likeliest classes with number, label, logit and probability.
pub(crate) fn ranked(model: &Model, prediction: &Prediction, count: usize) -> Vec<Value> {
    let probabilities = prediction.probabilities();
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|&a, &b| prediction.logits[b].total_cmp(&prediction.logits[a]));
    let labels = &model.manifest().labels;
    let row = |class: usize| {
        json!({
            "class": class,
            "label": labels[class],
            "logit": prediction.logits[class],
            "probability": probabilities[class],
        })
    };
    order.into_iter().take(count).map(row).collect()
}
