//! A database that is being restored. Nothing but a complete one can be taken for a database of a server.
//!
//! On the embedded engine the rows go into a file of another name, and a server refuses to start beside it. PostgreSQL
//! has a table until the end, and every connection of servers and commands refuses a database that has it.
//! An attempt that was cut off leaves that mark, and the next restore begins anew.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use quarterdeck_actors::config::view::SqlSettings;

use super::super::engine::{self, EngineKind};
use super::super::postgres::{Postgres, RESTORING, Session};
use super::super::sqlite::{Sqlite, restored};
use super::{newest_migration, quoted, tables_at};
use crate::store::engine::{LOCK_KEY, MIGRATIONS_TABLE};
use crate::store::{AuditKeys, Db, Engine, StoreError};

/// The first half of the key of the lock that a restore holds; the other half is the schema.
const RESTORE_LOCK: i32 = 0x7164_7265;

/// How often that lock is tried for.
const LOCK_ATTEMPTS: usize = 50;

const LOCK_DELAY: Duration = Duration::from_millis(100);

/// A database that no server takes for its own until it is complete.
pub(crate) struct Unfinished {
    db: Db,
    lock: Lock,
    was_cut_off: bool,
}

/// The proof that no other restore is under way in the same place, and no server starts there.
enum Lock {
    /// The connection holds the lock of restores, and from the mark on the one under which servers migrate.
    Postgres(Session),
    /// The file is locked, once it is there. The database gets the name of `target` at the end.
    Sqlite { target: Sqlite, file: Option<File> },
}

impl Unfinished {
    /// Locks an empty place, and refuses one that holds anything or where another restore is under way. Makes nothing.
    pub(crate) async fn lock(sql: &SqlSettings) -> Result<Self, StoreError> {
        let db = database(sql)?;
        let (lock, was_cut_off) = match &db.engine {
            Engine::Postgres(postgres) => {
                let session = locked(postgres).await?;
                let was_cut_off = is_marked(&db).await?;
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

    /// True when an earlier attempt left its mark.
    pub(crate) fn was_cut_off(&self) -> bool {
        self.was_cut_off
    }

    /// Marks the place as one that is being restored. What an attempt left there that was cut off is deleted.
    pub(crate) async fn mark(&mut self) -> Result<(), StoreError> {
        match &mut self.lock {
            Lock::Postgres(session) => {
                // A server that starts meanwhile waits here, and finds the mark afterwards.
                session.execute("SELECT pg_advisory_lock($1)", &[&LOCK_KEY]).await?;
                if self.was_cut_off {
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

    /// Sets the keys that rows of the audit trail are proved and hashed with.
    pub(crate) fn set_audit_keys(&mut self, keys: AuditKeys) {
        self.db.audit_keys = Arc::new(keys);
    }

    /// The database as it is by now.
    pub(crate) fn db(&self) -> &Db {
        &self.db
    }

    /// Takes the mark away, once everything is there: from now on this is a database of a server.
    pub(crate) async fn complete(&self) -> Result<(), StoreError> {
        match (&self.lock, &self.db.engine) {
            (Lock::Sqlite { target, .. }, Engine::Sqlite(unfinished)) => {
                unfinished.close().await?;
                target.take_over(unfinished).await
            }
            // On the connection with the lock: where it was lost, another restore may have begun.
            (Lock::Postgres(session), _) => Ok(session.batch_execute(&format!("DROP TABLE {RESTORING}")).await?),
            (Lock::Sqlite { .. }, Engine::Postgres(_)) => Err(StoreError::Setting("two engines".to_owned())),
        }
    }

    /// Deletes what this restore made, because it failed. The mark goes last.
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

/// The database that is filled and becomes the one of `sql` at the end; on PostgreSQL it is that one.
fn database(sql: &SqlSettings) -> Result<Db, StoreError> {
    let engine = match engine::kind(sql)? {
        EngineKind::Postgres => Engine::Postgres(Postgres::to_restore(sql)?),
        EngineKind::Sqlite => {
            let data_source = restored(Path::new(&sql.data_source)).display().to_string();
            Engine::Sqlite(Sqlite::new(&SqlSettings { data_source, ..sql.clone() })?)
        }
    };
    Ok(Db { engine, audit_keys: Arc::default(), has_trail: true })
}

/// Takes the lock of restores into one schema. PostgreSQL may take a moment to notice that a restore was killed.
async fn locked(postgres: &Postgres) -> Result<Session, StoreError> {
    let session = postgres.session().await?;
    let sql = "SELECT pg_try_advisory_lock($1, (n.oid::bigint % 2147483647)::integer) FROM pg_catalog.pg_namespace n \
               WHERE n.nspname = current_schema()";
    for _ in 0..LOCK_ATTEMPTS {
        let Some(row) = session.query_opt(sql, &[&RESTORE_LOCK]).await? else {
            return Err(StoreError::Setting("the schema of the database is not there: make it first".to_owned()));
        };
        if row.try_get(0)? {
            return Ok(session);
        }
        tokio::time::sleep(LOCK_DELAY).await;
    }
    Err(StoreError::Setting("another restore into this database is under way".to_owned()))
}

async fn is_marked(db: &Db) -> Result<bool, StoreError> {
    Ok(!db.tables_among(&[RESTORING]).await?.is_empty())
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

/// Deletes the tables that a restore made. They were not there before it, and no server has used them since.
async fn empty(db: &Db, session: &Session) -> Result<(), StoreError> {
    // Tables of a later version would stay, and be in the way of its migrations.
    db.pending_migrations().await?;
    let sql = "SELECT c.relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
               WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND c.relname::text = ANY ($1)";
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
