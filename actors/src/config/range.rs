//! The ranges to which the server clamps numbers of the settings. A rule may refuse more. A value that no rule refuses
//! must be harmless, even if another server stored it or an environment variable sets it.

use serde::{Deserialize, Deserializer};

/// The maximum duration in seconds: a hundred years. It can be added to a clock and multiplied by 1000 without
/// overflow.
pub(super) const MAX_SECONDS: i64 = 3_155_760_000;

pub(super) const MAX_MINUTES: i64 = MAX_SECONDS / 60;

pub(super) const MAX_HOURS: i64 = MAX_SECONDS / 3_600;

pub(crate) const MAX_MILLIS: i64 = MAX_SECONDS * 1_000;

/// The maximum of PostgreSQL's own setting for connections.
pub(super) const MAX_CONNECTIONS: i64 = 262_143;

/// The maximum of a 32-bit number, with which the database counts failed logins and members.
pub(super) const MAX_COUNT: i64 = 2_147_483_647;

/// The maximum rate of requests per second. The rate limiter measures in nanoseconds, so this is one request per
/// nanosecond.
pub(super) const MAX_PER_SEC: i64 = 1_000_000_000;

/// Reads a whole number and clamps it to the range.
pub(crate) fn clamped<'de, const MIN: i64, const MAX: i64, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: TryFrom<i64>,
    D: Deserializer<'de>,
{
    let number = i64::deserialize(deserializer)?.clamp(MIN, MAX);
    T::try_from(number).map_err(|_| serde::de::Error::custom("the range is too wide for the number"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::Config;
    use super::super::proposal::{DecisionContext, check};
    use super::super::table::{Kind, Setting, defaults, placed};
    use super::*;

    const EXTREMES: [i64; 7] = [i64::MIN, -1, 0, 1, 1 << 32, i64::MAX - 1, i64::MAX];

    fn numbers() -> impl Iterator<Item = &'static Setting> {
        placed().filter(|setting| setting.kind == Kind::Int)
    }

    fn context() -> DecisionContext {
        let fingerprint = std::sync::Arc::new(|_: &str, _: &Value| String::new());
        DecisionContext {
            now_ms: 1,
            file_exists: std::sync::Arc::new(|_: &str| true),
            is_served: std::sync::Arc::new(|_: &str| false),
            fingerprint,
        }
    }

    #[test]
    fn each_number_is_refused_by_a_rule_or_makes_a_view_at_its_extremes() {
        let mut refused = 0;
        for setting in numbers() {
            for value in EXTREMES {
                let config = Config::from_overrides([(setting.path.clone(), json!(value))]);
                let config = config.unwrap_or_else(|cause| panic!("{} = {value}: {cause}", setting.path));
                if let Err(refusal) = check(&config, &context()) {
                    assert!(refusal.id.contains(".is_valid."), "{}: {}", setting.path, refusal.id);
                    refused += 1;
                }
            }
        }
        assert!(numbers().count() > 100 && refused > 100, "{refused}");
    }

    #[test]
    fn what_is_within_the_range_is_taken_as_it_is_and_the_rest_as_its_nearest_end() {
        let view = |path: &str, value: i64| Config::from_overrides([(path.to_owned(), json!(value))]).unwrap().view;
        let idle = [-1, 0, 60, MAX_SECONDS, i64::MAX]
            .map(|value| view("ServiceSettings.IdleTimeout", value).service.idle_timeout);
        let max = u64::try_from(MAX_SECONDS).unwrap();
        assert_eq!(idle, [0, 0, 60, max, max]);
        let burst = [1, 1 << 31, i64::MAX].map(|value| view("RateLimitSettings.MaxBurst", value).rate_limit.max_burst);
        assert_eq!(burst, [1, 2_147_483_647, 2_147_483_647]);
        let hours = |value| view("ServiceSettings.SessionLengthWebInHours", value).service.session_length_web_in_hours;
        assert_eq!([i64::MIN, 720, i64::MAX].map(hours), [0, 720, MAX_HOURS]);
    }

    #[test]
    fn the_defaults_are_within_their_ranges() {
        let defaults = defaults();
        let config = Config::from_overrides([]).unwrap();
        assert_eq!(json!(config.view.service.read_timeout), defaults["ServiceSettings"]["ReadTimeout"]);
        assert_eq!(json!(config.view.file.max_file_size), defaults["FileSettings"]["MaxFileSize"]);
    }
}
