//! What is ordinary: the numbers of networks that nobody manipulated, and the bounds that follow.

use saligate_models::saliency::Method;

/// The smallest and largest number of each check on five networks that nobody manipulated: ResNet-20 and
/// ResNet-56 on CIFAR-10, SqueezeNet 1.1 on ImageNet and on Tiny ImageNet, and the small network of the
/// demo, 40 pictures each with seed 1.
const ORDINARY: &[(&str, Method, [f64; 2])] = &[
    ("gradient-differences", Method::Gradient, [0.74, 0.99]),
    ("same-maps", Method::Gradient, [0.19, 0.43]),
    ("same-maps", Method::GradCam, [0.07, 0.69]),
    ("same-maps", Method::VisualBackProp, [0.04, 0.77]),
    ("evidence", Method::Gradient, [0.03, 0.46]),
    ("evidence", Method::GradCam, [0.13, 0.52]),
    ("same-classes", Method::Gradient, [0.24, 0.39]),
    ("same-classes", Method::GradCam, [0.19, 0.53]),
    ("shuffled-weights", Method::Gradient, [0.03, 0.45]),
    ("shuffled-weights", Method::GradCam, [-0.10, 0.08]),
    ("shuffled-weights", Method::VisualBackProp, [0.53, 0.77]),
    ("noise", Method::Gradient, [0.83, 0.99]),
    ("noise", Method::GradCam, [1.00, 1.00]),
    ("noise", Method::VisualBackProp, [1.00, 1.00]),
    ("trigger-search", Method::Gradient, [-0.15, 0.06]),
    ("trigger-search", Method::GradCam, [-0.28, 0.10]),
    ("trigger-search", Method::VisualBackProp, [-0.03, 0.02]),
];

/// The smallest and largest number of a check on ordinary networks.
pub(crate) fn range(check: &str, method: Option<Method>) -> Option<[f64; 2]> {
    let own = ORDINARY.iter().find(|(name, of, _)| *name == check && Some(*of) == method);
    own.map(|(_, _, range)| *range)
}

/// Rank correlation from which maps of different pictures count as one map.
pub(crate) fn most_alike(method: Method) -> f64 {
    match method {
        Method::VisualBackProp => 0.97,
        _ => 0.9,
    }
}

/// Rank correlation with what predictions rest on, below which maps have nothing to do with it.
pub(crate) fn least_evidence(_method: Method) -> f64 {
    0.05
}

/// Rank correlation with the map of the picture without noise, below which a map is not steady.
pub(crate) fn least_steady(_method: Method) -> f64 {
    0.1
}

/// Change of maps by a tile that was searched for, beyond random tiles, that ordinary networks do not
/// reach.
pub(crate) fn most_turned(_method: Method) -> f64 {
    0.35
}

/// Anomaly index from which a class counts as reached by a trigger (Wang et al. 2019, section V).
pub(crate) const ANOMALOUS: f64 = 2.0;
