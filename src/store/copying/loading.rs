//! Rows are written into an empty database. Nothing but a complete one can be taken for a database of a server.
//!
//! On the embedded engine the rows go into a file of another name. PostgreSQL has a table until the end that says that
//! the database is incomplete; servers and commands refuse one that has it.

use std::path::Path;

use quarterdeck_actors::config::view::SqlSettings;
use rusqlite::Connection;

use super::super::engine::{self, EngineKind};
use super::super::postgres::Session;
use super::super::sqlite::{restored, run};
use super::super::{Db, Engine, LOCK_KEY, MIGRATIONS_TABLE, Statement, StoreError, Value, placeholders, statement};
use super::tables::runner_up_to;
use super::{RESTORING, Table, listed, newest_migration, quoted, tables_at};

/// The most parameters of one statement; the engines take 32,766 and 65,535.
const MAX_PARAMETERS: usize = 16_000;

/// An empty database that is being filled.
pub(crate) struct Load {
    target: Target,
}

enum Target {
    Postgres(Session),
    Sqlite(Connection),
}

impl Db {
    /// Refuses a database that holds anything already, or that an earlier attempt left half full. Makes nothing.
    pub(crate) async fn refuse_filled(&self) -> Result<(), StoreError> {
        if let Engine::Sqlite(sqlite) = &self.engine {
            return sqlite.refuse_filled();
        }
        self.refuse_half_restored().await?;
        let known = tables_at(newest_migration())?;
        let names: Vec<&str> = known.iter().map(|table| table.name.as_str()).chain([MIGRATIONS_TABLE]).collect();
        let found = self.tables_among(&names).await?;
        if found.is_empty() && !self.holds_mattermost().await? {
            return Ok(());
        }
        Err(StoreError::Setting(format!(
            "the database is not empty: it has tables of a server ({})\n\
             name an empty database or schema; a server may still be running on this one",
            found.first().map_or("of Mattermost", String::as_str)
        )))
    }

    /// Refuses a database that a restore did not complete.
    pub(crate) async fn refuse_half_restored(&self) -> Result<(), StoreError> {
        if self.tables_among(&[RESTORING]).await?.is_empty() {
            return Ok(());
        }
        Err(StoreError::Setting(format!(
            "a backup is being restored into this database, or an attempt was cut off (it has the table {RESTORING})\n\
             if none is under way, empty it and restore again: DROP SCHEMA, then CREATE SCHEMA"
        )))
    }

    /// The database that is filled and becomes the one of `settings` at the end; on PostgreSQL it is that one.
    pub(crate) fn unfinished(settings: &SqlSettings) -> Result<Self, StoreError> {
        match engine::kind(settings)? {
            EngineKind::Postgres => Self::new(settings),
            EngineKind::Sqlite => {
                let data_source = restored(Path::new(&settings.data_source)).display().to_string();
                Self::new(&SqlSettings { data_source, ..settings.clone() })
            }
        }
    }

    /// Deletes what an attempt left that failed, where that can be told from what others made.
    pub(crate) async fn discard_load(&self) {
        if let Engine::Sqlite(unfinished) = &self.engine {
            unfinished.discard().await;
        }
    }

    /// Makes the tables of schema `version`, to be filled. The caller has refused a database that holds something.
    pub(crate) async fn begin_load(&self, version: i64) -> Result<Load, StoreError> {
        let runner = runner_up_to(version)?;
        let target = match &self.engine {
            Engine::Postgres(postgres) => {
                let mut session = postgres.session().await?;
                // A server that starts meanwhile waits here, and finds the mark afterwards.
                session.execute("SELECT pg_advisory_lock($1)", &[&LOCK_KEY]).await?;
                self.refuse_filled().await?;
                session
                    .batch_execute(&format!("CREATE TABLE {RESTORING} (startedat timestamptz DEFAULT now())"))
                    .await?;
                session.batch_execute(include_str!("../../../sql/postgres.sql")).await?;
                runner.run_async(&mut *session).await?;
                session.batch_execute("BEGIN").await?;
                Target::Postgres(session)
            }
            Engine::Sqlite(sqlite) => {
                let mut connection = sqlite.make_to_load()?;
                runner.run(&mut connection)?;
                connection.execute_batch("BEGIN")?;
                Target::Sqlite(connection)
            }
        };
        let mut load = Load { target };
        // A migration may add rows of its own. Those of the backup come in their place.
        for table in tables_at(version)? {
            load.empty(&table).await?;
        }
        Ok(load)
    }

    /// Ends what [`Db::begin_load`] began, once everything is there: from now on this is a database of a server.
    pub(crate) async fn end_load(&self, loaded: &Self) -> Result<(), StoreError> {
        match (&self.engine, &loaded.engine) {
            (Engine::Sqlite(target), Engine::Sqlite(unfinished)) => {
                unfinished.close().await?;
                target.take_over(unfinished).await
            }
            _ => self.write(statement(format!("DROP TABLE {RESTORING}"), Vec::new())).await.map(drop),
        }
    }
}

impl Load {
    /// The most rows of a table that one call of [`Load::insert`] takes.
    pub(crate) fn batch(table: &Table) -> usize {
        (MAX_PARAMETERS / table.columns.len().max(1)).clamp(1, 200)
    }

    /// Adds rows.
    pub(crate) async fn insert(&mut self, table: &Table, rows: Vec<Vec<Value>>) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let width = table.columns.len();
        let tuples: Vec<String> =
            (0..rows.len()).map(|row| format!("({})", placeholders(row * width + 1, width))).collect();
        let sql = format!("INSERT INTO {} ({}) VALUES {}", quoted(&table.name), listed(table), tuples.join(", "));
        let Statement { sql, values } = statement(sql, rows.into_iter().flatten().collect());
        match &mut self.target {
            Target::Postgres(session) => session.run(&sql, &values).await,
            Target::Sqlite(connection) => run(connection, &Statement { sql, values }).map(drop),
        }
    }

    async fn empty(&mut self, table: &Table) -> Result<(), StoreError> {
        let sql = format!("DELETE FROM {}", quoted(&table.name));
        match &mut self.target {
            Target::Postgres(session) => Ok(session.batch_execute(&sql).await?),
            Target::Sqlite(connection) => Ok(connection.execute_batch(&sql)?),
        }
    }

    /// Counts the rows of a table.
    pub(crate) async fn count(&mut self, table: &Table) -> Result<i64, StoreError> {
        let sql = format!("SELECT COUNT(*) FROM {}", quoted(&table.name));
        Ok(match &mut self.target {
            Target::Postgres(session) => session.query_one(&sql, &[]).await?.try_get(0)?,
            Target::Sqlite(connection) => connection.query_row(&sql, [], |row| row.get(0))?,
        })
    }

    /// Keeps the rows and brings the schema up to date.
    pub(crate) async fn finish(self) -> Result<(), StoreError> {
        let runner = runner_up_to(newest_migration())?;
        match self.target {
            Target::Postgres(mut session) => {
                session.batch_execute("COMMIT").await?;
                runner.run_async(&mut *session).await?;
                session.execute("SELECT pg_advisory_unlock($1)", &[&LOCK_KEY]).await?;
            }
            Target::Sqlite(mut connection) => {
                connection.execute_batch("COMMIT")?;
                runner.run(&mut connection)?;
                connection.close().map_err(|(_, cause)| cause)?;
            }
        }
        Ok(())
    }
}
