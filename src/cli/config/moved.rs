//! The configuration file of a Mattermost, which `quarterdeck import` brings into the database of this server.

use std::path::Path;

use quarterdeck_actors::config::document::Document;
use quarterdeck_actors::config::proposal::ChangeMode;

use super::backend::{ConfigBackend, Proposed, explain};
use crate::domain::version_store::{Place, VersionStore};
use crate::settings::Settings;
use crate::store::{ConfigJson, Db};

/// Imports a configuration file, or tells if it is new. Returns the line for the operator. `named` is the value of
/// `MM_CONFIG`, and `is_beside` is the operator's word about other programs that use the database.
pub(in crate::cli) async fn import_file(
    settings: &Settings,
    named: Option<&str>,
    is_beside: bool,
    (file, is_dry_run): (&str, bool),
) -> Result<String, String> {
    let place = Place::named(named).map_err(|refusal| explain(&refusal))?;
    if place.file().is_some() {
        return Err(format!(
            "MM_CONFIG names a file, which would then name the database of the Mattermost: copy the configuration with \
             `quarterdeck config migrate {file}`, and set SqlSettings.DataSource in config.toml; nothing was changed"
        ));
    }
    let document = read(Path::new(file)).await?;
    let store = store_name(&place, settings)?;
    let backend = ConfigBackend::open(settings, named, is_beside).await?;
    let before = active(&backend).await?;
    let is_new = if is_dry_run {
        let (comment, body) = (String::new(), document);
        let proposed = Proposed { mode: ChangeMode::Replace, body, comment, is_dry_run, confirm_within: None };
        before.is_none() || !backend.propose(&proposed).await?.changes.is_empty()
    } else {
        let path = std::path::absolute(file).map_err(|cause| format!("{file}: {cause}"))?;
        let comment = format!("imported from {file}");
        Box::pin(backend.migrate(&path.display().to_string(), &store, &comment)).await?;
        active(&backend).await? != before
    };
    Ok(match (is_new, is_dry_run) {
        (true, false) => format!("{file}: 1 read, 1 new: stored"),
        (true, true) => format!("{file}: 1 read, 1 new: a dry run, nothing was changed"),
        (false, _) => format!("{file}: 1 read, 0 new: nothing was changed"),
    })
}

/// Reads the file before anything is opened for writing.
async fn read(path: &Path) -> Result<Document, String> {
    let stored = VersionStore::File(ConfigJson::new(path)).active().await;
    let stored = stored.map_err(|refusal| format!("{}: {}", path.display(), explain(&refusal)))?;
    Ok(stored
        .ok_or_else(|| format!("{}: there is no configuration in it; nothing was changed", path.display()))?
        .document)
}

/// Returns the name of the store that the settings name, as `quarterdeck config migrate` takes it.
fn store_name(place: &Place, settings: &Settings) -> Result<String, String> {
    let sql = &settings.config.view.sql;
    if let Place::Postgres(address) = place {
        return Ok(address.clone());
    }
    let db = Db::new(sql).map_err(|cause| cause.to_string())?;
    Ok(if db.engine_name() == "sqlite" { "sqlite".to_owned() } else { sql.data_source.clone() })
}

/// Returns the id of the version in force.
async fn active(backend: &ConfigBackend) -> Result<Option<String>, String> {
    Ok(backend.records(1).await?.into_iter().find(|record| record.is_active).map(|record| record.id))
}
