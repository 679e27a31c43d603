//! Reads as much of the configuration and of the database as possible, for a support packet of a server that may be
//! unable to start. Creates nothing.

use std::time::Duration;

use quarterdeck_actors::config::shape::without_values;
use quarterdeck_actors::config::view::SqlSettings;
use quarterdeck_actors::config::{Config, Defaults, Overrides};
use quarterdeck_actors::secret::Secret;
use tokio::time::timeout;

use super::StartError;
use super::database::{choose, is_default};
use super::installation::made_with;
use super::starting_config::{compose, place};
use crate::domain::support_packet::secrets::of_config;
use crate::domain::support_packet::{Database, Fault, OF_DATABASE};
use crate::domain::version_store::{Place, VersionStore, has_tables};
use crate::settings::{Settings, Sources};
use crate::store::{Db, StoreError};

/// The time in which a database must answer.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(15);

/// The part of a packet that is missing if the stored configuration cannot be used.
const STORED: &str = "sanitized_config.json: the stored settings";

/// The data that can be read, and the reasons for what cannot.
pub(crate) struct Diagnosis {
    /// The configuration. If the stored one cannot be used, only the pinned settings and the defaults.
    pub(crate) config: Config,
    /// The database that the configuration names.
    pub(crate) database: Database,
    /// The data that cannot be read.
    pub(crate) faults: Vec<Fault>,
    /// True if the stored configuration could be read, so that its secrets are known.
    pub(crate) secrets_are_known: bool,
    /// The secrets of an earlier version, if it is used in place of the active one to find the database.
    pub(crate) secrets: Vec<Secret>,
}

/// Reads what can be read. Refuses pinned settings that name no database, or another one than the configuration.
pub(crate) async fn diagnose(settings: Settings, sources: &Sources) -> Result<Diagnosis, StartError> {
    let place = place(sources)?;
    let is_pinned = !is_default(&settings.config);
    let mut found = Diagnosis {
        config: settings.config,
        database: Database::Unreadable,
        faults: Vec::new(),
        secrets_are_known: true,
        secrets: Vec::new(),
    };
    let names_database = match place.file() {
        Some(file) => found.read_file(&VersionStore::File(file), sources, is_pinned).await,
        None => Some(found.config.view.sql.clone()),
    };
    choose(&found.config, &place)?;
    match names_database {
        Some(sql) => found.open_database(&sql, sources, is_pinned).await?,
        None => found.add(OF_DATABASE, "the stored configuration, which names the database, cannot be read"),
    }
    match &place {
        Place::File(_) => found.complete().await,
        Place::Database | Place::Sqlite | Place::Postgres(_) => found.read_stored(&place, sources).await,
    }
    Ok(found)
}

impl Diagnosis {
    /// Adds a fault. Values are left out of it, because a support packet goes to other people.
    fn add(&mut self, name: &'static str, why: &str) {
        let why = without_values(why);
        self.faults.push(Fault { name, why });
    }

    fn lacks_stored(&mut self, why: &str) {
        self.secrets_are_known = false;
        self.add(STORED, why);
    }

    /// Reads a configuration file. Returns the database that it names; `None` if it is unreadable, no earlier version
    /// names one, and no setting of the operator does.
    async fn read_file(&mut self, file: &VersionStore, sources: &Sources, is_pinned: bool) -> Option<SqlSettings> {
        let overrides = self.config.overrides.clone();
        match compose(file, overrides.clone(), sources, Defaults::Today).await {
            Ok(config) => self.config = config,
            Err(refusal) => {
                self.lacks_stored(&refusal.to_string());
                if !is_pinned {
                    let earlier = newest_usable(file, &overrides).await?;
                    self.secrets = of_config(&earlier);
                    return Some(earlier.view.sql.clone());
                }
            }
        }
        Some(self.config.view.sql.clone())
    }

    /// Opens the database for reading, if it answers in time.
    async fn open_database(&mut self, sql: &SqlSettings, sources: &Sources, is_pinned: bool) -> Result<(), StartError> {
        let tables = async {
            let db = Db::new(sql)?;
            Db::refuse_doubtful(sql, sources.is_new()).await?;
            let has_tables = has_tables(&db).await?;
            Ok::<_, StoreError>(if has_tables { Database::Ready(Box::new(db)) } else { Database::Empty })
        };
        match timeout(DATABASE_TIMEOUT, tables).await {
            Ok(Ok(database)) => self.database = database,
            // An interrupted restore is no installation yet, and is refused as by every command.
            Ok(Err(cause @ StoreError::Unfinished(_))) => return Err(cause.into()),
            // A pinned setting that names no database is refused, as by every command.
            Ok(Err(cause)) if is_pinned && Db::new(sql).is_err() => return Err(cause.into()),
            Ok(Err(cause)) => self.add(OF_DATABASE, &format!("the database cannot be read: {cause}")),
            Err(_) => self.add(OF_DATABASE, &unanswered()),
        }
        Ok(())
    }

    /// Returns the defaults of the installation, if the database can be read.
    async fn defaults(&self) -> Defaults {
        match &self.database {
            Database::Ready(db) => {
                timeout(DATABASE_TIMEOUT, made_with(db)).await.ok().and_then(Result::ok).unwrap_or_default()
            }
            Database::Empty | Database::Unreadable => Defaults::Today,
        }
    }

    /// Completes a configuration of a file with the defaults of the installation.
    async fn complete(&mut self) {
        let defaults = self.defaults().await;
        let Config { stored, overrides, .. } = self.config.clone();
        if let Ok(config) = Config::compose_with(defaults, stored, overrides) {
            self.config = config;
        }
    }

    /// Reads the configuration that is stored in a database.
    async fn read_stored(&mut self, place: &Place, sources: &Sources) {
        let place = place.clone().seen_from(&self.config.view.sql);
        match timeout(DATABASE_TIMEOUT, self.stored(&place, sources)).await {
            Ok(Ok(Some(config))) => self.config = config,
            Ok(Ok(None)) => {}
            Ok(Err(why)) => self.lacks_stored(&why),
            Err(_) => self.lacks_stored(&unanswered()),
        }
    }

    /// Returns the configuration that is stored in a database; `None` if none is.
    async fn stored(&self, place: &Place, sources: &Sources) -> Result<Option<Config>, String> {
        let sql = &self.config.view.sql;
        let existing = match (&self.database, place) {
            (Database::Ready(db), _) => VersionStore::existing(place, db, sql).await,
            (_, Place::Postgres(_)) => {
                let unused = Db::new(sql).map_err(|cause| cause.to_string())?;
                VersionStore::existing(place, &unused, sql).await
            }
            (Database::Empty, _) => return Ok(None),
            (Database::Unreadable, _) => return Err("they are in the database, which cannot be read".to_owned()),
        };
        let Some(versions) = existing.map_err(|cause| cause.to_string())? else { return Ok(None) };
        let defaults = self.defaults().await;
        let composed = compose(&versions, self.config.overrides.clone(), sources, defaults).await;
        composed.map(Some).map_err(|refusal| refusal.to_string())
    }
}

fn unanswered() -> String {
    format!("the database has not answered for {} s", DATABASE_TIMEOUT.as_secs())
}

/// Returns the configuration with the newest version that can be used; `None` if there is no such version.
async fn newest_usable(versions: &VersionStore, overrides: &Overrides) -> Option<Config> {
    let versions = versions.readable().await.ok()?;
    versions.into_iter().find_map(|version| Config::compose(Some(version), overrides.clone()).ok())
}
