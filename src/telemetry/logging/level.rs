//! The names of log levels.

use tracing::Level;
use tracing::level_filters::LevelFilter;

/// The names that `LogSettings` accepts, in any case. `FATAL` and `PANIC` mean the highest level here, errors.
const NAMES: [(&str, LevelFilter); 7] = [
    ("TRACE", LevelFilter::TRACE),
    ("DEBUG", LevelFilter::DEBUG),
    ("INFO", LevelFilter::INFO),
    ("WARN", LevelFilter::WARN),
    ("ERROR", LevelFilter::ERROR),
    ("FATAL", LevelFilter::ERROR),
    ("PANIC", LevelFilter::ERROR),
];

/// Returns the level that a setting names.
pub(super) fn named(setting: &str, name: &str) -> Result<LevelFilter, String> {
    let found = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, level)| *level).ok_or_else(|| {
        let known: Vec<&str> = NAMES.iter().map(|(known, _)| *known).collect();
        format!("{setting} is {name:?}; it must be one of {}", known.join(", "))
    })
}

/// Returns the name of a level in log lines.
pub(super) fn name_of(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_known_in_any_case_and_an_unknown_one_is_refused_by_name() {
        assert_eq!(named("LogSettings.FileLevel", "Debug"), Ok(LevelFilter::DEBUG));
        let refused = named("LogSettings.FileLevel", "loud").unwrap_err();
        assert_eq!(
            refused,
            "LogSettings.FileLevel is \"loud\"; it must be one of TRACE, DEBUG, INFO, WARN, ERROR, FATAL, PANIC"
        );
    }
}
