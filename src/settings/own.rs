//! Settings that Mattermost does not have: the section `Quarterdeck` of `config.toml`. They are read at the start only.

use quarterdeck_actors::config::table::Kind;
use serde_json::Value;

use super::{SettingsError, kind_of};

/// The section.
pub(super) const SECTION: &str = "Quarterdeck";

/// Each with the variable that wins over it.
const NAMES: [(&str, &str); 1] = [(AUDIT_RETENTION, "MM_QUARTERDECK_AUDITRETENTIONDAYS")];

const AUDIT_RETENTION: &str = "Quarterdeck.AuditRetentionDays";

/// What this server takes beside the settings of the API.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OwnSettings {
    /// So many days a row of the audit trail is kept; 0 is for ever.
    pub audit_retention_days: u32,
}

impl OwnSettings {
    /// Takes a value; the refusal names the place to mend.
    pub(super) fn set(&mut self, path: &str, value: &Value, place: &str) -> Result<(), SettingsError> {
        let refused = |found| SettingsError::Kind {
            place: place.to_owned(),
            path: path.to_owned(),
            wanted: "a number of days",
            found,
        };
        if !Kind::Int.admits(value) {
            return Err(refused(kind_of(value)));
        }
        let days = value.as_i64().and_then(|days| u32::try_from(days).ok());
        self.audit_retention_days = days.ok_or_else(|| refused("one out of range"))?;
        Ok(())
    }
}

/// The names of the settings.
pub(super) fn paths() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(path, _)| *path)
}

/// The setting behind a variable.
pub(super) fn of_variable(variable: &str) -> Option<&'static str> {
    NAMES.iter().find(|(_, known)| *known == variable).map(|(path, _)| *path)
}
