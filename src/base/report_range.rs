//! The range of time whose posts a report of accounts counts.

use time::{Date, Month, OffsetDateTime};

use quarterdeck_actors::clock::DAY_MS;

/// The names of the ranges in the API.
pub(crate) const RANGES: [&str; 4] = ["all_time", "last_30_days", "previous_month", "last_6_months"];

/// Returns the start of a range and its end, which does not belong to it, in Unix milliseconds.
///
/// An unknown name means all time, as in Mattermost. Months are those of UTC.
pub(crate) fn report_range(name: &str, at_ms: i64) -> (i64, i64) {
    let from = match name {
        "last_30_days" => at_ms - 30 * DAY_MS,
        "last_6_months" => months_before(at_ms, 6).unwrap_or(0),
        "previous_month" => {
            let months = start_of_month(at_ms, 1).zip(start_of_month(at_ms, 0));
            return months.unwrap_or((0, i64::MAX));
        }
        _ => 0,
    };
    (from, i64::MAX)
}

/// Returns the time that is `count` calendar months before `at_ms`. A day that the month does not have becomes one of
/// the next month.
fn months_before(at_ms: i64, count: u8) -> Option<i64> {
    let now = moment(at_ms)?;
    let days = i64::from(now.day()) - 1;
    let of_day = at_ms.rem_euclid(DAY_MS);
    Some(start_of_month(at_ms, count)? + days * DAY_MS + of_day)
}

/// Returns the start of the month that is `back` months before that of `at_ms`.
fn start_of_month(at_ms: i64, back: u8) -> Option<i64> {
    let now = moment(at_ms)?;
    let months = now.year().checked_mul(12)? + i32::from(u8::from(now.month())) - 1 - i32::from(back);
    let month = Month::try_from(u8::try_from(months.rem_euclid(12)).ok()? + 1).ok()?;
    let start = Date::from_calendar_date(months.div_euclid(12), month, 1).ok()?;
    Some(start.midnight().assume_utc().unix_timestamp() * 1000)
}

fn moment(at_ms: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(at_ms.div_euclid(1000)).ok()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn ms(moment: OffsetDateTime) -> i64 {
        moment.unix_timestamp() * 1000
    }

    #[test]
    fn ranges_are_those_of_the_calendar() {
        let now = ms(datetime!(2026-01-31 12:30 UTC));
        assert_eq!(report_range("last_30_days", now), (now - 30 * DAY_MS, i64::MAX));
        let december = (ms(datetime!(2025-12-01 0:00 UTC)), ms(datetime!(2026-01-01 0:00 UTC)));
        assert_eq!(report_range("previous_month", now), december);
        assert_eq!(report_range("last_6_months", now), (ms(datetime!(2025-07-31 12:30 UTC)), i64::MAX));
        let august = ms(datetime!(2025-08-31 1:00 UTC));
        assert_eq!(
            report_range("last_6_months", august).0,
            ms(datetime!(2025-03-03 1:00 UTC)),
            "there is no 31 February"
        );
        for unknown in ["all_time", "", "since_tuesday"] {
            assert_eq!(report_range(unknown, now), (0, i64::MAX), "{unknown:?}");
        }
        for extreme in [i64::MAX, 0] {
            for range in RANGES {
                let (from, until) = report_range(range, extreme);
                assert!(from < until, "{range}, {extreme}");
            }
        }
    }
}
