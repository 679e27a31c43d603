//! Rules on the retention of messages and files (101 to 104 of the contract): in days or in hours, never in both.

use super::demand::{at_least, at_most, other_than, text, within};
use super::rule::{Rule, when};
use super::texts::is_hour_and_minute;

pub(super) const RULES: &[Rule] = &[
    at_least("/DataRetentionSettings/MessageRetentionDays", 0)
        .or("model.config.is_valid.data_retention.message_retention_days_too_low.app_error"),
    at_least("/DataRetentionSettings/MessageRetentionHours", 0)
        .or("model.config.is_valid.data_retention.message_retention_hours_too_low.app_error"),
    at_least("/DataRetentionSettings/FileRetentionDays", 0)
        .or("model.config.is_valid.data_retention.file_retention_days_too_low.app_error"),
    at_least("/DataRetentionSettings/FileRetentionHours", 0)
        .or("model.config.is_valid.data_retention.file_retention_hours_too_low.app_error"),
    when(
        at_least("/DataRetentionSettings/MessageRetentionDays", 1),
        &[at_most("/DataRetentionSettings/MessageRetentionHours", 0)
            .or("model.config.is_valid.data_retention.message_retention_misconfiguration.app_error")],
    ),
    when(
        at_least("/DataRetentionSettings/FileRetentionDays", 1),
        &[at_most("/DataRetentionSettings/FileRetentionHours", 0)
            .or("model.config.is_valid.data_retention.file_retention_misconfiguration.app_error")],
    ),
    when(
        within("/DataRetentionSettings/MessageRetentionDays", 0, 0),
        &[other_than("/DataRetentionSettings/MessageRetentionHours", 0)
            .or("model.config.is_valid.data_retention.message_retention_both_zero.app_error")],
    ),
    when(
        within("/DataRetentionSettings/FileRetentionDays", 0, 0),
        &[other_than("/DataRetentionSettings/FileRetentionHours", 0)
            .or("model.config.is_valid.data_retention.file_retention_both_zero.app_error")],
    ),
    text("/DataRetentionSettings/DeletionJobStartTime", is_hour_and_minute)
        .or("model.config.is_valid.data_retention.deletion_job_start_time.app_error"),
];
