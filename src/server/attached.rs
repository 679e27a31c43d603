//! Remarks on a database that a Mattermost made, for its operator: its contents, the objects that the next start adds, and
//! the settings without effect. `quarterdeck check` prints them, and a start logs them.

use quarterdeck_actors::config::Config;
use quarterdeck_actors::config::document::given;
use serde_json::Value;
use tracing::{info, warn};

use super::StartError;
use super::database::{accounts_elsewhere, cut, named_elsewhere};
use super::steps::Examined;
use crate::base::error_text::text_of;
use crate::domain::license::VerificationKey;
use crate::settings::Sources;
use crate::store::{Db, StoreError};

/// Settings of features that this server does not have. They are named if they are switched on or not empty.
const WITHOUT_EFFECT: [&str; 20] = [
    "ClusterSettings.Enable",
    "ComplianceSettings.Enable",
    "DataRetentionSettings.EnableMessageDeletion",
    "ElasticsearchSettings.EnableIndexing",
    "ExperimentalAuditSettings.AdvancedLoggingJSON",
    "GitLabSettings.Enable",
    "GoogleSettings.Enable",
    "LdapSettings.Enable",
    "LdapSettings.EnableSync",
    "LogSettings.AdvancedLoggingJSON",
    "MessageExportSettings.EnableExport",
    "Office365Settings.Enable",
    "OpenIdSettings.Enable",
    "PluginSettings.Enable",
    "PluginSettings.PluginStates",
    "SamlSettings.Enable",
    "ServiceSettings.UseLetsEncrypt",
    "SqlSettings.DataSourceReplicas",
    "SqlSettings.DataSourceSearchReplicas",
    "SqlSettings.ReplicaLagSettings",
];

/// A line about a database of Mattermost. Its length has a bound: it lists counts, names of this program, or few programs,
/// and a configured text is cut.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Remark {
    Fact(String),
    Warning(String),
}

/// Returns all remarks on a database of Mattermost; none on another database. A part that cannot be read becomes a warning.
pub(crate) async fn remarks(examined: &Examined, sources: &Sources) -> Vec<Remark> {
    let Examined { place, db, config, .. } = examined;
    if !matches!(db.is_of_mattermost().await, Ok(true)) {
        return Vec::new();
    }
    let mut told = of_contents(examined).await;
    told.extend(without_effect(config));
    let problem = license_problem(examined, sources).await;
    told.extend(warning("the stored licence cannot be read", problem));
    if let Some(named) = named_elsewhere(config, place) {
        told.push(Remark::Warning(format!(
            "the configuration names {} for the accounts, and this server uses those of its own database",
            cut(&named)
        )));
    }
    told.extend(warning("the files in the database cannot be counted", missing_files(config, db).await));
    told.extend(closed_rows(db).await);
    told.extend(of_others(db).await);
    told
}

/// Logs the remarks that an operator reads at a start, one line each: all of them if the start changes the database, and
/// otherwise those that need no counting. A start does not depend on them.
pub(super) async fn tell(examined: &Examined, sources: &Sources) {
    let Examined { place, db, config, pending, .. } = examined;
    let elsewhere = accounts_elsewhere(db, config, place).await;
    let told = match db.pending_additions(pending).await {
        Ok(Some(_)) => remarks(examined, sources).await,
        Ok(None) if !matches!(db.is_of_mattermost().await, Ok(true)) => Vec::new(),
        Ok(None) | Err(_) => {
            let unread =
                warning("the privileges on the database of Mattermost cannot be read", unread_schema(db).await);
            let closed = closed_rows(db).await;
            unread.into_iter().chain(closed).chain(without_effect(config)).chain(of_others(db).await).collect()
        }
    };
    let elsewhere = warning("the accounts in the database cannot be counted", elsewhere);
    for remark in elsewhere.into_iter().chain(told) {
        match remark {
            Remark::Fact(text) => info!("{text}"),
            Remark::Warning(text) => warn!("{text}"),
        }
    }
}

/// Returns the counts of rows, and the objects that the next start adds.
async fn of_contents(Examined { db, pending, .. }: &Examined) -> Vec<Remark> {
    let mut told = Vec::new();
    match db.inventory().await {
        Ok(Some(inventory)) => {
            told.push(Remark::Fact(format!("database of: {inventory}")));
            let unserved = inventory.unserved();
            if !unserved.is_empty() {
                told.push(Remark::Fact(format!("there, not or only in part served, and left as it is: {unserved}")));
            }
        }
        Ok(None) => {}
        Err(cause) => told.push(unread("the contents of the database of Mattermost cannot be counted", cause)),
    }
    match db.pending_additions(pending).await {
        Ok(Some(additions)) => told.push(Remark::Fact(format!("will be added: {additions}"))),
        Ok(None) => {}
        Err(cause) => told.push(unread("the objects that a start adds cannot be found", cause)),
    }
    told
}

