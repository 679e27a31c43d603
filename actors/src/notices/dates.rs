//! Ranges of dates.

use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::constraint::Constraint;
use crate::clock::DAY_MS;

const DAY_S: i64 = DAY_MS / 1000;

/// A range of days, such as `>= 2020-01-01T00:00:00Z < 2020-02-01T00:00:00Z`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct DateRange(Constraint<OffsetDateTime>);

impl DateRange {
    /// Returns true if the range contains the start of the day of `now_s` (Unix seconds) in UTC.
    pub(super) fn holds(&self, now_s: i64) -> bool {
        let midnight = i128::from(now_s - now_s.rem_euclid(DAY_S)) * 1_000_000_000;
        self.0.holds(|bound| midnight.cmp(&bound.unix_timestamp_nanos()))
    }
}

impl TryFrom<String> for DateRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Constraint::read(&text, |word| OffsetDateTime::parse(word, &Rfc3339).ok()).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_meant_when_its_first_moment_is() {
        // 2020-03-10, at its first and its last second.
        for now_s in [1_583_798_400, 1_583_884_799] {
            for (text, is_meant) in [
                ("= 2020-03-10T00:00:00Z", true),
                ("= 2020-03-10T02:00:00+02:00", true),
                ("2020-03-09T00:00:00Z", false),
                (">= 2020-03-10T00:00:00Z", true),
                ("> 2020-03-10T00:00:00Z", false),
                (">= 2020-03-10T00:00:00.5Z", false),
                ("> 2020-03-01T00:00:00Z <= 2020-04-01T00:00:00Z", true),
                (">= 2020-04-01T00:00:00Z, < 2020-05-01T00:00:00Z", false),
                ("< 2020-03-01T00:00:00Z || != 2020-03-11T00:00:00Z", true),
            ] {
                assert_eq!(DateRange::try_from(text.to_owned()).unwrap().holds(now_s), is_meant, "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in ["", "2020-03-10", "> yesterday", "> 2020-02-30T00:00:00Z"] {
            assert!(DateRange::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
