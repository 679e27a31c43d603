//! The store of configuration versions: the database, or a JSON file that `MM_CONFIG` names.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::config::difference::{Change, changes};
use quarterdeck_actors::config::proposal::{Decision, Manner, Proposal, Surroundings, decide};
use quarterdeck_actors::config::table::{Mode, defaults};
use quarterdeck_actors::config::view::SqlSettings;
use quarterdeck_actors::config::{Author, Config, ConfigStore, Overrides, Stored, Version, check};
use quarterdeck_actors::data_source::is_address;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::id::new_id;
use thiserror::Error;

use crate::base::paging::Paging;
use crate::store::{ConfigFile, Db, StoreError, VersionRecord};

const LOAD_FAILED: &str = "app.config.load.app_error";
const SAVE_FAILED: &str = "app.save_config.app_error";
const MIGRATE_FAILED: &str = "api.config.migrate_config.app_error";

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

/// The reason why a configuration was not migrated to another store.
#[derive(Debug, Error)]
enum Unmoved {
    #[error("the name of a store is missing")]
    Nameless,
    #[error("{0:?} names no store: it must be sqlite, the address of a PostgreSQL or the name of a file")]
    Unknown(String),
    #[error("sqlite is the database of this server only if SqlSettings.DriverName says so")]
    OtherEngine,
    #[error("no configuration is stored where it should come from")]
    Nothing,
}

/// The error that the active version was lost. A store with this error must not count as empty.
#[derive(Debug, Error)]
#[error("none of the {versions} stored versions of the configuration is active: the one in force was lost")]
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
    File(ConfigFile),
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
                    Err(AppError::new(LOAD_FAILED).because(Unmoved::Unknown(scheme(other))))
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
    pub(crate) fn file(&self) -> Option<ConfigFile> {
        match self {
            Self::File(file) => Some(ConfigFile::new(file)),
            Self::Database | Self::Sqlite | Self::Postgres(_) => None,
        }
    }
}

/// Returns only the scheme of a URL, because the rest may contain a password.
fn scheme(address: &str) -> String {
    address.split("://").next().map(|scheme| format!("{scheme}://…")).unwrap_or_default()
}

impl VersionStore {
    /// Opens a store. `db` is the database of the server; `sql` has the settings to connect to another one.
    pub(crate) async fn open(place: &Place, db: &Db, sql: &SqlSettings) -> Result<Self, AppError> {
        match place {
            Place::File(file) => Ok(Self::File(ConfigFile::new(file))),
            Place::Database => Ok(Self::Database(db.clone())),
            Place::Sqlite if db.engine_name() == "sqlite" => Ok(Self::Database(db.clone())),
            Place::Sqlite => Err(AppError::new(LOAD_FAILED).because(Unmoved::OtherEngine)),
            Place::Postgres(address) => {
                let sql =
                    SqlSettings { driver_name: "postgres".to_owned(), data_source: address.clone(), ..sql.clone() };
                let other = Db::new(&sql).or_fail(LOAD_FAILED)?;
                other.migrate().await.or_fail(LOAD_FAILED)?;
                Ok(Self::Database(other.without_trail()))
            }
        }
    }

    /// Returns the active version; `None` if no version was ever stored.
    ///
    /// Versions without an active one are an error: it was lost, and starting with defaults would hide that.
    pub(crate) async fn active(&self) -> Result<Option<Stored>, AppError> {
        if let Some(stored) = self.found_active().await? {
            return Ok(Some(stored));
        }
        match self.count().await? {
            0 => Ok(None),
            versions => Err(AppError::new(LOAD_FAILED).because(Inactive { versions })),
        }
    }

    async fn found_active(&self) -> Result<Option<Stored>, AppError> {
        match self {
            Self::Database(db) => db.active_configuration().await,
            Self::File(file) => in_background(file, ConfigFile::active).await?.or_fail(LOAD_FAILED),
        }
    }

    /// Returns true if there are versions but none of them is active.
    pub(crate) async fn lost_active(&self) -> Result<bool, AppError> {
        Ok(self.found_active().await?.is_none() && self.count().await? > 0)
    }

    /// Returns the number of stored versions.
    async fn count(&self) -> Result<i64, AppError> {
        match self {
            Self::Database(db) => db.versions_found().await.or_fail(LOAD_FAILED),
            Self::File(file) => in_background(file, ConfigFile::kept_count).await,
        }
    }

    /// Returns the version with this id.
    pub(crate) async fn version(&self, id: &str) -> Result<Option<Stored>, AppError> {
        match self {
            Self::Database(db) => db.configuration(id).await,
            Self::File(file) => {
                let found =
                    in_background(file, ConfigFile::versions).await?.into_iter().find(|kept| kept.record.id == id);
                Ok(found.map(|kept| Stored { id: kept.record.id, document: kept.config }))
            }
        }
    }

    /// Returns the records of the versions, newest first.
    pub(crate) async fn records(&self, paging: Paging) -> Result<Vec<VersionRecord>, AppError> {
        match self {
            Self::Database(db) => db.configuration_records(paging).await.or_fail(LOAD_FAILED),
            Self::File(file) => {
                let versions = in_background(file, ConfigFile::versions).await?.into_iter().map(|kept| kept.record);
                Ok(versions.skip(paging.page.saturating_mul(paging.per_page)).take(paging.per_page).collect())
            }
        }
    }

    /// Returns the record of the version with this id.
    pub(crate) async fn record(&self, id: &str) -> Result<Option<VersionRecord>, AppError> {
        match self {
            Self::Database(db) => db.configuration_record(id).await.or_fail(LOAD_FAILED),
            Self::File(file) => {
                let versions = in_background(file, ConfigFile::versions).await?;
                Ok(versions.into_iter().map(|kept| kept.record).find(|record| record.id == id))
            }
        }
    }

