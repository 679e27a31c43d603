//! The part of `quarterdeck check` about a database that a Mattermost made: its contents, what a start adds to it, and what
//! has no effect on this server.

use quarterdeck_actors::config::Config;
use quarterdeck_actors::config::document::given;
use serde_json::Value;

use crate::base::error_text::text_of;
use crate::cli::output::say;
use crate::domain::license::VerificationKey;
use crate::server::StartError;
use crate::server::database::named_elsewhere;
use crate::server::steps::Examined;
use crate::settings::Sources;
use crate::store::Db;

/// Settings of features that this server does not have. They are named if they are switched on or not empty.
const WITHOUT_EFFECT: [&str; 19] = [
    "BleveSettings.EnableIndexing",
    "ClusterSettings.Enable",
    "ComplianceSettings.Enable",
    "DataRetentionSettings.EnableMessageDeletion",
    "ElasticsearchSettings.EnableIndexing",
    "GitLabSettings.Enable",
    "GoogleSettings.Enable",
    "LdapSettings.Enable",
    "LdapSettings.EnableSync",
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

/// Prints what an operator of Mattermost wants to know before a start; nothing about another database.
pub(super) async fn look(examined: &Examined, sources: &Sources) -> Result<(), StartError> {
    let Examined { settings, place, db, pending, config, .. } = examined;
    let Some(inventory) = db.inventory().await? else { return Ok(()) };
    say(format_args!("database of: {inventory}"));
    let unserved = inventory.unserved();
    if !unserved.is_empty() {
        say(format_args!("there, not or only in part served, and left as it is: {unserved}"));
    }
    let is_first = pending.first().is_some_and(|first| first.starts_with("V1__"));
    if is_first {
        say(format_args!("will be added: {}", db.additions().await?));
    }
    let without_effect: Vec<&str> = WITHOUT_EFFECT.into_iter().filter(|path| is_used(config, path)).collect();
    if !without_effect.is_empty() {
        say(format_args!("settings without effect on this server: {}", without_effect.join(", ")));
    }
    let key = VerificationKey::named(&settings.options, sources.purpose()).map_err(StartError::Settings)?;
    if let Some(problem) = license_problem(&key, db).await? {
        say(format_args!("warning: the stored licence cannot be used: {problem}"));
    }
    if let Some(named) = named_elsewhere(config, place) {
        say(format_args!(
            "warning: the configuration names {named} for the accounts, and this server uses those of its own database"
        ));
    }
    if let Some(files) = missing_files(config, db).await? {
        say(format_args!("warning: {files}"));
    }
    if let Some(warning) = db.warning_of_others().await? {
        say(format_args!("warning: {warning}"));
    }
    Ok(())
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
            "the folder {folder}, which FileSettings.Directory names, is empty or missing, and the database knows {known}: \
             name the folder of Mattermost, or copy its files"
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

/// Returns the reason why the active licence cannot be used, if there is one.
async fn license_problem(key: &VerificationKey, db: &Db) -> Result<Option<String>, StartError> {
    let stored = db.stored_license().await?.text;
    Ok(stored.and_then(|text| key.open(text.as_bytes()).err()).map(|refusal| text_of(&refusal)))
}
