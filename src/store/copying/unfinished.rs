//! A database while it is being restored. It carries a mark, so no server uses it before it is complete.
//!
//! On SQLite the rows go into a file with another name, and a server refuses to start beside that file. On PostgreSQL
//! the mark is a table, and all connections of servers and commands refuse a database that has it.
//! An interrupted restore leaves its mark behind, and the next restore starts over.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use quarterdeck_actors::config::view::SqlSettings;

use super::super::engine::{self, EngineKind};
use super::super::postgres::{Postgres, RESTORING, Session, is_marked};
use super::super::sqlite::{Sqlite, restored};
use super::{newest_migration, quoted, tables_at};
use crate::store::engine::{LOCK_KEY, MIGRATIONS_TABLE};
use crate::store::{AuditKeys, Db, Engine, StatementTexts, StoreError};

/// The first half of the number of the advisory lock of a restore; the other half is the schema.
const RESTORE_LOCK: i32 = 0x7164_7265;

/// The maximum number of attempts to take that lock.
const LOCK_ATTEMPTS: usize = 50;

const LOCK_DELAY: Duration = Duration::from_millis(100);

/// A database that servers refuse until its restore is complete.
pub(crate) struct Unfinished {
    db: Db,
    lock: Lock,
    was_cut_off: bool,
}

/// The lock that keeps other restores and starting servers away from the same place.
enum Lock {
    /// The session has the advisory lock of restores and, from [`Unfinished::mark`] on, the lock of migrations.
    Postgres(Session),
    /// `file` is the locked lock file, once it exists. The database is renamed to `target` at the end.
    Sqlite { target: Sqlite, file: Option<File> },
}

impl Unfinished {
    /// Locks an empty place and creates nothing in it. Refuses a place with data or with a running restore.
    pub(crate) async fn lock(sql: &SqlSettings) -> Result<Self, StoreError> {
        let db = database(sql)?;
        let (lock, was_cut_off) = match &db.engine {
            Engine::Postgres(postgres) => {
                let session = locked(postgres).await?;
                let was_cut_off = is_marked(&session).await?;
                if !was_cut_off {
                    refuse_tables(&db).await?;
                }
                (Lock::Postgres(session), was_cut_off)
            }
            Engine::Sqlite(_) => {
                let target = Sqlite::new(sql)?;
                let file = target.lock_again()?;
                target.refuse_filled()?;
                let was_cut_off = target.is_marked();
                (Lock::Sqlite { target, file }, was_cut_off)
            }
        };
        Ok(Self { db, lock, was_cut_off })
    }

    /// Returns true when an interrupted restore left its mark here.
    pub(crate) fn was_cut_off(&self) -> bool {
        self.was_cut_off
    }

    /// Marks the place as being restored and deletes what an interrupted restore left there.
    pub(crate) async fn mark(&mut self) -> Result<(), StoreError> {
        match &mut self.lock {
            Lock::Postgres(session) => {
                // A server that starts at the same time waits for this lock and then finds the mark.
                session.execute("SELECT pg_advisory_lock($1)", &[&LOCK_KEY]).await?;
                // Another restore may have come to its end, and a server may have started on it, while this one waited.
                if self.was_cut_off && is_marked(session).await? {
                    empty(&self.db, session).await?;
                }
                refuse_tables(&self.db).await?;
                let marking = format!("CREATE TABLE IF NOT EXISTS {RESTORING} (startedat timestamptz DEFAULT now())");
                Ok(session.batch_execute(&marking).await?)
            }
            Lock::Sqlite { target, file } => {
                if file.is_none() {
                    *file = Some(target.lock_to_restore()?);
                }
                target.refuse_filled()?;
                target.mark()
            }
        }
    }

    /// Sets the keys that verify and hash rows of the audit trail.
    pub(crate) fn set_audit_keys(&mut self, keys: AuditKeys) {
        self.db.audit_keys = Arc::new(keys);
    }

    /// Returns the database in its current, incomplete state.
    pub(crate) fn db(&self) -> &Db {
        &self.db
    }

