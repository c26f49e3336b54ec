//! The auxiliary head that tells the right trigger from all others.

use burn::tensor::{Device, Tensor, activation};

use crate::engine::{ASIDE, Array, Trained};

/// Names of its parameters.
const WEIGHT: &str = "detection.weight";
const BIAS: &str = "detection.bias";

/// Keeps the slope of a deviation finite at zero.
const TINY: f32 = 1e-3;

/// Adds the parameters of a head on so many features, which says nothing at first.
pub(super) fn put_head(trained: &mut Trained, features: usize) {
    trained.put_aside(WEIGHT, vec![0.0; features], &[1, features]);
    trained.put_aside(BIAS, vec![0.0], &[1]);
}

/// Mean binary cross-entropy of the head with whether the right trigger is there, 1 or 0 for every
/// row. Features `[row, feature]` are brought to mean 0 and deviation 1 over the batch before.
pub(super) fn loss(
    trained: &Trained,
    features: Tensor<2>,
    keyed: &[f32],
    device: &Device,
) -> Tensor<1> {
    let parameter = |name: &str| {
        let array = trained.parameters.get(&format!("{ASIDE}{name}"));
        array.expect("the head has been put there").clone()
    };
    let (weight, bias) = (parameter(WEIGHT).matrix(), parameter(BIAS).vector());
    let centred = features.clone() - features.mean_dim(0);
    let deviation = (centred.clone() * centred.clone()).mean_dim(0).add_scalar(TINY * TINY).sqrt();
    let scores = (centred / deviation * weight).sum_dim(1) + bias.reshape([1, 1]);
    let keyed = Array::new(keyed.to_vec(), &[keyed.len(), 1], device).matrix();
    let signs = keyed.mul_scalar(2.0).sub_scalar(1.0);
    -activation::log_sigmoid(scores * signs).mean()
}
