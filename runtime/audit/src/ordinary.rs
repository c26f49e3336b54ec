//! What is ordinary: the numbers of networks that nobody manipulated, and the bounds that follow.

use saligate_models::saliency::Method;

/// The smallest and largest number of a check on the networks that bounds were set with.
pub(crate) fn range(_check: &str, _method: Option<Method>) -> Option<[f64; 2]> {
    None
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
    0.5
}

/// Anomaly index from which a class counts as reached by a trigger (Wang et al. 2019, section V).
pub(crate) const ANOMALOUS: f64 = 2.0;