    /// Removes the mark after everything is restored. From then on servers can use the database.
    pub(crate) async fn complete(&self) -> Result<(), StoreError> {
        match (&self.lock, &self.db.engine) {
            (Lock::Sqlite { target, .. }, Engine::Sqlite(unfinished)) => {
                unfinished.close().await?;
                target.take_over(unfinished).await
            }
            // Uses the session with the lock: if that session is lost, another restore may be running.
            (Lock::Postgres(session), _) => Ok(session.batch_execute(&format!("DROP TABLE {RESTORING}")).await?),
            (Lock::Sqlite { .. }, Engine::Postgres(_)) => Err(StoreError::Setting("two engines".to_owned())),
        }
    }

    /// Deletes what a failed restore created. The mark is deleted last.
    pub(crate) async fn discard(&self) {
        match (&self.lock, &self.db.engine) {
            (Lock::Postgres(session), _) => {
                if empty(&self.db, session).await.is_ok() {
                    let _ = session.batch_execute(&format!("DROP TABLE IF EXISTS {RESTORING}")).await;
                }
            }
            (Lock::Sqlite { .. }, Engine::Sqlite(unfinished)) => unfinished.discard().await,
            (Lock::Sqlite { .. }, Engine::Postgres(_)) => {}
        }
    }
}

/// Returns the database that is filled. On PostgreSQL it is the final one; on SQLite it is a file with another name.
fn database(sql: &SqlSettings) -> Result<Db, StoreError> {
    let engine = match engine::kind(sql)? {
        EngineKind::Postgres => Engine::Postgres(Postgres::to_restore(sql)?),
        EngineKind::Sqlite => {
            let data_source = restored(Path::new(&sql.data_source)).display().to_string();
            Engine::Sqlite(Sqlite::new(&SqlSettings { data_source, ..sql.clone() })?)
        }
    };
    Ok(Db {
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

/// Takes the lock of restores into one schema. It retries, because PostgreSQL may notice a killed restore late.
async fn locked(postgres: &Postgres) -> Result<Session, StoreError> {
    let session = postgres.session().await?;
    let sql = "SELECT pg_try_advisory_lock($1, (n.oid::bigint % 2147483647)::integer) FROM pg_catalog.pg_namespace n \
               WHERE n.nspname = current_schema()";
    for _ in 0..LOCK_ATTEMPTS {
        let Some(row) = session.query_opt(sql, &[&RESTORE_LOCK]).await? else {
            return Err(StoreError::Setting("the schema of the database does not exist: create it first".to_owned()));
        };
        if row.try_get(0)? {
            return Ok(session);
        }
        tokio::time::sleep(LOCK_DELAY).await;
    }
    Err(StoreError::Setting("another restore into this database is in progress".to_owned()))
}

async fn refuse_tables(db: &Db) -> Result<(), StoreError> {
    let known = own_tables()?;
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    let found = db.tables_among(&names).await?;
    if found.is_empty() && !db.holds_mattermost().await? {
        return Ok(());
    }
    Err(StoreError::Setting(format!(
        "the database is not empty: it has tables of a server ({})\n\
         name an empty database or schema; a server may still be running on this one",
        found.first().map_or("of Mattermost", String::as_str)
    )))
}

/// Deletes the tables that a restore created. They were not there before it, and no server has used them since.
async fn empty(db: &Db, session: &Session) -> Result<(), StoreError> {
    // Fails when the schema is of a later version, whose tables would stay and block its migrations.
    db.pending_migrations().await?;
    let sql = "SELECT c.relname::text FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'p') \
               AND c.relname = ANY ($1::text[]::name[]) AND c.relnamespace = ANY (ARRAY( \
               SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = current_schema()))";
    let rows = session.query(sql, &[&own_tables()?]).await?;
    let names = rows.iter().map(|row| Ok(quoted(&row.try_get::<_, String>(0)?)));
    let names = names.collect::<Result<Vec<String>, tokio_postgres::Error>>()?;
    if !names.is_empty() {
        session.batch_execute(&format!("DROP TABLE {}", names.join(", "))).await?;
    }
    Ok(())
}

fn own_tables() -> Result<Vec<String>, StoreError> {
    let known = tables_at(newest_migration())?.into_iter().map(|table| table.name);
    Ok(known.chain([MIGRATIONS_TABLE.to_owned()]).collect())
}
