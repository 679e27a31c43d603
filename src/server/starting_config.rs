//! Reads the stored configuration that a server starts on. If it is unusable, names the command that restores another.

use quarterdeck_actors::config::proposal::{DecisionContext, decide};
use quarterdeck_actors::config::provenance::VARIABLE;
use quarterdeck_actors::config::{Config, Defaults, Overrides, Stored, check};
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::secret::Secret;

use super::StartError;
use super::database::choose;
use crate::domain::config_access::{decision_context, defaults_of};
use crate::domain::version_store::{Place, VersionStore, has_tables, restoring};
use crate::settings::{Settings, Sources, quoted};
use crate::store::{Db, StoreError};

/// The advice in the error when no version can be restored.
const UNREADABLE: &str = "no usable version of it is left: put back a copy";
const BROKEN: &str = "no other version of it can be used: mend these settings with `quarterdeck config set` or `quarterdeck config import`";

/// Returns the settings with those of a configuration file beneath them, because such a file can name the database.
///
/// Every command that opens the database calls this. It refuses a default data source while the configuration names
/// another one, and a configuration file that lost its content.
pub(crate) async fn with_file(settings: Settings, sources: &Sources) -> Result<Settings, StartError> {
    let place = place(sources)?;
    let settings = match place.file() {
        Some(file) => {
            let config =
                compose(&VersionStore::File(file), settings.config.overrides, sources, Defaults::Today).await?;
            Settings { config, ..settings }
        }
        None => settings,
    };
    choose(&settings.config, &place)?;
    Db::refuse_doubtful(&settings.config.view.sql, sources.is_new()).await?;
    Ok(settings)
}

/// Refuses a default data source while another one is named. For a restore, where neither database nor file exists yet.
pub(crate) fn refuse_unchosen(settings: &Settings, sources: &Sources) -> Result<(), StartError> {
    choose(&settings.config, &place(sources)?).map(drop)
}

/// Returns the configuration with which a server would start, without starting one. Creates nothing.
pub(crate) async fn with_stored(settings: Settings, sources: &Sources) -> Result<Config, StartError> {
    let sql = settings.config.view.sql.clone();
    let place = place(sources)?.seen_from(&sql);
    let db = Db::new(&sql)?;
    if let Place::File(_) = place {
        // A database that is away must not keep commands from reading the file.
        let defaults = made_with(&db).await.unwrap_or_default();
        let Config { stored, overrides, .. } = settings.config;
        return Config::compose_with(defaults, stored, overrides)
            .map_err(|cause| StartError::Configuration(cause.to_string()));
    }
    let is_own = matches!(place, Place::Database | Place::Sqlite);
    if is_own && !has_tables(&db).await? {
        return Ok(settings.config);
    }
    let opened = VersionStore::open(&place, &db, &sql).await;
    let versions = opened.map_err(|cause| StartError::Configuration(cause.to_string()))?;
    compose(&versions, settings.config.overrides, sources, made_with(&db).await?).await
}

/// Returns the place of the configuration that `MM_CONFIG` names.
pub(crate) fn place(sources: &Sources) -> Result<Place, StartError> {
    Place::named(sources.store_name().as_deref()).map_err(|cause| StartError::Configuration(cause.to_string()))
}

/// Returns the stored configuration with the pinned settings on top. An unreadable or invalid version is an error.
pub(super) async fn stored_configuration(
    overrides: Overrides,
    versions: &VersionStore,
    sources: &Sources,
    key: &Secret,
    defaults: Defaults,
) -> Result<Config, StartError> {
    let config = compose(versions, overrides, sources, defaults).await?;
    config.stored.iter().for_each(Stored::log_dropped);
    let Err(reason) = check(&config, &decision_context(key)) else { return Ok(config) };
    let problem = crate::base::error_text::explain(&reason);
    let Some(stored) = &config.stored else { return Err(StartError::Configuration(problem)) };
    let problem = format!("version {} of the stored configuration: {problem}", stored.id);
    Err(refused(&problem, versions, &config.overrides, sources, BROKEN).await)
}

/// Returns the defaults of the installation in this database. Creates nothing.
pub(crate) async fn made_with(db: &Db) -> Result<Defaults, StoreError> {
    if has_tables(db).await? { defaults_of(db).await } else { Ok(Defaults::Today) }
}

async fn compose(
    versions: &VersionStore,
    overrides: Overrides,
    sources: &Sources,
    defaults: Defaults,
) -> Result<Config, StartError> {
    let begins_anew = sources.is_new() && versions.lost_active().await.unwrap_or_default();
    let active = if begins_anew { Ok(None) } else { versions.active().await };
    let problem = match active {
        Ok(stored) => match Config::compose_with(defaults, stored, overrides.clone()) {
            Ok(config) => return Ok(config),
            Err(cause) => format!("the stored configuration: {cause}"),
        },
        Err(cause) => cause.to_string(),
    };
    Err(refused(&problem, versions, &overrides, sources, UNREADABLE).await)
}

async fn refused(
    problem: &str,
    versions: &VersionStore,
    overrides: &Overrides,
    sources: &Sources,
    otherwise: &str,
) -> StartError {
    let context = decision_context(&Secret::new(new_id()));
    let anew = match versions.lost_active().await {
        Ok(true) => "\nto begin with the defaults all the same, start once with --new",
        Ok(false) | Err(_) => "",
    };
    let advice = match newest_usable(versions, overrides, &context).await {
        Some(version) => {
            let needs_variables = overrides.values().any(|pinned| pinned.place.starts_with(VARIABLE));
            let needs_variables = needs_variables || matches!(place(sources), Ok(Place::Postgres(_)));
            let condition = if needs_variables { ", with the variables of the server" } else { "" };
            let command = rollback(versions, sources, &version);
            format!("the newest version that can be used is put back{condition} by: {command}")
        }
        None => otherwise.to_owned(),
    };
    StartError::Configuration(format!("{problem}\n{advice}{anew}"))
}

/// Returns the id of the newest version with which a server would start.
async fn newest_usable(versions: &VersionStore, overrides: &Overrides, context: &DecisionContext) -> Option<String> {
    let active = versions.active().await.ok().flatten();
    let running = active.and_then(|stored| Config::compose(Some(stored), overrides.clone()).ok());
    let is_usable = |target: &Stored| {
        let restored = || Config::compose(Some(target.clone()), overrides.clone()).ok();
        let running = running.clone().or_else(restored);
        running.is_some_and(|running| decide(&running, &restoring(target.document.clone()), context).is_ok())
    };
    let versions = versions.readable().await.ok()?;
    versions.into_iter().find(is_usable).map(|target| target.id)
}

/// Returns the shell command that restores a version, to be run in the working folder of the server.
fn rollback(versions: &VersionStore, sources: &Sources, version: &str) -> String {
    let store = match versions {
        VersionStore::File(file) => format!("MM_CONFIG={} ", quoted(file.path())),
        VersionStore::Database(_) => String::new(),
    };
    let settings = sources.named_file().map(|file| format!(" --config {}", quoted(file))).unwrap_or_default();
    format!("{store}quarterdeck config rollback {version}{settings}")
}
