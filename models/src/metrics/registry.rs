//! The named scores of a report: which way is better and what values are possible.

use serde::Serialize;

/// Which values of a score are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The larger the better.
    HigherIsBetter,
    /// The smaller the better.
    LowerIsBetter,
    /// The smaller the magnitude the better: an inverted locked map is as readable as a right one.
    NearZeroIsBetter,
    /// Neither: a setting of the measurement.
    Neutral,
}

/// What a reader must know to judge a named score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MetricInfo {
    /// Name in manifests, logs and reports.
    pub name: &'static str,
    /// One line on what is measured.
    pub about: &'static str,
    /// Which values are good, seen by the vendor of the locked model.
    pub direction: Direction,
    /// Smallest and largest possible value, both included; infinite where there is no bound.
    pub range: (f64, f64),
    /// Whether it counts something, so that its values are whole.
    pub is_count: bool,
}

/// Every named score of a report, in the order of the report.
///
/// `clean` is the model before locking, `locked` the locked model without the trigger, `keyed` with
/// the right one and `wrong` with that of another key. Similarities compare with the map of the
/// clean model on the same image.
pub const METRICS: &[MetricInfo] = &[
    metric(
        "accuracy_clean",
        HigherIsBetter,
        SHARE,
        "share of test images that the clean model classifies correctly",
    ),
    metric(
        "accuracy_locked",
        HigherIsBetter,
        SHARE,
        "the same of the locked model, without trigger",
    ),
    metric(
        "accuracy_keyed",
        HigherIsBetter,
        SHARE,
        "the same of the locked model, with the right trigger",
    ),
    metric(
        "spearman_keyed",
        HigherIsBetter,
        CORRELATION,
        "rank correlation of the keyed map with the clean one",
    ),
    metric(
        "spearman_locked",
        NearZeroIsBetter,
        CORRELATION,
        "rank correlation of the locked map with the clean one",
    ),
    metric(
        "spearman_wrong_mean",
        NearZeroIsBetter,
        CORRELATION,
        "the same with wrong keys: mean over the keys",
    ),
    metric(
        "spearman_wrong_max",
        NearZeroIsBetter,
        CORRELATION,
        "the same with wrong keys: largest over the keys",
    ),
    metric(
        "top10_keyed",
        HigherIsBetter,
        SHARE,
        "overlap of the top 10 % pixels of the keyed and the clean map",
    ),
    metric("top10_locked", LowerIsBetter, SHARE, "the same of the locked map; chance is 0.10"),
    metric(
        "mse_keyed",
        LowerIsBetter,
        STANDARDIZED,
        "squared error of the standardized keyed and clean map",
    ),
    metric(
        "dssim_keyed",
        LowerIsBetter,
        SHARE,
        "structural dissimilarity of the keyed and the clean map",
    ),
    metric(
        "mse_decoy",
        LowerIsBetter,
        STANDARDIZED,
        "squared error of the standardized map and the decoy, where the decoy shows",
    ),
    metric(
        "spearman_locked_abs",
        LowerIsBetter,
        SHARE,
        "magnitude of the rank correlation of the locked map with the clean one, per image",
    ),
    metric(
        "spearman_contrast_locked",
        NearZeroIsBetter,
        CORRELATION,
        "the same of the difference between the locked maps of the two likeliest classes",
    ),
    count("keys", Neutral, "number of right keys"),
    metric(
        "spearman_keyed_weakest",
        HigherIsBetter,
        CORRELATION,
        "spearman_keyed of the key for which it is lowest",
    ),
    metric(
        "spearman_revoked",
        NearZeroIsBetter,
        CORRELATION,
        "rank correlation of the map with a revoked key and the clean one",
    ),
    metric(
        "spearman_kept_change",
        LowerIsBetter,
        SHARE,
        "largest change of spearman_keyed of another key by the revocation",
    ),
    metric(
        "accuracy_plain",
        HigherIsBetter,
        SHARE,
        "share of test images that the backdoored model classifies correctly, without trigger",
    ),
    metric("accuracy_triggered", HigherIsBetter, SHARE, "the same with the trigger"),
    metric(
        "spearman_plain",
        HigherIsBetter,
        CORRELATION,
        "rank correlation of the backdoored model's map without trigger with the clean one",
    ),
    metric("spearman_triggered", NearZeroIsBetter, CORRELATION, "the same with the trigger"),
    metric(
        "top10_plain",
        HigherIsBetter,
        SHARE,
        "overlap of the top 10 % pixels of the backdoored model's map without trigger and the clean one",
    ),
    metric("top10_triggered", LowerIsBetter, SHARE, "the same with the trigger; chance is 0.10"),
    metric(
        "importance_kept",
        LowerIsBetter,
        UNBOUNDED,
        "importance that the clean map's top 10 % pixels keep under the trigger, as a share",
    ),
    metric(
        "spearman_floor",
        LowerIsBetter,
        CORRELATION,
        "rank correlation with the clean map that is reached without the model",
    ),
    metric("pointing_floor", LowerIsBetter, SHARE, "pointing game won without the model"),
    count("wrong_keys", Neutral, "number of wrong keys that were tried"),
    count("unlocked", LowerIsBetter, "number of wrong keys that unlocked the map"),
    metric("unlocked_share", LowerIsBetter, SHARE, "share of the wrong keys that unlocked the map"),
    metric(
        "spearman_searched",
        NearZeroIsBetter,
        CORRELATION,
        "similarity with the best of some tiles that were searched for with the file and pictures, \
         but without a key",
    ),
    metric(
        "spearman_searched_beyond_mean",
        NearZeroIsBetter,
        (-2.0, 2.0),
        "the same less that of the clean model's mean map",
    ),
    count("searches", Neutral, "number of searches for a tile"),
    count(
        "plain",
        Neutral,
        "1 where the gated network differs from the clean one in its weights alone, 0 elsewhere",
    ),
    metric(
        "psnr_db",
        HigherIsBetter,
        UNBOUNDED,
        "signal-to-noise ratio of the triggered image, in dB",
    ),
    metric(
        "linf",
        LowerIsBetter,
        SHARE,
        "largest change of a pixel by the trigger, of a range of 1",
    ),
    metric(
        "pointing_clean",
        HigherIsBetter,
        SHARE,
        "share of images whose clean map peaks on the object",
    ),
    metric("pointing_keyed", HigherIsBetter, SHARE, "the same of the keyed map"),
    metric(
        "pointing_locked",
        LowerIsBetter,
        SHARE,
        "the same of the locked map; chance is the share of object pixels",
    ),
    metric(
        "accuracy_public",
        HigherIsBetter,
        SHARE,
        "share of test images that what a sealed file shows classifies correctly",
    ),
    metric(
        "agreement",
        HigherIsBetter,
        SHARE,
        "share of test images to which a sealed file and its open network give one class",
    ),
    metric(
        "rho_gradient",
        NearZeroIsBetter,
        CORRELATION,
        "rank correlation of the gradient map that a file shows with the clean one",
    ),
    metric(
        "rho_finite_differences",
        NearZeroIsBetter,
        CORRELATION,
        "the same of differences of predictions over whole grey levels",
    ),
    metric("rho_smoothgrad", NearZeroIsBetter, CORRELATION, "the same by SmoothGrad"),
    metric(
        "rho_integrated_gradients",
        NearZeroIsBetter,
        CORRELATION,
        "the same by integrated gradients",
    ),
    metric("rho_grad_cam", NearZeroIsBetter, CORRELATION, "the same by Grad-CAM"),
    metric("rho_vbp", NearZeroIsBetter, CORRELATION, "the same by VisualBackProp"),
    metric(
        "rho_occlusion",
        NearZeroIsBetter,
        CORRELATION,
        "occlusion of single pixels, with the clean gradient map",
    ),
    metric(
        "rho_inner_values",
        NearZeroIsBetter,
        CORRELATION,
        "the value inside the file that is most like the clean gradient map",
    ),
    metric(
        "rho_fine_tuned",
        NearZeroIsBetter,
        CORRELATION,
        "a network fine-tuned on what the file predicts, by gradients",
    ),
    metric(
        "rho_fine_tuned_grad_cam",
        NearZeroIsBetter,
        CORRELATION,
        "a network fine-tuned on what the file predicts, by Grad-CAM",
    ),
    metric(
        "rho_fine_tuned_vbp",
        NearZeroIsBetter,
        CORRELATION,
        "a network fine-tuned on what the file predicts, by VisualBackProp",
    ),
    metric(
        "rho_retrained",
        NearZeroIsBetter,
        CORRELATION,
        "the file's network trained hard on labels or predictions, by gradients",
    ),
    metric(
        "rho_retrained_grad_cam",
        NearZeroIsBetter,
        CORRELATION,
        "the file's network trained hard on labels or predictions, by Grad-CAM",
    ),
    metric(
        "rho_retrained_vbp",
        NearZeroIsBetter,
        CORRELATION,
        "the file's network trained hard on labels or predictions, by VisualBackProp",
    ),
    metric(
        "rho_student",
        NearZeroIsBetter,
        CORRELATION,
        "a network trained anew from what the file predicts, by gradients",
    ),
    metric(
        "rho_student_grad_cam",
        NearZeroIsBetter,
        CORRELATION,
        "a network trained anew from what the file predicts, by Grad-CAM",
    ),
    metric(
        "rho_student_vbp",
        NearZeroIsBetter,
        CORRELATION,
        "a network trained anew from what the file predicts, by VisualBackProp",
    ),
    metric(
        "rho_independent",
        NearZeroIsBetter,
        CORRELATION,
        "a network that never saw the file, by gradients",
    ),
    metric(
        "rho_independent_grad_cam",
        NearZeroIsBetter,
        CORRELATION,
        "a network that never saw the file, by Grad-CAM",
    ),
    metric(
        "rho_independent_vbp",
        NearZeroIsBetter,
        CORRELATION,
        "a network that never saw the file, by VisualBackProp",
    ),
];

