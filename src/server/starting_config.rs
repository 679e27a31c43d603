//! Reads the stored configuration that a server starts on. If it is unusable, names the command that restores another.

use std::path::Path;
use std::sync::Arc;

use quarterdeck_actors::config::proposal::{DecisionContext, decide};
use quarterdeck_actors::config::provenance::VARIABLE;
use quarterdeck_actors::config::{Config, Defaults, Overrides, Stored, check, check_singly};
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::secret::Secret;

use super::StartError;
use super::database::choose;
use super::installation::{UncertainSettings, defaults_elsewhere, made_with};
use super::located::{located, located_if_set};
use crate::domain::config_access::decision_context;
use crate::domain::version_store::{Place, VersionStore, has_tables, restoring};
use crate::files::private::check_creatable;
use crate::settings::{Settings, Sources, quoted};
use crate::store::{Db, embedded_folder};

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
    with_stored_for(settings, sources, "").await.map(|(config, _)| config)
}

/// Returns the configuration with which a server would start, for a command that uses only settings that begin with
/// `prefix`. Also returns the settings among them that are uncertain, because the database of a `config.json` did not
/// answer.
pub(crate) async fn with_stored_for(
    settings: Settings,
    sources: &Sources,
    prefix: &str,
) -> Result<(Config, Option<UncertainSettings>), StartError> {
    let sql = settings.config.view.sql.clone();
    let place = place(sources)?.seen_from(&sql);
    let db = Db::new(&sql)?;
    if let Place::File(_) = place {
        let Config { stored, overrides, .. } = settings.config;
        let (defaults, uncertain) = defaults_elsewhere(&db, stored.as_ref(), &overrides, prefix).await;
        let config = Config::compose_with(defaults, stored, overrides);
        return Ok((config.map_err(|cause| StartError::Configuration(cause.to_string()))?, uncertain));
    }
    let is_own = matches!(place, Place::Database | Place::Sqlite);
    if is_own && !has_tables(&db).await? {
        return Ok((settings.config, None));
    }
    let versions = VersionStore::at(&place, &db, &sql);
    let versions = versions.map_err(|cause| StartError::Configuration(cause.to_string()))?;
    let config = compose(&versions, settings.config.overrides, sources, made_with(&db).await?).await?;
    Ok((config, None))
}

/// Returns the place of the configuration that `MM_CONFIG` names.
pub(crate) fn place(sources: &Sources) -> Result<Place, StartError> {
    let name = sources.store_name();
    let place = Place::named(name.as_deref()).map_err(|cause| StartError::Configuration(cause.to_string()))?;
    if let (Place::File(file), Some(name)) = (&place, name) {
        refuse_unusable(file, &name)?;
    }
    Ok(place)
}

/// Refuses a folder in place of a file, and a file that is missing and cannot be created.
fn refuse_unusable(file: &Path, name: &str) -> Result<(), StartError> {
    let shown = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let refused =
        |problem: String| Err(StartError::Configuration(format!("MM_CONFIG names {}: {problem}", shown.display())));
    if file.is_dir() || name.ends_with('/') {
        return refused(format!("it is a folder, and must be a file, such as {}", shown.join("config.json").display()));
    }
    match check_creatable(&shown) {
        Err(cause) if !file.exists() => refused(format!("there is no such file, and it cannot be created: {cause}")),
        _ => Ok(()),
    }
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
    config.log_notices();
    refuse_broken(&config, Some(versions), sources, key).await?;
    Ok(config)
}

/// Reads the configuration with which a server would start. Creates nothing, so the store may still be missing.
pub(super) async fn read_configuration(
    settings: &Settings,
    versions: Option<&VersionStore>,
    sources: &Sources,
    defaults: Defaults,
) -> Result<Config, StartError> {
    let Some(versions) = versions else { return Ok(settings.config.clone()) };
    match compose(versions, settings.config.overrides.clone(), sources, defaults).await {
        Ok(config) => Ok(config),
        Err(refusal) => Err(refusal.with_lines(broken_beside(settings, versions, defaults).await)),
    }
}

/// Returns the broken rules of a version in a database that cannot be used because values have a wrong type.
async fn broken_beside(settings: &Settings, versions: &VersionStore, defaults: Defaults) -> Vec<String> {
    let Ok(Some(stored)) = versions.active().await else { return Vec::new() };
    let config = Config::compose_with(defaults, Some(stored.fitting()), settings.config.overrides.clone());
    config.map(|config| broken_rules(&config, Some(versions))).unwrap_or_default()
}

