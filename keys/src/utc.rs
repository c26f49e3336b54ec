//! Times as people and logs read them.

use std::time::{SystemTime, UNIX_EPOCH};

const SECONDS_A_DAY: u64 = 24 * 60 * 60;

/// The time as UTC to the second, in the form of RFC 3339: `2026-11-23T14:31:21Z`. A clock set
/// before 1970 shows as 1970.
pub(crate) fn rfc_3339(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (year, month, day) = civil_from_days(seconds / SECONDS_A_DAY);
    let of_day = seconds % SECONDS_A_DAY;
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month (1..=12) and day (1..=31) in the Gregorian calendar of a day counted from
/// 1970-01-01.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`,
/// <https://howardhinnant.github.io/date_algorithms.html>. Years begin on 1 March there, so that
/// the leap day is the last.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    const DAYS_AN_ERA: u64 = 146_097; // 400 years
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn check(seconds: u64, expected: &str) {
        assert_eq!(rfc_3339(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
    }

    /// Seconds from `date -u -d TEXT +%s`.
    #[test]
    fn known_times() {
        check(0, "1970-01-01T00:00:00Z");
        check(68_169_599, "1972-02-28T23:59:59Z");
        check(951_782_400, "2000-02-29T00:00:00Z");
        check(1_735_689_599, "2024-12-31T23:59:59Z");
        check(4_107_542_400, "2100-03-01T00:00:00Z");
        check(253_402_300_799, "9999-12-31T23:59:59Z");
    }

    #[test]
    fn days_follow_each_other_for_400_years() {
        let mut previous = civil_from_days(0);
        for days in 1..=146_097 {
            let (year, month, day) = civil_from_days(days);
            let next_day = (previous.0, previous.1, previous.2 + 1);
            let next_month = (previous.0, previous.1 + 1, 1);
            let next_year = (previous.0 + 1, 1, 1);
            assert!([next_day, next_month, next_year].contains(&(year, month, day)));
            previous = (year, month, day);
        }
        assert_eq!(previous, (2370, 1, 1));
    }

    #[test]
    fn before_1970() {
        let time = UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(rfc_3339(time), "1970-01-01T00:00:00Z");
    }
}
