//! Points in time as files and people write them.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::TimeError;

/// A point in time to the second, from 1970-01-01T00:00:00Z to 9999-12-31T23:59:59Z.
///
/// Written as RFC 3339 in UTC, `2026-11-23T14:31:21Z`, in this one spelling only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(u64);

impl Timestamp {
    /// The last one that can be written.
    pub const MAX: Self = Self(253_402_300_799);

    /// The present time by the system's clock.
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub fn seconds(self) -> u64 {
        self.0
    }

    /// Reads a time, or a date `2026-11-23` as its first second.
    ///
    /// # Errors
    /// [`TimeError`] for anything else.
    pub fn start_of(text: &str) -> Result<Self, TimeError> {
        if text.contains('T') { text.parse() } else { format!("{text}T00:00:00Z").parse() }
    }

    /// Reads a time, or a date `2026-11-23` as its last second.
    ///
    /// # Errors
    /// [`TimeError`] for anything else.
    pub fn end_of(text: &str) -> Result<Self, TimeError> {
        if text.contains('T') { text.parse() } else { format!("{text}T23:59:59Z").parse() }
    }

    /// The time so much earlier, at least the first one.
    pub fn before(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(by.as_secs()))
    }
}

impl From<SystemTime> for Timestamp {
    /// Cut to the second; a clock set outside of the range shows its nearest end.
    fn from(time: SystemTime) -> Self {
        let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Self(seconds.min(Self::MAX.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Lossless and never refused: the largest is `MAX`, the last second of the calendar.
        let time = OffsetDateTime::from_unix_timestamp(self.0 as i64).map_err(|_| fmt::Error)?;
        f.write_str(&time.format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        read(text).filter(|time| time.to_string() == text).ok_or(TimeError)
    }
}

impl TryFrom<String> for Timestamp {
    type Error = TimeError;

    fn try_from(text: String) -> Result<Self, TimeError> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> Self {
        time.to_string()
    }
}

/// The time of a text in any spelling that RFC 3339 allows.
fn read(text: &str) -> Option<Timestamp> {
    let seconds = OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp();
    u64::try_from(seconds).ok().map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds from `date -u -d TEXT +%s`.
    const KNOWN: [(u64, &str); 6] = [
        (0, "1970-01-01T00:00:00Z"),
        (68_169_599, "1972-02-28T23:59:59Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (1_735_689_599, "2024-12-31T23:59:59Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"),
        (253_402_300_799, "9999-12-31T23:59:59Z"),
    ];

    #[test]
    fn known_times_are_written_and_read() {
        for (seconds, text) in KNOWN {
            assert_eq!(Timestamp(seconds).to_string(), text);
            assert_eq!(text.parse::<Timestamp>().unwrap(), Timestamp(seconds));
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(Timestamp::from(time), Timestamp(seconds));
        }
    }

    #[test]
    fn days_follow_each_other_for_400_years() {
        const DAYS: u64 = 146_097;
        let date = |day: u64| {
            let text = Timestamp(day * 24 * 60 * 60).to_string();
            let days = text.parse::<Timestamp>().unwrap().seconds() / (24 * 60 * 60);
            assert_eq!(days, day);
            let number = |at: std::ops::Range<usize>| text[at].parse::<u64>().unwrap();
            (number(0..4), number(5..7), number(8..10))
        };
        let mut previous = date(0);
        for day in 1..=DAYS {
            let next_day = (previous.0, previous.1, previous.2 + 1);
            let next_month = (previous.0, previous.1 + 1, 1);
            let next_year = (previous.0 + 1, 1, 1);
            assert!([next_day, next_month, next_year].contains(&date(day)));
            previous = date(day);
        }
        assert_eq!(previous, (2370, 1, 1));
    }

    #[test]
    fn clocks_outside_of_the_range_show_its_ends() {
        let before = UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(Timestamp::from(before), Timestamp(0));
        let after = UNIX_EPOCH + Duration::from_secs(Timestamp::MAX.0 + 1);
        assert_eq!(Timestamp::from(after), Timestamp::MAX);
    }

    #[test]
    fn there_is_one_spelling() {
        for text in [
            "",
            "2026-11-23",
            "2026-11-23T14:31:21",
            "2026-11-23t14:31:21Z",
            "2026-11-23 14:31:21Z",
            "2026-11-23T14:31:21+00:00",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-11-23T24:00:00Z",
            "2026-11-23T14:60:00Z",
            "2026-11-23T14:31:60Z",
            "2026-11-23T14:31:21.0Z",
            "2026-11-23T14:31:21z",
            "+026-11-23T14:31:21Z",
            "1969-12-31T23:59:59Z",
            "２０26-11-23T14:31:21Z",
        ] {
            assert!(matches!(text.parse::<Timestamp>(), Err(TimeError)), "{text}");
        }
    }

    #[test]
    fn a_date_is_its_first_or_its_last_second() {
        let shown = |time: Result<Timestamp, TimeError>| time.unwrap().to_string();
        assert_eq!(shown(Timestamp::start_of("2026-11-23")), "2026-11-23T00:00:00Z");
        assert_eq!(shown(Timestamp::end_of("2026-11-23")), "2026-11-23T23:59:59Z");
        for read in [Timestamp::start_of, Timestamp::end_of] {
            assert_eq!(shown(read("2026-11-23T14:31:21Z")), "2026-11-23T14:31:21Z");
            assert!(read("23.11.2026").is_err());
        }
    }
}