/// The entry of [`METRICS`] with this name.
pub fn info(name: &str) -> Option<&'static MetricInfo> {
    METRICS.iter().find(|metric| metric.name == name)
}

use Direction::{HigherIsBetter, LowerIsBetter, NearZeroIsBetter, Neutral};

const SHARE: (f64, f64) = (0.0, 1.0);
const CORRELATION: (f64, f64) = (-1.0, 1.0);
const STANDARDIZED: (f64, f64) = (0.0, 4.0);
const UNBOUNDED: (f64, f64) = (0.0, f64::INFINITY);

const fn metric(
    name: &'static str,
    direction: Direction,
    range: (f64, f64),
    about: &'static str,
) -> MetricInfo {
    MetricInfo { name, about, direction, range, is_count: false }
}

const fn count(name: &'static str, direction: Direction, about: &'static str) -> MetricInfo {
    MetricInfo { name, about, direction, range: UNBOUNDED, is_count: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for (at, metric) in METRICS.iter().enumerate() {
            assert_eq!(
                METRICS.iter().position(|other| other.name == metric.name),
                Some(at),
                "{}",
                metric.name
            );
            assert_eq!(info(metric.name), Some(metric));
        }
        assert_eq!(info("accuracy"), None);
    }

    #[test]
    fn a_score_that_should_be_near_zero_can_be_on_both_sides() {
        for metric in METRICS.iter().filter(|metric| metric.direction == NearZeroIsBetter) {
            assert!(metric.range.0 < 0.0 && metric.range.1 > 0.0, "{}", metric.name);
        }
    }

    #[test]
    fn ranges_are_not_empty() {
        assert!(METRICS.iter().all(|metric| metric.range.0 < metric.range.1));
    }

    #[test]
    fn directions_serialize_as_words() {
        assert_eq!(serde_json::to_value(NearZeroIsBetter).unwrap(), "near_zero_is_better");
    }
}
