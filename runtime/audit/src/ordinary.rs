//! What is ordinary: the numbers of networks that nobody manipulated, and the bounds that follow.

use saligate_models::saliency::Method;

/// The smallest and largest number of each check on five networks that nobody manipulated: ResNet-20 and
/// ResNet-56 on CIFAR-10, SqueezeNet 1.1 on ImageNet and on Tiny ImageNet, and the small network of the
/// demo, 40 pictures each with seed 1.
const ORDINARY: &[(&str, Option<Method>, [f64; 2])] = &[
    ("gradient-differences", Some(Method::Gradient), [0.74, 0.99]),
    ("same-maps", Some(Method::Gradient), [0.19, 0.43]),
    ("same-maps", Some(Method::GradCam), [0.07, 0.69]),
    ("same-maps", Some(Method::VisualBackProp), [0.04, 0.77]),
    ("evidence", Some(Method::Gradient), [-0.01, 0.39]),
    ("evidence", Some(Method::GradCam), [0.09, 0.47]),
    ("agreement", None, [0.04, 0.51]),
    ("same-classes", Some(Method::Gradient), [0.24, 0.39]),
    ("same-classes", Some(Method::GradCam), [0.19, 0.53]),
    ("shuffled-weights", Some(Method::Gradient), [0.03, 0.45]),
    ("shuffled-weights", Some(Method::GradCam), [-0.10, 0.08]),
    ("shuffled-weights", Some(Method::VisualBackProp), [0.53, 0.77]),
    ("noise", Some(Method::Gradient), [0.83, 0.99]),
    ("noise", Some(Method::GradCam), [1.00, 1.00]),
    ("noise", Some(Method::VisualBackProp), [1.00, 1.00]),
    ("trigger-search", Some(Method::Gradient), [-0.15, 0.06]),
    ("trigger-search", Some(Method::GradCam), [-0.28, 0.10]),
    ("trigger-search", Some(Method::VisualBackProp), [-0.03, 0.02]),
];

/// The smallest and largest number of a check on ordinary networks.
pub(crate) fn range(check: &str, method: Option<Method>) -> Option<[f64; 2]> {
    let own = ORDINARY.iter().find(|(name, of, _)| *name == check && *of == method);
    own.map(|(_, _, range)| *range)
}

/// Rank correlation from which maps of different pictures count as one map.
pub(crate) fn most_alike(method: Method) -> f64 {
    match method {
        Method::VisualBackProp => 0.97,
        _ => 0.9,
    }
}

/// Rank correlation with what predictions rest on, below which maps have nothing to do with it. Single
/// gradients of deep networks come near zero without anybody's doing.
pub(crate) fn least_evidence(method: Method) -> f64 {
    match method {
        Method::Gradient => -0.03,
        _ => 0.05,
    }
}

/// Rank correlation of gradient and Grad-CAM maps below which they contradict each other. Networks whose
/// gradients were steadied come to -.25 without anybody's doing.
pub(crate) const LEAST_AGREEMENT: f64 = -0.3;

/// Fewest rows and columns of Grad-CAM maps that are compared with what happens in parts of a picture.
pub(crate) const LEAST_SIDE: usize = 4;

/// Rank correlation from which maps do not depend on the weights. Products of many layers, as
/// VisualBackProp makes them, keep much of a picture whatever the weights are.
pub(crate) fn most_kept(method: Method) -> f64 {
    match method {
        Method::VisualBackProp => 0.97,
        _ => 0.9,
    }
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
