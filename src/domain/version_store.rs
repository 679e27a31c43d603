//! The store of configuration versions: the database, or a JSON file that `MM_CONFIG` names.

mod certificates;
mod confirmation;
pub(crate) mod recorded;

use std::path::PathBuf;

use quarterdeck_actors::config::document::Document;
use quarterdeck_actors::config::ineffective::{Ineffective, Reason};
use quarterdeck_actors::config::proposal::{ChangeMode, Decision, Proposal};
use quarterdeck_actors::config::view::SqlSettings;
use quarterdeck_actors::config::{Stored, Version};
use quarterdeck_actors::data_source::is_address;
use quarterdeck_actors::error::{AppError, OrFail};
use thiserror::Error;

use crate::base::paging::Paging;
use crate::store::{ConfigJson, Db, FileError, NotSaved, StoreError, VersionRecord};
use quarterdeck_actors::causes::chain;

const LOAD_FAILED: &str = "app.config.load.app_error";
const SAVE_FAILED: &str = "app.save_config.app_error";
/// This variant of the error has the reason in its text.
const NOT_SAVED: &str = "app.save_config.app_error#cause";
const UNREADABLE: &str = "app.config.unreadable.app_error";
const CONFLICT: &str = "app.config.version_conflict.app_error";

/// The settings of the database connection. Values stored in the database have no effect, because they are read too
/// late.
const CONNECTION: [&str; 7] = [
    "SqlSettings.ConnMaxIdleTimeMilliseconds",
    "SqlSettings.ConnMaxLifetimeMilliseconds",
    "SqlSettings.DataSource",
    "SqlSettings.DriverName",
    "SqlSettings.MaxIdleConns",
    "SqlSettings.MaxOpenConns",
    "SqlSettings.QueryTimeout",
];

/// The migration that creates the tables of the versions.
const MIGRATION: &str = "V2__configurations";

/// The reason why a name names no store.
#[derive(Debug, Error)]
enum Misnamed {
    #[error("{0:?} is not a store: it must be sqlite, a PostgreSQL URL or the name of a file")]
    Unknown(String),
    #[error("the store sqlite requires SqlSettings.DriverName to be sqlite")]
    OtherEngine,
}

/// The error that the active version was lost. A store with this error must not count as empty.
#[derive(Debug, Error)]
#[error("none of the {versions} stored versions of the configuration is active: the active version was lost")]
struct Inactive {
    versions: i64,
}

/// The place of the configuration that `MM_CONFIG` or a command names.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Place {
    /// The database of the server.
    Database,
    /// The embedded database, which must be that of the server.
    Sqlite,
    /// A PostgreSQL database, by its URL.
    Postgres(String),
    /// A JSON file.
    File(PathBuf),
}

/// The store of the versions.
#[derive(Clone)]
pub(crate) enum VersionStore {
    /// Two tables of a database.
    Database(Db),
    /// A file, with earlier versions in a folder beside it.
    File(ConfigJson),
}

impl Place {
    /// Parses the name of a place. An empty name means the database of the server.
    pub(crate) fn named(name: Option<&str>) -> Result<Self, AppError> {
        match name.unwrap_or_default() {
            "" => Ok(Self::Database),
            "sqlite" => Ok(Self::Sqlite),
            address if is_address(address) => Ok(Self::Postgres(address.to_owned())),
            name => match name.strip_prefix("file://").unwrap_or(name) {
                other if other.contains("://") => {
                    Err(AppError::new(LOAD_FAILED).because(Misnamed::Unknown(scheme(other))))
                }
                file => Ok(Self::File(file.into())),
            },
        }
    }

    /// Returns the name of a place for storing in records, without the password of a URL.
    pub(crate) fn label(name: &str) -> String {
        if name.contains("://") && !name.starts_with("file://") { scheme(name) } else { name.to_owned() }
    }

    /// Returns [`Place::Database`] if the place is the URL of the server's own database, otherwise the same place.
    pub(crate) fn seen_from(self, sql: &SqlSettings) -> Self {
        let is_own = matches!(&self, Self::Postgres(address) if *address == sql.data_source);
        if is_own { Self::Database } else { self }
    }

