//! The named scores of a saliency method on pictures: which way is better, and where each is from.

use super::registry::Direction::{self, HigherIsBetter, LowerIsBetter, NearZeroIsBetter, Neutral};

/// What a reader must know to judge a score of maps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MapMetric {
    /// Name in reports.
    pub name: &'static str,
    /// One line on what is measured.
    pub about: &'static str,
    /// Which values are good.
    pub direction: Direction,
    /// Smallest and largest possible value, both included; infinite where there is no bound.
    pub range: (f64, f64),
    /// Whether it is to tell a faithful map from a random one.
    pub tells_faith: bool,
    /// Where the definition is from.
    pub source: &'static str,
}

/// Every score of maps, in the order of reports.
pub const MAP_METRICS: &[MapMetric] = &[
    MapMetric {
        name: "insertion",
        about: "area under the probability of the class while the picture appears, most salient pixels first",
        direction: HigherIsBetter,
        range: (0.0, 1.0),
        tells_faith: true,
        source: "Petsiuk et al. 2018, section 4.1",
    },
    MapMetric {
        name: "deletion",
        about: "area under the probability of the class while pixels become the mean colour, most salient first",
        direction: LowerIsBetter,
        range: (0.0, 1.0),
        tells_faith: true,
        source: "Petsiuk et al. 2018, section 4.1",
    },
    MapMetric {
        name: "pixel_flipping",
        about: "the same while pixels become black, without the whole picture",
        direction: LowerIsBetter,
        range: (0.0, 1.0),
        tells_faith: true,
        source: "Bach et al. 2015, section 4.3",
    },
    MapMetric {
        name: "infidelity",
        about: "mean square of the change of the logit that is promised less the one that is found, parts covered",
        direction: LowerIsBetter,
        range: (0.0, f64::INFINITY),
        tells_faith: false,
        source: "Yeh et al. 2019, definition 2.1",
    },
    MapMetric {
        name: "infidelity_scaled",
        about: "the same at the best scale of the map, as a share of the mean square of the changes",
        direction: LowerIsBetter,
        range: (0.0, 1.0),
        tells_faith: true,
        source: "Yeh et al. 2019, definition 2.1 and section 5",
    },
    MapMetric {
        name: "max_sensitivity",
        about: "largest relative change of the attribution by a noise of some grey levels",
        direction: LowerIsBetter,
        range: (0.0, f64::INFINITY),
        tells_faith: false,
        source: "Yeh et al. 2019, definition 2.2",
    },
    MapMetric {
        name: "sparseness",
        about: "Gini index of the magnitudes of the map",
        direction: HigherIsBetter,
        range: (0.0, 1.0),
        tells_faith: false,
        source: "Chalasani et al. 2020, section 4.3",
    },
    MapMetric {
        name: "complexity",
        about: "entropy of the shares of the pixels in the map, in nats",
        direction: LowerIsBetter,
        range: (0.0, f64::INFINITY),
        tells_faith: false,
        source: "Bhatt et al. 2020, definition 4",
    },
    MapMetric {
        name: "randomisation",
        about: "rank correlation of the map with that of the network with shuffled weights",
        direction: NearZeroIsBetter,
        range: (-1.0, 1.0),
        tells_faith: false,
        source: "Adebayo et al. 2018, section 3.1",
    },
    MapMetric {
        name: "pointing_game",
        about: "share of pictures whose highest pixel lies on the object",
        direction: HigherIsBetter,
        range: (0.0, 1.0),
        tells_faith: false,
        source: "Zhang et al. 2016, section 4.2",
    },
    MapMetric {
        name: "inside_mass",
        about: "share of the positive relevance that lies on the object",
        direction: HigherIsBetter,
        range: (0.0, 1.0),
        tells_faith: false,
        source: "Arras et al. 2022, relevance mass accuracy",
    },
];

/// The entry of [`MAP_METRICS`] with this name.
pub fn map_metric(name: &str) -> Option<&'static MapMetric> {
    MAP_METRICS.iter().find(|metric| metric.name == name)
}

impl Direction {
    /// The words for it in tables.
    pub fn words(self) -> &'static str {
        match self {
            HigherIsBetter => "higher is better",
            LowerIsBetter => "lower is better",
            NearZeroIsBetter => "near zero is better",
            Neutral => "a setting",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for (at, metric) in MAP_METRICS.iter().enumerate() {
            let first = MAP_METRICS.iter().position(|other| other.name == metric.name);
            assert_eq!(first, Some(at), "{}", metric.name);
            assert_eq!(map_metric(metric.name), Some(metric));
            assert!(metric.range.0 < metric.range.1);
        }
        assert_eq!(map_metric("spearman"), None);
    }
}