fn without_effect(config: &Config) -> Option<Remark> {
    let used: Vec<&str> = WITHOUT_EFFECT.into_iter().filter(|path| is_used(config, path)).collect();
    (!used.is_empty()).then(|| Remark::Fact(format!("settings without effect on this server: {}", used.join(", "))))
}

/// Returns a warning if the role may not read the number of the schema of Mattermost.
async fn unread_schema(db: &Db) -> Result<Option<String>, StoreError> {
    let grant = db.lacking_grant().await?;
    Ok(grant.map(|grant| format!("the number of the schema of Mattermost cannot be read and is not checked: {grant}")))
}

/// Returns a warning if the role lacks privileges on rows, which an earlier start may have had.
async fn closed_rows(db: &Db) -> Option<Remark> {
    let grants = db.lacking_on_rows().await;
    let told =
        grants.map(|grants| grants.map(|grants| format!("requests fail that need privileges on rows: {grants}")));
    warning("the privileges on rows of the database of Mattermost cannot be read", told)
}

async fn of_others(db: &Db) -> Option<Remark> {
    warning("the other programs on the database cannot be listed", db.warning_of_others().await)
}

/// Returns a warning if the folder of files is empty although the database knows files.
async fn missing_files(config: &Config, db: &Db) -> Result<Option<String>, StartError> {
    let text = |path: &str| given(&config.document, path).and_then(Value::as_str).unwrap_or_default();
    let folder = text("FileSettings.Directory");
    let is_folder = text("FileSettings.DriverName") == "local" && !folder.is_empty();
    let has_entries = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if !is_folder || has_entries {
        return Ok(None);
    }
    let known = db.known_files().await?;
    Ok((!known.is_empty()).then(|| {
        format!(
            "the folder {}, which FileSettings.Directory names, is empty or missing, and the database knows {known}: \
             name the folder of Mattermost, or copy its files",
            cut(folder)
        )
    }))
}

/// Returns true if a setting is switched on, or has any value.
fn is_used(config: &Config, path: &str) -> bool {
    match given(&config.document, path) {
        Some(Value::Bool(is_on)) => *is_on,
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(members)) => !members.is_empty(),
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Number(_) | Value::Null) | None => false,
    }
}

/// Returns a warning if the active licence cannot be used.
async fn license_problem(examined: &Examined, sources: &Sources) -> Result<Option<String>, StartError> {
    let key = VerificationKey::named(&examined.settings.options, sources.purpose()).map_err(StartError::Settings)?;
    let stored = examined.db.stored_license().await?.text;
    let refusal = stored.and_then(|text| key.open(text.as_bytes()).err());
    Ok(refusal.map(|refusal| format!("the stored licence cannot be used: {}", text_of(&refusal))))
}

fn warning<E: std::fmt::Display>(failed: &str, found: Result<Option<String>, E>) -> Option<Remark> {
    match found {
        Ok(text) => text.map(Remark::Warning),
        Err(cause) => Some(unread(failed, cause)),
    }
}

fn unread(failed: &str, cause: impl std::fmt::Display) -> Remark {
    Remark::Warning(format!("{failed}: {cause}"))
}

#[cfg(test)]
mod tests {
    use quarterdeck_actors::config::table::settings;
    use serde_json::json;

    use super::super::database::MAX_TEXT_CHARACTERS;
    use super::*;

    #[test]
    fn a_configured_text_is_cut_to_a_fixed_number_of_characters() {
        let long = "ä".repeat(MAX_TEXT_CHARACTERS);
        assert_eq!((cut("./data/").as_str(), cut(&long)), ("./data/", long.clone()));
        assert_eq!(cut(&format!("{long}/data")), format!("{long}…"));
    }

    #[test]
    fn settings_without_effect_are_told_in_one_line_only_where_they_are_used() {
        for path in WITHOUT_EFFECT {
            assert!(settings().get(path).is_some(), "{path}");
        }
        let pinned = ["LdapSettings.Enable", "ClusterSettings.Enable", "PluginSettings.Enable"];
        let config =
            Config::from_overrides(pinned.map(|path| (path.to_owned(), json!(path.starts_with('L'))))).unwrap();
        let told = Remark::Fact(
            "settings without effect on this server: LdapSettings.Enable, PluginSettings.PluginStates".to_owned(),
        );
        assert_eq!(without_effect(&config), Some(told));
    }
}
