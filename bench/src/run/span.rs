//! Durations as people write them: `500ms`, `10s`, `2m`, `1h`.

use std::time::Duration;

use serde::Deserialize;

/// The timeout of a request in a mix file.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Timeout(pub(crate) Duration);

/// The time that a user waits between two requests in a mix file.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Think(pub(crate) Duration);

/// The duration of the measurement in a mix file.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Length(pub(crate) Duration);

impl TryFrom<String> for Length {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        duration(&text).map(Self)
    }
}

impl TryFrom<String> for Timeout {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        timeout(&text).map(Self)
    }
}

impl TryFrom<String> for Think {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        within(&text, Duration::ZERO, Duration::from_hours(1)).map(Self)
    }
}

/// Reads a whole number with a unit.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(format!("`{text}` is not a duration: write a whole number with ms, s, m or h, such as 10s")),
    };
    let number: u64 =
        number.parse().map_err(|_| format!("`{text}` is not a duration: the number is missing or too large"))?;
    let millis = number.checked_mul(millis).ok_or_else(|| format!("`{text}` is too long"))?;
    Ok(Duration::from_millis(millis))
}

/// Reads a duration of a run: 1 s to 24 h.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    within(text, Duration::from_secs(1), Duration::from_hours(24))
}

/// Reads a warm-up: at most 1 h.
pub(crate) fn warmup(text: &str) -> Result<Duration, String> {
    within(text, Duration::ZERO, Duration::from_hours(1))
}

/// Reads the timeout of a request: 100 ms to 5 min.
pub(crate) fn timeout(text: &str) -> Result<Duration, String> {
    within(text, Duration::from_millis(100), Duration::from_mins(5))
}

fn within(text: &str, least: Duration, greatest: Duration) -> Result<Duration, String> {
    let span = parse(text)?;
    let is_within = (least..=greatest).contains(&span);
    if is_within { Ok(span) } else { Err(format!("`{text}` is not between {least:?} and {greatest:?}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_whole_number_with_a_unit() {
        let read = ["500ms", "10s", "2m", "1h"].map(|text| parse(text).unwrap().as_millis());
        assert_eq!(read, [500, 10_000, 120_000, 3_600_000]);
        for broken in ["", "10", "s", "1.5s", "-1s", "10 s", "1d", "99999999999999999999s", "18446744073709551615h"] {
            assert!(parse(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_run_has_bounds() {
        assert!(duration("1s").is_ok() && duration("24h").is_ok() && warmup("0s").is_ok());
        assert!(duration("999ms").is_err() && duration("25h").is_err() && timeout("6m").is_err());
    }
}
