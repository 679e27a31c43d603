//! The database: one set of SQL statements that runs on two engines, PostgreSQL and SQLite.
//!
//! Statements use the SQL that both engines accept: `$1` parameters, `ON CONFLICT … DO UPDATE`, `RETURNING`, and times
//! as integers in milliseconds. A list is one parameter (`= ANY ($1)`, which `sqlite/lists.rs` writes as SQLite has it),
//! so a statement has one text for lists of every length. All SQL of the server is in `src/store`.

mod analytics;
mod audits;
mod bots;
mod channels;
mod cluster;
mod config_certificates;
mod config_confirmation;
mod config_json;
mod config_versions;
mod copying;
mod data_source;
mod engine;
mod error;
mod foreign;
mod integrity;
mod jobs;
mod licenses;
mod mail_tokens;
pub(crate) mod mattermost;
mod notices;
mod pool;
mod postgres;
mod posts;
mod preferences;
mod presence;
mod recycling;
mod roles;
mod schema;
mod schemes;
mod sessions;
mod sqlite;
mod status;
mod support_packet;
mod systems;
mod tasks;
mod teams;
#[cfg(test)]
pub(crate) mod testing;
mod texts;
mod tokens;
mod transaction;
mod unknown_names;
mod user_names;
mod users;
mod value;
mod writing;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use quarterdeck_actors::config::view::SqlSettings;
use tracing::{info, warn};

use crate::files::private::check_creatable;

pub(crate) use analytics::{Count, EXTRA, PEOPLE, STANDARD, Series};
pub(crate) use audits::{AuditEntry, AuditKeys, Finding, FullEntry, Mark, Pace, Walk, own_record};
pub(crate) use channels::ChannelFilter;
pub use cluster::{NodeSockets, PostgresBus, RedisBus};
pub(crate) use cluster::{RUNNING, Rollout, StoredRollout, is_on_redis, probe_redis};
pub(crate) use config_certificates::MAX_NAME_CHARACTERS;
pub(crate) use config_json::{ConfigJson, FileError, NotSaved, check_content, is_plain_name};
pub(crate) use config_versions::{VersionRecord, pretty};
#[cfg(test)]
pub(crate) use copying::newest_migration;
pub(crate) use copying::{Column, Kind, Load, Snapshot, Table, Unfinished, migrations_up_to, tables_at};
pub(crate) use data_source::DataSource;
pub(crate) use engine::described;
use engine::{EngineKind, MIGRATIONS_TABLE};
pub use error::StoreError;
pub(crate) use foreign::{Detachable, is_first};
pub(crate) use integrity::{Orphan, Outcome, Relation};
pub(crate) use mail_tokens::{InvitedTo, MailToken, MailTokenKind};
pub(crate) use pool::PoolStatus;
use postgres::Postgres;
pub use presence::NodePresence;
use sqlite::Sqlite;
pub(crate) use sqlite::{close_opened, files_of as embedded_files};
pub(crate) use teams::{JoinRules, MemberOrder, TeamSearch};
pub use texts::StatementTexts;
pub(crate) use tokens::{AccessToken, TokenOf};
pub(crate) use transaction::{Subject, Transaction};
pub(crate) use unknown_names::{Counted, NameKey};
use user_names::Frequencies;
pub(crate) use user_names::UserSearch;
pub(crate) use users::{
    AccountLimit, Changed, Cursor, EndedSessions, Entry, Filter, Guests, Invitation, InvitationProof, LoginRules,
    Operated, OperatorChange, Order, ReportFilter, ReportOrder, ReportPage, ReportRow, Site, SiteRules,
};
pub(crate) use value::{Row, Statement, Value, json_of, portions, statement, tuples};

const FIRST_RETRY_DELAY: Duration = Duration::from_millis(250);
const MAX_RETRY_DELAY: Duration = Duration::from_secs(10);

/// A handle to the database, for either engine.
#[derive(Clone)]
pub struct Db {
    engine: Engine,
    /// The HMAC keys with which new rows of the audit trail are hashed.
    audit_keys: Arc<AuditKeys>,
    /// False when this database stores only versions of the configuration, for a server whose other data is elsewhere.
    has_trail: bool,
    /// True once the searchable names were compared with the accounts.
    has_compared_names: Arc<AtomicBool>,
    /// The frequency of pieces of the searchable names.
    name_frequencies: Arc<Frequencies>,
    /// The tables of Mattermost beside those of this server.
    companions: Arc<tokio::sync::OnceCell<foreign::Companions>>,
    /// True if the operator said that this server may change a database of Mattermost while other programs use it.
    is_beside: bool,
    /// The texts of the statements that ran.
    texts: StatementTexts,
}

#[derive(Clone)]
enum Engine {
    Postgres(Postgres),
    Sqlite(Sqlite),
}

/// The migrations that create the tables of the configuration. They depend on no other tables.
const CONFIGURATION_TABLES: [&str; 3] = [
    include_str!("../../sql/V2__configurations.sql"),
    include_str!("../../sql/V10__configuration_files.sql"),
    include_str!("../../sql/V14__configuration_confirmation.sql"),
];