    /// Returns the file, if the place is one.
    pub(crate) fn file(&self) -> Option<ConfigJson> {
        match self {
            Self::File(file) => Some(ConfigJson::new(file)),
            Self::Database | Self::Sqlite | Self::Postgres(_) => None,
        }
    }
}

/// Returns only the scheme of a URL, because the rest may contain a password.
fn scheme(address: &str) -> String {
    address.split("://").next().map(|scheme| format!("{scheme}://…")).unwrap_or_default()
}

impl VersionStore {
    /// Opens a store to write to it, and makes its tables in another database. `db` is the database of the server; `sql`
    /// has the settings to connect to another one.
    pub(crate) async fn open(place: &Place, db: &Db, sql: &SqlSettings) -> Result<Self, AppError> {
        let store = Self::at(place, db, sql)?;
        store.make_tables().await?;
        Ok(store)
    }

    /// Returns the store at a place. Creates nothing.
    pub(crate) fn at(place: &Place, db: &Db, sql: &SqlSettings) -> Result<Self, AppError> {
        match place {
            Place::File(file) => Ok(Self::File(ConfigJson::new(file))),
            Place::Database => Ok(Self::Database(db.clone())),
            Place::Sqlite if db.engine_name() == "sqlite" => Ok(Self::Database(db.clone())),
            Place::Sqlite => Err(AppError::new(LOAD_FAILED).because(Misnamed::OtherEngine)),
            Place::Postgres(address) => Ok(Self::Database(elsewhere(address, db, sql)?)),
        }
    }

    /// Makes the tables of the versions in another database than that of the server, where the migrations make them.
    pub(crate) async fn make_tables(&self) -> Result<(), AppError> {
        match self {
            Self::Database(db) if !db.has_trail() => db.create_configuration_tables().await.or_fail(LOAD_FAILED),
            Self::Database(_) | Self::File(_) => Ok(()),
        }
    }

    /// Opens a store to read it. Creates nothing, and returns `None` if the store has no versions yet.
    ///
    /// A database may have versions of a Mattermost although this program's schema is not in it yet.
    pub(crate) async fn existing(place: &Place, db: &Db, sql: &SqlSettings) -> Result<Option<Self>, AppError> {
        let found = Self::at(place, db, sql)?;
        if let Self::File(_) = found {
            return Ok(Some(found));
        }
        let is_used = found.count().await? > 0;
        Ok(is_used.then_some(found))
    }

    /// Refuses another database in which [`Self::open`] would have to make tables and may not. Creates nothing.
    pub(crate) async fn refuse_unmade(place: &Place, db: &Db, sql: &SqlSettings) -> Result<(), AppError> {
        let Place::Postgres(address) = place else { return Ok(()) };
        elsewhere(address, db, sql)?.refuse_unmade_configuration_tables().await.or_fail(LOAD_FAILED)
    }

    /// Returns true if the store exists and can be read. Creates nothing.
    pub(crate) async fn is_made(&self) -> Result<bool, StoreError> {
        match self {
            Self::Database(db) if db.has_trail() => has_tables(db).await,
            // Another database has no note of the migration that made its tables.
            Self::Database(db) => db.has_versions().await,
            Self::File(_) => Ok(true),
        }
    }

    /// Returns the active version; `None` if no version was ever stored.
    ///
    /// Versions without an active one are an error: it was lost, and starting with defaults would hide that.
    pub(crate) async fn active(&self) -> Result<Option<Stored>, AppError> {
        if let Some(stored) = self.found_active().await? {
            return Ok(Some(stored));
        }
        let versions = self.count().await?;
        if versions == 0 {
            return Ok(None);
        }
        // The first version may have been stored in between.
        let found = self.found_active().await?;
        found.map_or_else(|| Err(AppError::new(LOAD_FAILED).because(Inactive { versions })), |stored| Ok(Some(stored)))
    }

    async fn found_active(&self) -> Result<Option<Stored>, AppError> {
        match self {
            Self::Database(db) if !db.has_trail() && !db.has_versions().await.or_fail(LOAD_FAILED)? => Ok(None),
            Self::Database(db) => db.active_configuration().await,
            Self::File(file) => in_background(file, ConfigJson::active).await?.map_err(|cause| unreadable(&cause)),
        }
    }