    /// Returns the readable versions, newest first. If there are very many, only the newest ones.
    pub(crate) async fn readable(&self) -> Result<Vec<Stored>, AppError> {
        match self {
            Self::Database(db) => db.readable_configurations().await.or_fail(LOAD_FAILED),
            Self::File(file) => {
                let versions = in_background(file, ConfigFile::versions).await?.into_iter();
                Ok(versions.map(|kept| Stored { id: kept.record.id, document: kept.config }).collect())
            }
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

    /// Returns the changed settings whose stored values have no effect.
    pub(crate) fn ineffective(&self, changes: &[Change]) -> Vec<String> {
        changes.iter().map(|change| &change.path).filter(|path| self.ignores(path)).cloned().collect()
    }

    /// Adds a version. If the versions are not in the database of the audit trail, the draft of the record is stored
    /// first.
    async fn add(&self, version: Version, trail: &Db) -> Result<(), AppError> {
        let is_apart = match self {
            Self::Database(db) => !db.has_trail(),
            Self::File(_) => true,
        };
        if is_apart {
            trail.store_draft().await.or_fail(SAVE_FAILED)?;
        }
        match self {
            Self::Database(db) => db.add_configuration(&version).await,
            Self::File(file) => in_background(file, move |file| file.save(&version)).await?.or_fail(SAVE_FAILED),
        }
    }
}

/// Returns true if the tables of the versions exist. Creates nothing.
pub(crate) async fn has_tables(db: &Db) -> Result<bool, StoreError> {
    Ok(!db.pending_migrations().await?.iter().any(|pending| pending == MIGRATION))
}

/// Decides the result of restoring an earlier version. If the active version is unusable, it is ignored.
pub(crate) fn put_back(
    target: &Stored,
    usable: Option<&Config>,
    overrides: &Overrides,
    around: &Surroundings,
) -> Result<Decision, AppError> {
    let running = match usable {
        Some(config) => config.clone(),
        None => Config::compose(Some(target.clone()), overrides.clone()).or_fail(LOAD_FAILED)?,
    };
    let body = target.document.clone();
    decide(
        &running,
        &Proposal {
            manner: Manner::Restore,
            body,
            may_write: Arc::new(|_| true),
            is_local: true,
            may_keep_secrets: true,
        },
        around,
    )
}

/// The versions, with the database of the audit trail.
#[derive(Clone)]
pub(crate) struct Recorded {
    pub(crate) versions: VersionStore,
    pub(crate) trail: Db,
}

impl ConfigStore for Recorded {
    fn load(&self) -> BoxFuture<'static, Result<Option<Stored>, AppError>> {
        let store = self.versions.clone();
        async move { store.active().await }.boxed()
    }

    fn save(&self, version: Version) -> BoxFuture<'static, Result<(), AppError>> {
        let Self { versions, trail } = self.clone();
        async move { versions.add(version, &trail).await }.boxed()
    }
}

/// The context of a migration between two stores.
pub(crate) struct Migration<'a> {
    /// The database of this server.
    pub(crate) db: &'a Db,
    /// The pinned settings. They are used for the check only and are not copied.
    pub(crate) overrides: &'a Overrides,
    /// The settings to connect to the databases.
    pub(crate) sql: &'a SqlSettings,
    /// The user or command that migrates.
    pub(crate) author: Author,
    /// The context for decisions about the configuration.
    pub(crate) around: &'a Surroundings,
}

/// Copies the active version of one store to another, as a new version there. Returns the changes. If both are equal,
/// nothing is written.
pub(crate) async fn migrate(from: &str, to: &str, migration: Migration<'_>) -> Result<Vec<Change>, AppError> {
    moved(from, to, migration).await.or_fail(MIGRATE_FAILED)
}

async fn moved(from: &str, to: &str, migration: Migration<'_>) -> Result<Vec<Change>, AppError> {
    let Migration { db, overrides, sql, author, around } = migration;
    if from.is_empty() || to.is_empty() {
        return Err(AppError::new(LOAD_FAILED).because(Unmoved::Nameless));
    }
    let (from, to) = (Place::named(Some(from))?, Place::named(Some(to))?);
    let source = VersionStore::open(&from, db, sql).await?.active().await?;
    let document = source.ok_or_else(|| AppError::new(LOAD_FAILED).because(Unmoved::Nothing))?.document;
    let target = VersionStore::open(&to, db, sql).await?;
    let active = target.active().await?;
    let replaces = active.as_ref().map(|stored| stored.id.clone());
    let before = active.map(|stored| stored.document);
    if before.as_ref() == Some(&document) {
        return Ok(Vec::new());
    }
    let changes = changes(&before.unwrap_or_else(|| defaults(Mode::Blank)), &document, &*around.fingerprint);
    let stored = Stored { id: new_id(), document };
    let config = Config::compose(Some(stored.clone()), overrides.clone()).or_fail(LOAD_FAILED)?;
    check(&config, around)?;
    let version = Version { stored, replaces, at: around.now_ms, author, changes: changes.clone() };
    target.add(version, db).await?;
    Ok(changes)
}

/// Runs blocking file access on a background thread, so that it does not block other requests.
async fn in_background<T: Send + 'static>(
    file: &ConfigFile,
    work: impl FnOnce(&ConfigFile) -> T + Send + 'static,
) -> Result<T, AppError> {
    let file = file.clone();
    actix_web::rt::task::spawn_blocking(move || work(&file)).await.or_fail(LOAD_FAILED)
}