/// Refuses the embedded engine if its file is missing and cannot be created. Creates nothing.
pub(crate) fn check_file(settings: &SqlSettings) -> Result<(), String> {
    let file = Path::new(&settings.data_source);
    let is_missing = matches!(engine::kind(settings), Ok(EngineKind::Sqlite)) && !file.exists();
    let creatable = if is_missing { std::path::absolute(file).and_then(|file| check_creatable(&file)) } else { Ok(()) };
    creatable.map_err(|cause| format!("SqlSettings.DataSource {:?} cannot be created: {cause}", settings.data_source))
}

/// Returns the folder of the embedded engine's file; `None` for a database server.
pub(crate) fn embedded_folder(settings: &SqlSettings) -> Option<PathBuf> {
    let is_embedded = matches!(engine::kind(settings), Ok(EngineKind::Sqlite));
    Path::new(&settings.data_source).parent().filter(|_| is_embedded).map(Path::to_path_buf)
}

impl Db {
    /// Creates the connection pool for `settings`; it connects on first use.
    pub fn new(settings: &SqlSettings) -> Result<Self, StoreError> {
        let engine = match engine::kind(settings)? {
            EngineKind::Postgres => Engine::Postgres(Postgres::new(settings)?),
            EngineKind::Sqlite => Engine::Sqlite(Sqlite::new(settings)?),
        };
        Ok(Self {
            engine,
            audit_keys: Arc::default(),
            has_trail: true,
            has_compared_names: Arc::default(),
            name_frequencies: Arc::default(),
            companions: Arc::default(),
            is_beside: false,
            texts: StatementTexts::default(),
        })
    }

    /// Returns this database with the operator's word about other programs that are connected to it (`--beside`).
    #[must_use]
    pub(crate) fn beside(self, is_beside: bool) -> Self {
        Self { is_beside, ..self }
    }

    /// Returns true if the operator said that this server may change a database of Mattermost beside other programs.
    pub(crate) fn is_beside(&self) -> bool {
        self.is_beside
    }

    /// Returns this database with keys for the audit trail.
    #[must_use]
    pub(crate) fn with_audit_keys(self, keys: AuditKeys) -> Self {
        Self { audit_keys: Arc::new(keys), ..self }
    }

    /// Returns this database marked as one without an audit trail.
    #[must_use]
    pub(crate) fn without_trail(self) -> Self {
        Self { has_trail: false, ..self }
    }

    /// Returns true when this database stores the audit trail.
    pub(crate) fn has_trail(&self) -> bool {
        self.has_trail
    }

    /// Applies pending migrations; retries until the database answers and logs each retry.
    pub async fn migrate_when_ready(&self) -> Result<(), StoreError> {
        when_ready(async || self.migrate().await).await
    }