/// Returns the broken rules about values that are set. Without the stored versions, only values are looked at that are
/// wrong whatever is stored.
fn broken_rules(config: &Config, versions: Option<&VersionStore>) -> Vec<String> {
    let context = context_of_start(config, &Secret::new(new_id()));
    let checked = if versions.is_some() { check(config, &context) } else { check_singly(config, &context) };
    checked.err().map(|reason| located_if_set(config, versions, &reason)).unwrap_or_default()
}

/// Refuses a configuration that breaks rules. The error has a line for each of them, and names the command that restores
/// a version that can be used.
pub(super) async fn refuse_broken(
    config: &Config,
    versions: Option<&VersionStore>,
    sources: &Sources,
    key: &Secret,
) -> Result<(), StartError> {
    let Err(reason) = check(config, &context_of_start(config, key)) else { return Ok(()) };
    let problem = located(config, versions, &reason);
    match versions.filter(|_| config.stored.is_some()) {
        Some(versions) => Err(refused(&problem, versions, &config.overrides, sources, BROKEN).await),
        None => Err(StartError::Configuration(problem)),
    }
}

/// Returns the context in which a start is decided. The folder of the embedded database counts as existing, because the
/// start creates it.
fn context_of_start(config: &Config, key: &Secret) -> DecisionContext {
    let context = decision_context(key);
    let (exists, created) = (context.file_exists.clone(), embedded_folder(&config.view.sql));
    let is_created = move |path: &str| created.as_ref().is_some_and(|folder| folder.starts_with(path));
    DecisionContext { file_exists: Arc::new(move |path| exists(path) || is_created(path)), ..context }
}

/// Returns the active version with the pinned settings on top. The error of an unusable one names the way out.
pub(super) async fn compose(
    versions: &VersionStore,
    overrides: Overrides,
    sources: &Sources,
    defaults: Defaults,
) -> Result<Config, StartError> {
    let begins_anew = sources.is_new() && versions.lost_active().await.unwrap_or_default();
    let active = match sources.foreseen() {
        Some(stored) => Ok(Some(stored.clone())),
        None if begins_anew => Ok(None),
        None => versions.active().await,
    };
    let problem = match active {
        Ok(stored) => match Config::compose_with(defaults, stored, overrides.clone()) {
            Ok(config) => return Ok(config),
            Err(cause) => in_version(versions, &cause.to_string()).await,
        },
        Err(cause) => unreadable(versions).unwrap_or_else(|| cause.to_string()),
    };
    Err(refused(&problem, versions, &overrides, sources, UNREADABLE).await)
}

/// Returns the problems of a stored version, one a line, each with the version.
async fn in_version(versions: &VersionStore, problems: &str) -> String {
    let id = versions.active().await.ok().flatten().map(|stored| stored.id).unwrap_or_default();
    let line = |problem: &str| format!("version {id} of the stored configuration: {problem}");
    problems.lines().map(line).collect::<Vec<String>>().join("\n")
}

/// Returns what is wrong with a configuration file, one problem a line.
fn unreadable(versions: &VersionStore) -> Option<String> {
    match versions {
        VersionStore::File(file) => file.active().err().map(|refusal| refusal.to_string()),
        VersionStore::Database(_) => None,
    }
}

/// Returns what is wrong with the settings and the configuration file, as far as these can be read without the database,
/// and the configuration that they make. For a start that is refused for another reason.
pub(super) fn also_broken(settings: &Settings, sources: &Sources) -> (Config, Vec<String>) {
    let file = place(sources).ok().and_then(|place| place.file());
    let foreseen = sources.foreseen().cloned();
    let stored = file.as_ref().and_then(|file| foreseen.or_else(|| file.fitting()));
    let config = Config::compose(stored, settings.config.overrides.clone());
    let config = config.unwrap_or_else(|_| settings.config.clone());
    let versions = file.map(VersionStore::File);
    let unread = versions.as_ref().and_then(unreadable).unwrap_or_default();
    let broken = unread.lines().map(str::to_owned).chain(broken_rules(&config, versions.as_ref())).collect();
    (config, broken)
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
