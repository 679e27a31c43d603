//! Parses numbers and durations of a data source.

use std::time::Duration;

use quarterdeck_actors::data_source::{Parameter, Problem};

/// The units of time that PostgreSQL accepts, in microseconds.
const UNITS: [(&str, u64); 6] =
    [("us", 1), ("ms", 1_000), ("s", 1_000_000), ("min", 60_000_000), ("h", 3_600_000_000), ("d", 86_400_000_000)];

/// Parses a whole number from 0.
pub(super) fn number(word: &Parameter) -> Result<u32, Problem> {
    word.value.trim().parse().map_err(|_| Problem::about(word, "must be a whole number from 0"))
}

/// Parses seconds. Returns `None` for 0, which means no limit.
pub(super) fn seconds(word: &Parameter) -> Result<Option<Duration>, Problem> {
    let seconds = number(word)?;
    Ok((seconds > 0).then(|| Duration::from_secs(seconds.into())))
}

/// Parses a time limit as PostgreSQL does: milliseconds, or a number with a unit. `None` for 0, which means no limit.
pub(super) fn time_limit(word: &Parameter) -> Result<Option<Duration>, Problem> {
    let text = word.value.trim();
    let (digits, unit) = text.split_at(text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len()));
    let unit = if unit.trim().is_empty() { "ms" } else { unit.trim() };
    let factor = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
    let limit = digits.parse::<u64>().ok().zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
    let limit =
        limit.ok_or_else(|| Problem::about(word, "must be milliseconds, or a number with us, ms, s, min, h or d"))?;
    Ok((limit > 0).then(|| Duration::from_micros(limit).max(Duration::from_millis(1))))
}
