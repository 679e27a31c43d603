//! Where the versions of the configuration are kept: the database, or a JSON file that `MM_CONFIG` names.

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

/// Settings that say how the database is reached: what is stored in it comes too late for them.
const CONNECTION: [&str; 7] = [
    "SqlSettings.ConnMaxIdleTimeMilliseconds",
    "SqlSettings.ConnMaxLifetimeMilliseconds",
    "SqlSettings.DataSource",
    "SqlSettings.DriverName",
    "SqlSettings.MaxIdleConns",
    "SqlSettings.MaxOpenConns",
    "SqlSettings.QueryTimeout",
];

/// The migration that makes the tables of the versions.
const MIGRATION: &str = "V2__configurations";

/// Why a configuration did not go from one store into another.
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

/// The active version of the configuration was lost. It is never taken for one that was never stored.
#[derive(Debug, Error)]
#[error("none of the {versions} stored versions of the configuration is active: the one in force was lost")]
struct Inactive {
    versions: i64,
}

/// What `MM_CONFIG` or a command names.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Place {
    /// The database of the server.
    Database,
    /// The embedded engine, which must be the one of the server.
    Sqlite,
    /// A PostgreSQL, by its address.
    Postgres(String),
    /// A JSON file.
    File(PathBuf),
}

/// Where versions are kept.
#[derive(Clone)]
pub(crate) enum VersionStore {
    /// In two tables.
    Database(Db),
    /// In a file, and in a folder beside it.
    File(ConfigFile),
}

impl Place {
    /// Reads a name; none means the database.
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

    /// The name of a place as it may be kept: without the password that an address holds.
    pub(crate) fn label(name: &str) -> String {
        if name.contains("://") && !name.starts_with("file://") { scheme(name) } else { name.to_owned() }
    }

    /// The same place, by the shorter name if it is the database of the server.
    pub(crate) fn seen_from(self, sql: &SqlSettings) -> Self {
        let is_own = matches!(&self, Self::Postgres(address) if *address == sql.data_source);
        if is_own { Self::Database } else { self }
    }

    /// The file, if it is one.
    pub(crate) fn file(&self) -> Option<ConfigFile> {
        match self {
            Self::File(file) => Some(ConfigFile::new(file)),
            Self::Database | Self::Sqlite | Self::Postgres(_) => None,
        }
    }
}

/// The rest of an address may hold a password.
fn scheme(address: &str) -> String {
    address.split("://").next().map(|scheme| format!("{scheme}://…")).unwrap_or_default()
}

impl VersionStore {
    /// Opens a store; `db` is the database of the server, `sql` says how to reach another.
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

    /// The version in force; `None` while nothing was ever stored.
    ///
    /// Versions of which none is active are an error: the active one was lost, and defaults would take its place.
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

    /// True when there are versions and none of them is active.
    pub(crate) async fn lost_active(&self) -> Result<bool, AppError> {
        Ok(self.found_active().await?.is_none() && self.count().await? > 0)
    }

    /// How many versions are kept.
    async fn count(&self) -> Result<i64, AppError> {
        match self {
            Self::Database(db) => db.versions_found().await.or_fail(LOAD_FAILED),
            Self::File(file) => in_background(file, ConfigFile::kept_count).await,
        }
    }

    /// The version with that id.
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

    /// What is remembered of the versions, the newest first.
    pub(crate) async fn records(&self, paging: Paging) -> Result<Vec<VersionRecord>, AppError> {
        match self {
            Self::Database(db) => db.configuration_records(paging).await.or_fail(LOAD_FAILED),
            Self::File(file) => {
                let versions = in_background(file, ConfigFile::versions).await?.into_iter().map(|kept| kept.record);
                Ok(versions.skip(paging.page.saturating_mul(paging.per_page)).take(paging.per_page).collect())
            }
        }
    }

    /// What is remembered of the version with that id.
    pub(crate) async fn record(&self, id: &str) -> Result<Option<VersionRecord>, AppError> {
        match self {
            Self::Database(db) => db.configuration_record(id).await.or_fail(LOAD_FAILED),
            Self::File(file) => {
                let versions = in_background(file, ConfigFile::versions).await?;
                Ok(versions.into_iter().map(|kept| kept.record).find(|record| record.id == id))
            }
        }
    }

    /// The versions that can be read, the newest first; of very many, the newest.
    pub(crate) async fn readable(&self) -> Result<Vec<Stored>, AppError> {
        match self {
            Self::Database(db) => db.readable_configurations().await.or_fail(LOAD_FAILED),
            Self::File(file) => {
                let versions = in_background(file, ConfigFile::versions).await?.into_iter();
                Ok(versions.map(|kept| Stored { id: kept.record.id, document: kept.config }).collect())
            }
        }
    }

    /// The file, as an address; `None` for the database.
    pub(crate) fn file_name(&self) -> Option<String> {
        match self {
            Self::Database(_) => None,
            Self::File(file) => Some(format!("file://{}", file.path().display())),
        }
    }

    /// Whether what is stored for a setting has no effect: only what is pinned has.
    pub(crate) fn ignores(&self, path: &str) -> bool {
        match self {
            Self::Database(_) => CONNECTION.contains(&path),
            Self::File(_) => false,
        }
    }

    /// The settings that a change stores in vain.
    pub(crate) fn ineffective(&self, changes: &[Change]) -> Vec<String> {
        changes.iter().map(|change| &change.path).filter(|path| self.ignores(path)).cloned().collect()
    }

    /// Adds a version. Where it is not kept beside the trail, the draft of its record is stored in `trail` before it.
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

/// Whether the tables of the versions are there; looking makes nothing.
pub(crate) async fn has_tables(db: &Db) -> Result<bool, StoreError> {
    Ok(!db.pending_migrations().await?.iter().any(|pending| pending == MIGRATION))
}

/// What putting an earlier version back comes to. Where the active one cannot be used, nothing of it counts.
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

/// Versions, and the database that has the trail.
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

/// What a migration must know beside the two names.
pub(crate) struct Migration<'a> {
    /// The database of this server.
    pub(crate) db: &'a Db,
    /// What wins over the stored configuration here; it goes nowhere.
    pub(crate) overrides: &'a Overrides,
    /// How to reach the databases.
    pub(crate) sql: &'a SqlSettings,
    /// Who asks for it.
    pub(crate) author: Author,
    /// What decisions about the configuration must know.
    pub(crate) around: &'a Surroundings,
}

/// Copies what is stored in one store into another, as a new version there, and gives what changed there.
/// What is the same already stays as it is.
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

/// Looks at files without holding up other requests.
async fn in_background<T: Send + 'static>(
    file: &ConfigFile,
    work: impl FnOnce(&ConfigFile) -> T + Send + 'static,
) -> Result<T, AppError> {
    let file = file.clone();
    actix_web::rt::task::spawn_blocking(move || work(&file)).await.or_fail(LOAD_FAILED)
}
