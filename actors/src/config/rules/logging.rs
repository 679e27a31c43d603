//! Rules on the logs of the server and of the audit (105 to 109 of the contract).

use super::demand::{free_of, given, on, text};
use super::log_targets::{bad_audit_target, bad_server_target, not_targets, unknown_level};
use super::rule::Fill::Found;
use super::rule::{AtLoad, Params, Rule, when};

const ERROR: Params = &[("Error", Found)];

/// The levels of the log, the least severe first.
pub(super) const LEVELS: &[&str] = &["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "PANIC"];

const UNKNOWN_LEVEL: &str = "model.config.is_valid.log.level.app_error";

pub(super) const RULES: &[Rule] = &[
    text("/LogSettings/ConsoleLevel", is_level).or(UNKNOWN_LEVEL).at_load(AtLoad::Default),
    text("/LogSettings/FileLevel", is_level).or(UNKNOWN_LEVEL).at_load(AtLoad::Default),
    free_of("/LogSettings/AdvancedLoggingJSON", not_targets)
        .or_with("model.config.is_valid.log.advanced_logging.json", ERROR),
    free_of("/LogSettings/AdvancedLoggingJSON", bad_server_target)
        .or_with("model.config.is_valid.log.advanced_logging.parse", ERROR),
    free_of("/LogSettings/AdvancedLoggingJSON", unknown_level)
        .or_with("model.config.is_valid.log.advanced_logging.parse", ERROR)
        .at_load(AtLoad::KnownLevels),
    when(
        on("/ExperimentalAuditSettings/FileEnabled"),
        &[
            given("/ExperimentalAuditSettings/FileName")
                .or("model.config.is_valid.experimental_audit_settings.file_name_empty"),
            text("/ExperimentalAuditSettings/FileName", |name| !name.ends_with('\\'))
                .or("model.config.is_valid.experimental_audit_settings.file_name_is_directory"),
        ],
    ),
    free_of("/ExperimentalAuditSettings/AdvancedLoggingJSON", not_targets)
        .or_with("model.config.is_valid.log.advanced_logging.json", ERROR),
    free_of("/ExperimentalAuditSettings/AdvancedLoggingJSON", bad_audit_target)
        .or_with("model.config.is_valid.log.advanced_logging.parse", ERROR),
];

/// Returns true if `name` is a log level, in any case.
fn is_level(name: &str) -> bool {
    LEVELS.iter().any(|known| known.eq_ignore_ascii_case(name))
}
