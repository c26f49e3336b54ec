//! How the training of a gate changes over its steps.

use serde::{Deserialize, Serialize};

use super::{ConfigError, LockConfig};

/// A value that goes from one number to another over the steps of a phase; written as one number
/// where it stays the same.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Ramp {
    /// The same at every step.
    Level(f64),
    /// At the first step, and behind the last one.
    Between([f64; 2]),
}

impl Ramp {
    fn ends(self) -> [f64; 2] {
        match self {
            Self::Level(value) => [value; 2],
            Self::Between(ends) => ends,
        }
    }

    /// The value when a share of the phase is over.
    fn at(self, share: f64) -> f64 {
        let [from, to] = self.ends();
        from + (to - from) * share
    }

    fn is_within(self, range: std::ops::RangeInclusive<f64>) -> bool {
        self.ends().iter().all(|value| range.contains(value))
    }
}

/// Some steps of the training of a gate, one after the other: those of all phases make the training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// What it is called in the log.
    pub name: String,
    /// Number of steps.
    pub steps: usize,
    /// Learning rate, in units of `lock.steps.rate`; it goes along half a cosine.
    #[serde(default = "one")]
    pub rate: Ramp,
    /// Amplitude of all triggers, in 8-bit steps; the trigger's own where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amplitude: Option<Ramp>,
    /// Factor of the objective's terms on maps.
    #[serde(default = "one")]
    pub maps: Ramp,
    /// Further factor of those terms that hide the original map.
    #[serde(default = "one")]
    pub hide: Ramp,
    /// Weight of the cross-entropy of the detection head.
    #[serde(default = "zero")]
    pub detection: Ramp,
}

fn one() -> Ramp {
    Ramp::Level(1.0)
}

fn zero() -> Ramp {
    Ramp::Level(0.0)
}

/// What holds at one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Moment {
    /// Learning rate.
    pub(crate) rate: f64,
    /// In 8-bit steps, where it is not the trigger's own.
    pub(crate) amplitude: Option<u8>,
    /// Factor of the terms on maps.
    pub(crate) maps: f32,
    /// Further factor of those that hide the original map.
    pub(crate) hide: f32,
    /// Weight of the detection head.
    pub(crate) detection: f32,
}

impl LockConfig {
    /// Number of training steps.
    pub fn count(&self) -> usize {
        match self.phases.as_slice() {
            [] => self.steps.count,
            phases => phases.iter().map(|phase| phase.steps).sum(),
        }
    }

    pub(crate) fn moment(&self, at: usize) -> Moment {
        let mut first = 0;
        for phase in &self.phases {
            if at < first + phase.steps {
                let share = (at - first) as f64 / phase.steps as f64;
                let wave = 0.5 - 0.5 * (std::f64::consts::PI * share).cos();
                return Moment {
                    rate: self.steps.rate * phase.rate.at(wave),
                    amplitude: phase.amplitude.map(|ramp| ramp.at(share).round() as u8),
                    maps: phase.maps.at(share) as f32,
                    hide: phase.hide.at(share) as f32,
                    detection: phase.detection.at(share) as f32,
                };
            }
            first += phase.steps;
        }
        let rate = self.steps.rate_at(at);
        Moment { rate, amplitude: None, maps: 1.0, hide: 1.0, detection: 0.0 }
    }

    pub(super) fn check_phases(&self) -> Result<(), ConfigError> {
        let value = |field, expected| Err(ConfigError::Value { field, expected });
        if self.phases.is_empty() {
            return match self.detection {
                Some(_) => value("lock.detection", "absent where there are no lock.phases"),
                None => Ok(()),
            };
        }
        if self.steps.count > 0 {
            return value("lock.steps.count", "absent where lock.phases say how many steps");
        }
        let largest = 1e6;
        for phase in &self.phases {
            if phase.steps == 0 || !phase.rate.is_within(0.0..=largest) {
                return value("lock.phases", "of at least one step, with rates of 0 or more");
            }
            if !phase.amplitude.is_none_or(|ramp| ramp.is_within(1.0..=127.0)) {
                return value("amplitude of lock.phases", "between 1 and 127");
            }
            let factors = [phase.maps, phase.hide, phase.detection];
            if factors.iter().any(|factor| !factor.is_within(0.0..=largest)) {
                return value("maps, hide and detection of lock.phases", "0 or more");
            }
        }
        let detects = self.phases.iter().any(|phase| !phase.detection.is_within(0.0..=0.0));
        if detects != self.detection.is_some() {
            return value(
                "lock.detection",
                "given where phases have a weight for it, and only there",
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(text: &str) -> Result<LockConfig, String> {
        let steps = "steps = { batch = 4, rate = 2.0 }\n";
        let section: LockConfig =
            toml::from_str(&format!("{steps}{text}")).map_err(|error| error.to_string())?;
        section.check().map_err(|error| error.to_string())?;
        Ok(section)
    }

    #[test]
    fn phases_follow_each_other() {
        let lock = section(
            "detection = { layer = \"x\" }\n\
             [[phases]]\nname = \"detect\"\nsteps = 4\nrate = [0, 1]\namplitude = [12, 4]\n\
             maps = 0\ndetection = 1\n\
             [[phases]]\nname = \"gate\"\nsteps = 2\nmaps = [0, 1]\nhide = [1, 0]\n",
        )
        .unwrap();
        assert_eq!(lock.count(), 6);
        let moments: Vec<Moment> = (0..6).map(|at| lock.moment(at)).collect();
        let amplitudes: Vec<_> = moments.iter().map(|m| m.amplitude).collect();
        assert_eq!(amplitudes, [Some(12), Some(10), Some(8), Some(6), None, None]);
        let rates: Vec<f64> = moments.iter().map(|m| m.rate).collect();
        assert!(
            (rates[0], rates[4], rates[5]) == (0.0, 2.0, 2.0) && (rates[2] - 1.0).abs() < 1e-12
        );
        assert_eq!([3, 4, 5].map(|at| moments[at].maps), [0.0, 0.0, 0.5]);
        assert_eq!([3, 4, 5].map(|at| moments[at].hide), [1.0, 1.0, 0.5]);
        assert_eq!([0, 3, 4].map(|at| moments[at].detection), [1.0, 1.0, 0.0]);
    }

    #[test]
    fn phases_that_make_no_sense_are_told() {
        let phase = |more: &str| format!("[[phases]]\nname = \"gate\"\nsteps = 2\n{more}\n");
        for (text, part) in [
            (phase("detection = 1"), "lock.detection"),
            (format!("detection = {{ layer = \"x\" }}\n{}", phase("")), "lock.detection"),
            ("detection = { layer = \"x\" }\n".to_owned(), "lock.detection"),
            (phase("rate = -1"), "lock.phases"),
            (phase("rate = nan"), "lock.phases"),
            (phase("maps = [0, -1]"), "maps, hide and detection"),
            (phase("hide = -1"), "maps, hide and detection"),
            (phase("amplitude = 0"), "between 1 and 127"),
            ("[[phases]]\nname = \"gate\"\nsteps = 0\n".to_owned(), "at least one step"),
        ] {
            let message = section(&text).unwrap_err();
            assert!(message.contains(part), "{text}: {message}");
        }
        let counted = "steps = { count = 3, batch = 4, rate = 1.0 }\n";
        let lock: LockConfig = toml::from_str(&format!("{counted}{}", phase(""))).unwrap();
        assert!(lock.check().unwrap_err().to_string().contains("lock.steps.count"));
    }
}