    /// Returns the id of the active version, also if its content is unreadable.
    pub(crate) async fn active_id(&self) -> Result<Option<String>, AppError> {
        match self {
            Self::Database(db) => db.active_configuration_id().await.or_fail(LOAD_FAILED),
            Self::File(file) => in_background(file, ConfigJson::active_id).await?.or_fail(LOAD_FAILED),
        }
    }

    /// Returns true if there are versions but none of them is active.
    pub(crate) async fn lost_active(&self) -> Result<bool, AppError> {
        // In this order: the first version may be stored in between.
        Ok(self.count().await? > 0 && self.found_active().await?.is_none())
    }

    /// Returns the number of stored versions.
    async fn count(&self) -> Result<i64, AppError> {
        match self {
            Self::Database(db) => db.versions_found().await.or_fail(LOAD_FAILED),
            Self::File(file) => in_background(file, ConfigJson::version_count).await,
        }
    }

    /// Returns the version with this id.
    pub(crate) async fn version(&self, id: &str) -> Result<Option<Stored>, AppError> {
        match self {
            Self::Database(db) => db.configuration(id).await,
            Self::File(file) => {
                let found =
                    in_background(file, ConfigJson::versions).await?.into_iter().find(|saved| saved.record.id == id);
                Ok(found.map(|saved| Stored::new(saved.record.id, saved.config)))
            }
        }
    }

    /// Returns the version with this id, or the error that there is none.
    pub(crate) async fn known(&self, id: &str) -> Result<Stored, AppError> {
        let found = if self.is_made().await.or_fail(LOAD_FAILED)? { self.version(id).await? } else { None };
        found.ok_or_else(|| AppError::new("app.config.version.missing.app_error"))
    }

    /// Returns the records of the versions, newest first.
    pub(crate) async fn records(&self, paging: Paging) -> Result<Vec<VersionRecord>, AppError> {
        match self {
            Self::Database(db) => db.configuration_records(paging).await.or_fail(LOAD_FAILED),
            Self::File(file) => {
                let records = records_in(file).await?.into_iter();
                Ok(records.skip(paging.page.saturating_mul(paging.per_page)).take(paging.per_page).collect())
            }
        }
    }

    /// Returns the record of the version with this id.
    pub(crate) async fn record(&self, id: &str) -> Result<Option<VersionRecord>, AppError> {
        match self {
            Self::Database(db) => db.configuration_record(id).await.or_fail(LOAD_FAILED),
            Self::File(file) => Ok(records_in(file).await?.into_iter().find(|record| record.id == id)),
        }
    }

    /// Returns the readable versions, newest first. If there are very many, only the newest ones.
    pub(crate) async fn readable(&self) -> Result<Vec<Stored>, AppError> {
        match self {
            Self::Database(db) => db.readable_configurations().await.or_fail(LOAD_FAILED),
            Self::File(file) => {
                let versions = in_background(file, ConfigJson::versions).await?.into_iter();
                Ok(versions.map(|saved| Stored::new(saved.record.id, saved.config)).collect())
            }
        }
    }