    /// Applies pending migrations once. Before it writes anything, refuses a schema that a later version changed, and a
    /// database of Mattermost in which this server cannot work or that other programs use.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let pending = self.pending_migrations().await?;
        self.refuse_unfit(&pending).await?;
        self.refuse_beside_others(&pending).await?;
        let is_behind = !pending.is_empty();
        let additions = self.begin_attaching(&pending).await?;
        let indexes = additions.concurrent_indexes();
        let mut runner = embedded::migrations::runner();
        runner.set_migration_table_name(MIGRATIONS_TABLE);
        // The lock is held until all tables are there, so that no command takes away only the first of them.
        let lock = match &self.engine {
            Engine::Postgres(postgres) => {
                let lock = postgres.migrate(&runner, &indexes, is_first(&pending)).await?;
                // In a database with room for one connection, the next statements take the place of this one.
                postgres.has_room().await.then_some(lock)
            }
            Engine::Sqlite(sqlite) => {
                sqlite.migrate(runner).await?;
                None
            }
        };
        if is_behind {
            self.note_change().await?;
        }
        self.end_attaching(&pending, &additions).await?;
        self.create_names().await?;
        self.create_cluster().await?;
        self.create_presence().await?;
        drop(lock);
        info!(db.engine = self.engine_name(), "database schema is up to date");
        Ok(())
    }

    /// Returns the engine's name as it appears in settings and log messages.
    pub fn engine_name(&self) -> &'static str {
        match &self.engine {
            Engine::Postgres(_) => "postgres",
            Engine::Sqlite(_) => "sqlite",
        }
    }

    /// Refuses a database file that lost data, before the server uses it.
    ///
    /// With `is_new` the operator declares that the database is new. Does nothing on PostgreSQL.
    pub(crate) async fn refuse_doubtful(settings: &SqlSettings, is_new: bool) -> Result<(), StoreError> {
        match engine::kind(settings)? {
            EngineKind::Postgres => Ok(()),
            EngineKind::Sqlite => sqlite::refuse_doubtful(Path::new(&settings.data_source), is_new).await,
        }
    }

    /// Creates the tables of the versions of the configuration and no others. Refuses a schema that a later version
    /// changed.
    pub(crate) async fn create_configuration_tables(&self) -> Result<(), StoreError> {
        self.pending_migrations().await?;
        let found = self
            .tables_among(&["configurations", "qd_configversions", "configurationfiles", config_confirmation::TABLE])
            .await?;
        // A role that only writes rows may not even run statements that would change nothing.
        if found.len() == CONFIGURATION_TABLES.len() + 1 {
            return Ok(());
        }
        let lacks_confirmation =
            found.len() == CONFIGURATION_TABLES.len() && !found.iter().any(|name| name == config_confirmation::TABLE);
        let statements = CONFIGURATION_TABLES.iter().flat_map(|text| text.split(";\n"));
        let statements = statements.map(str::trim).filter(|text| text.contains("CREATE"));
        let noting = self.noting_configuration(&found).await?;
        let statements = noting.into_iter().chain(statements.map(|text| statement(text, Vec::new()))).collect();
        let making = Transaction::of(statements).lock_exclusive(Subject::Configuration);
        let made = match self.refuse_beside_programs().await {
            Ok(()) => self.transaction(making).await.map(drop),
            refused => refused,
        };
        match made {
            Err(cause) if lacks_confirmation => {
                warn!(%cause, table = config_confirmation::TABLE, "changes with a confirmation are refused: a table is missing");
                Ok(())
            }
            made => made,
        }
    }

    /// Refuses a database in which tables of the configuration are missing, if the role may not make them, or other programs
    /// use it and a Mattermost made it.
    pub(crate) async fn refuse_unmade_configuration_tables(&self) -> Result<(), StoreError> {
        let found = self.tables_among(&["configurations", "qd_configversions", "configurationfiles"]).await?;
        if found.len() == 3 {
            return Ok(());
        }
        self.refuse_fixed_schema().await?;
        self.refuse_beside_programs().await
    }

    /// Marks the database file as open, so that an incomplete copy made while it is open is recognised.
    pub(crate) async fn mark_open(&self) -> Result<(), StoreError> {
        match &self.engine {
            Engine::Postgres(_) => Ok(()),
            Engine::Sqlite(sqlite) => sqlite.mark_open().await,
        }
    }

    /// Checks the database file for damage and changes nothing. Does nothing on PostgreSQL.
    pub(crate) async fn check(&self) -> Result<(), StoreError> {
        match &self.engine {
            Engine::Postgres(_) => Ok(()),
            Engine::Sqlite(sqlite) => sqlite.check().await,
        }
    }

    /// Closes all connections. Fails on the embedded engine unless the database is a single file afterwards.
    pub(crate) async fn close(&self) -> Result<(), StoreError> {
        match &self.engine {
            Engine::Postgres(postgres) => postgres.close(),
            Engine::Sqlite(sqlite) => sqlite.close().await?,
        }
        Ok(())
    }

    /// Returns as an error the damage that statements found since the start.
    pub(crate) fn damage(&self) -> Result<(), StoreError> {
        match &self.engine {
            Engine::Postgres(_) => Ok(()),
            Engine::Sqlite(sqlite) => sqlite.damage(),
        }
    }

    /// Returns the current numbers of connections.
    pub(crate) fn pool(&self) -> PoolStatus {
        match &self.engine {
            Engine::Postgres(postgres) => postgres.status(),
            Engine::Sqlite(sqlite) => sqlite.status(),
        }
    }

    /// Closes idle connections that are beyond the limits of the settings.
    pub async fn retire_connections(&self) {
        if let Engine::Postgres(postgres) = &self.engine {
            postgres.retire().await;
        }
    }

    /// Replaces all connections without waiting: idle ones close now, those in use close when their work is done.
    pub fn recycle_connections(&self) {
        match &self.engine {
            Engine::Postgres(postgres) => postgres.recycle(),
            Engine::Sqlite(sqlite) => sqlite.recycle(),
        }
    }

    /// Runs a statement that only reads.
    pub(crate) async fn read(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        self.texts.note(&statement);
        match &self.engine {
            Engine::Postgres(postgres) => postgres.read(statement).await,
            Engine::Sqlite(sqlite) => sqlite.read(statement).await,
        }
    }
}

/// Calls `attempt` until the database answers and no lock is in the way; waits between the calls and logs each retry.
pub(crate) async fn when_ready<T>(attempt: impl AsyncFn() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let mut delay = FIRST_RETRY_DELAY;
    loop {
        match attempt().await {
            Err(cause) if cause.is_passing() => {
                let retry_delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
                warn!(problem = %cause, retry_delay_ms, "the database does not answer or is locked, trying again");
                tokio::time::sleep(delay).await;
                delay = delay.saturating_mul(2).min(MAX_RETRY_DELAY);
            }
            answered => return answered,
        }
    }
}

mod embedded {
    refinery::embed_migrations!("sql");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn only_a_database_that_does_not_answer_is_asked_again() {
        let attempts = AtomicUsize::new(0);
        let attempt = async || match attempts.fetch_add(1, Ordering::Relaxed) {
            0 => Err(StoreError::Unavailable("not yet".to_owned())),
            _ => Err::<(), _>(StoreError::ReadOnly),
        };
        assert!(matches!(when_ready(attempt).await, Err(StoreError::ReadOnly)));
        assert_eq!(attempts.load(Ordering::Relaxed), 2);
    }
}
