//! Points in time as files and people write them.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::Error;

const SECONDS_A_DAY: u64 = 24 * 60 * 60;
const DAYS_AN_ERA: u64 = 146_097; // 400 years

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
    /// [`Error::Time`] for anything else.
    pub fn start_of(text: &str) -> Result<Self, Error> {
        if text.contains('T') { text.parse() } else { format!("{text}T00:00:00Z").parse() }
    }

    /// Reads a time, or a date `2026-11-23` as its last second.
    ///
    /// # Errors
    /// [`Error::Time`] for anything else.
    pub fn end_of(text: &str) -> Result<Self, Error> {
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
        let (year, month, day) = civil_from_days(self.0 / SECONDS_A_DAY);
        let of_day = self.0 % SECONDS_A_DAY;
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        read(text).filter(|time| time.to_string() == text).ok_or(Error::Time)
    }
}

impl TryFrom<String> for Timestamp {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> Self {
        time.to_string()
    }
}

/// The time of a text with digits in the right places. Days and hours that do not exist give
/// another time, whose spelling differs.
fn read(text: &str) -> Option<Timestamp> {
    if text.len() != "2026-11-23T14:31:21Z".len() || !text.is_ascii() {
        return None;
    }
    let number = |from: usize, to: usize| {
        let digits = &text[from..to];
        let all = digits.bytes().all(|b| b.is_ascii_digit());
        all.then(|| digits.parse::<u64>().ok()).flatten()
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if year < 1970 || !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    let days = days_from_civil(year, month, day);
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    (seconds <= Timestamp::MAX.0).then_some(Timestamp(seconds))
}

/// Year, month (1..=12) and day (1..=31) in the Gregorian calendar of a day counted from
/// 1970-01-01.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`,
/// <https://howardhinnant.github.io/date_algorithms.html>. Years begin on 1 March there, so that
/// the leap day is the last.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // from 0000-03-01
    let era = days / DAYS_AN_ERA;
    let of_era = days % DAYS_AN_ERA;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = 400 * era + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

/// The day counted from 1970-01-01, of a year from 1970 on; the inverse of [`civil_from_days`] by
/// the same source.
fn days_from_civil(year: u64, month: u64, day: u64) -> u64 {
    let year = year - u64::from(month <= 2);
    let (era, of_era) = (year / 400, year % 400);
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * month_from_march + 2) / 5 + day - 1;
    DAYS_AN_ERA * era + 365 * of_era + of_era / 4 - of_era / 100 + of_year - 719_468
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
        let mut previous = civil_from_days(0);
        for days in 1..=DAYS_AN_ERA {
            let (year, month, day) = civil_from_days(days);
            let next_day = (previous.0, previous.1, previous.2 + 1);
            let next_month = (previous.0, previous.1 + 1, 1);
            let next_year = (previous.0 + 1, 1, 1);
            assert!([next_day, next_month, next_year].contains(&(year, month, day)));
            assert_eq!(days_from_civil(year, month, day), days);
            previous = (year, month, day);
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
            "+026-11-23T14:31:21Z",
            "1969-12-31T23:59:59Z",
            "２０26-11-23T14:31:21Z",
        ] {
            assert!(matches!(text.parse::<Timestamp>(), Err(Error::Time)), "{text}");
        }
    }

    #[test]
    fn a_date_is_its_first_or_its_last_second() {
        let shown = |time: Result<Timestamp, Error>| time.unwrap().to_string();
        assert_eq!(shown(Timestamp::start_of("2026-11-23")), "2026-11-23T00:00:00Z");
        assert_eq!(shown(Timestamp::end_of("2026-11-23")), "2026-11-23T23:59:59Z");
        for read in [Timestamp::start_of, Timestamp::end_of] {
            assert_eq!(shown(read("2026-11-23T14:31:21Z")), "2026-11-23T14:31:21Z");
            assert!(read("23.11.2026").is_err());
        }
    }
}