    /// Returns true if this is the same store as `other`: one file, or the database of this server.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(one), Self::File(other)) => one == other,
            (Self::Database(one), Self::Database(other)) => one.has_trail() && other.has_trail(),
            (Self::Database(_), Self::File(_)) | (Self::File(_), Self::Database(_)) => false,
        }
    }

    /// Returns the file as a URL; `None` for the database.
    pub(crate) fn file_name(&self) -> Option<String> {
        match self {
            Self::Database(_) => None,
            Self::File(file) => Some(format!("file://{}", file.path().display())),
        }
    }

    /// Returns true if a stored value of this setting has no effect, because only a pinned value is used.
    pub(crate) fn ignores(&self, path: &str) -> bool {
        match self {
            Self::Database(_) => CONNECTION.contains(&path),
            Self::File(_) => false,
        }
    }

    /// Returns the settings of a decision that have no effect: those that are not written, and those that are written
    /// and whose stored values are not used. They are sorted by path.
    pub(crate) fn ineffective(&self, decision: &Decision) -> Vec<Ineffective> {
        let paths = decision.changes.iter().map(|change| &change.path).filter(|path| self.ignores(path));
        let unused = paths.map(|path| Ineffective { path: path.clone(), reason: Reason::ReadBeforeStore });
        let mut all: Vec<Ineffective> = decision.ineffective.iter().cloned().chain(unused).collect();
        all.sort_by(|one, other| one.path.cmp(&other.path));
        all
    }

    /// Returns true if the versions are not in the database of the audit trail.
    fn is_apart(&self) -> bool {
        match self {
            Self::Database(db) => !db.has_trail(),
            Self::File(_) => true,
        }
    }

    /// Adds a version. If the versions are not in the database of the audit trail, the draft of the record is stored
    /// first.
    async fn add(&self, version: Version, trail: Option<&Db>) -> Result<(), AppError> {
        let (version, is_recorded) = (self.timed(version).await?, trail.is_some());
        if self.is_apart()
            && let Some(trail) = trail
        {
            trail.store_draft().await.map_err(|cause| unsaved(chain(&cause), cause))?;
        }
        match self {
            Self::Database(db) => match db.add_configuration(&version).await {
                Err(refusal) if refusal.id == SAVE_FAILED => {
                    Err(unsaved(refusal.cause.as_deref().map(|cause| chain(cause)).unwrap_or_default(), refusal))
                }
                saved => saved,
            },
            Self::File(file) => match in_background(file, move |file| saved_in(file, &version, is_recorded)).await? {
                Err(NotSaved::Conflict { current }) => Err(AppError::new(CONFLICT).with("Current", current)),
                Err(NotSaved::Unconfirmed) => Err(AppError::new("app.config.confirmation.pending.app_error")),
                Err(NotSaved::NotWaiting) => Err(AppError::new("app.config.confirmation.missing.app_error")),
                Err(NotSaved::File(cause)) => Err(unsaved(cause.problem(), cause)),
                Ok(()) => Ok(()),
            },
        }
    }
}

/// Stores a version in a file. The next start records that a change was taken back, if nothing else can.
fn saved_in(file: &ConfigJson, version: &Version, is_recorded: bool) -> Result<(), NotSaved> {
    if is_recorded || version.takes_back.is_none() { file.save(version) } else { file.save_unrecorded(version) }
}

/// Returns the error of a version that was not stored, with the problem for the caller.
fn unsaved(problem: String, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> AppError {
    AppError::new(NOT_SAVED).with("Problem", problem).because(cause)
}

/// Returns the error of an unusable file, with the problem for the caller and the name of the file for the log.
fn unreadable(cause: &FileError) -> AppError {
    AppError::new(UNREADABLE).with("Problem", cause.problem_without_values()).because(cause.place())
}

/// Returns another database than that of the server, with the settings of its connections.
fn elsewhere(address: &str, db: &Db, sql: &SqlSettings) -> Result<Db, AppError> {
    let sql = SqlSettings { driver_name: "postgres".to_owned(), data_source: address.to_owned(), ..sql.clone() };
    Ok(Db::new(&sql).or_fail(LOAD_FAILED)?.without_trail().beside(db.is_beside()))
}

/// Returns true if the tables of the versions exist. Creates nothing.
pub(crate) async fn has_tables(db: &Db) -> Result<bool, StoreError> {
    Ok(!db.pending_migrations().await?.iter().any(|pending| pending == MIGRATION))
}

/// Returns the proposal to restore an earlier version, for an operator of this machine.
pub(crate) fn restoring(document: Document) -> Proposal {
    Proposal::unlimited(ChangeMode::Restore, document)
}

async fn records_in(file: &ConfigJson) -> Result<Vec<VersionRecord>, AppError> {
    in_background(file, ConfigJson::records).await?.map_err(|cause| unreadable(&cause))
}

/// Runs blocking file access on a background thread, so that it does not block other requests.
async fn in_background<T: Send + 'static>(
    file: &ConfigJson,
    work: impl FnOnce(&ConfigJson) -> T + Send + 'static,
) -> Result<T, AppError> {
    let file = file.clone();
    actix_web::rt::task::spawn_blocking(move || work(&file)).await.or_fail(LOAD_FAILED)
}
