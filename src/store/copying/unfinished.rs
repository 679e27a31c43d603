//! A database that is being restored. Nothing but a complete one can be taken for a database of a server.
//!
//! On the embedded engine the rows go into a file of another name, and a server refuses to start beside it. PostgreSQL
//! has a table until the end, and every connection of servers and commands refuses a database that has it.
//! An attempt that was cut off leaves that mark, and the next restore begins anew.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use quarterdeck_actors::config::view::SqlSettings;

use super::super::engine::{self, EngineKind};
use super::super::postgres::{Postgres, RESTORING, Session};
use super::super::sqlite::{Sqlite, restored};
use super::super::{AuditKeys, Db, Engine, LOCK_KEY, MIGRATIONS_TABLE, StoreError};
use super::{newest_migration, quoted, tables_at};

/// A database that no server takes for its own until it is complete.
pub(crate) struct Unfinished {
    db: Db,
    claim: Claim,
}

/// The proof that no other restore is under way in the same place, and no server starts there.
enum Claim {
    /// The connection holds the lock under which servers migrate.
    Postgres(Session),
    /// The file is locked, and the database gets the name of `target` at the end.
    Sqlite { target: Sqlite, _lock: File },
}

impl Unfinished {
    /// Refuses a database that holds anything already; makes nothing. True when an attempt was cut off there.
    pub(crate) async fn refuse_filled(sql: &SqlSettings) -> Result<bool, StoreError> {
        let db = database(sql)?;
        match engine::kind(sql)? {
            EngineKind::Sqlite => {
                let target = Sqlite::new(sql)?;
                target.refuse_filled()?;
                Ok(target.is_claimed())
            }
            EngineKind::Postgres => {
                let was_cut_off = !db.tables_among(&[RESTORING]).await?.is_empty();
                if !was_cut_off {
                    refuse_tables(&db).await?;
                }
                Ok(was_cut_off)
            }
        }
    }

    /// Marks an empty place as one that is being restored. What an attempt left there that was cut off is deleted.
    pub(crate) async fn claim(sql: &SqlSettings) -> Result<Self, StoreError> {
        let db = database(sql)?;
        let claim = match &db.engine {
            Engine::Postgres(postgres) => Claim::Postgres(mark(&db, postgres).await?),
            Engine::Sqlite(_) => {
                let target = Sqlite::new(sql)?;
                let lock = target.claim()?;
                Claim::Sqlite { target, _lock: lock }
            }
        };
        Ok(Self { db, claim })
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
        match (&self.claim, &self.db.engine) {
            (Claim::Sqlite { target, .. }, Engine::Sqlite(unfinished)) => {
                unfinished.close().await?;
                target.take_over(unfinished).await
            }
            // On the connection with the lock: where it was lost, another restore may have begun.
            (Claim::Postgres(session), _) => Ok(session.batch_execute(&format!("DROP TABLE {RESTORING}")).await?),
            (Claim::Sqlite { .. }, Engine::Postgres(_)) => Err(StoreError::Setting("two engines".to_owned())),
        }
    }

    /// Deletes what this restore made, because it failed. The mark goes last.
    pub(crate) async fn discard(&self) {
        match (&self.claim, &self.db.engine) {
            (Claim::Postgres(session), _) => {
                if empty(&self.db, session).await.is_ok() {
                    let _ = session.batch_execute(&format!("DROP TABLE IF EXISTS {RESTORING}")).await;
                }
            }
            (Claim::Sqlite { .. }, Engine::Sqlite(unfinished)) => unfinished.discard().await,
            (Claim::Sqlite { .. }, Engine::Postgres(_)) => {}
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

/// Sets the mark, under the lock.
async fn mark(db: &Db, postgres: &Postgres) -> Result<Session, StoreError> {
    let session = postgres.session().await?;
    // A server that starts meanwhile waits here, and so does another restore.
    session.execute("SELECT pg_advisory_lock($1)", &[&LOCK_KEY]).await?;
    let was_cut_off = !db.tables_among(&[RESTORING]).await?.is_empty();
    if was_cut_off {
        empty(db, &session).await?;
    }
    refuse_tables(db).await?;
    let marking = format!("CREATE TABLE IF NOT EXISTS {RESTORING} (startedat timestamptz DEFAULT now())");
    session.batch_execute(&marking).await?;
    Ok(session)
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
