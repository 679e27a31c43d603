//! Writes the rows of a backup into an empty database, in one transaction.

use rusqlite::Connection;

use super::super::postgres::Session;
use super::super::sqlite::run;
use super::super::{Engine, Statement, StoreError, Value, statement, tuples};
use super::tables::runner_up_to;
use super::unfinished::Unfinished;
use super::{Table, listed, newest_migration, quoted, tables_at};

/// The maximum number of parameters in one statement; the engines accept 32,766 and 65,535.
const MAX_PARAMETERS: usize = 16_000;

/// An empty database into which rows are loaded.
pub(crate) struct Load {
    pub(super) target: Target,
}

pub(super) enum Target {
    Postgres(Session),
    Sqlite(Connection),
}

impl Unfinished {
    /// Creates the empty tables of schema `version` and begins the load.
    pub(crate) async fn begin_load(&self, version: i64) -> Result<Load, StoreError> {
        let runner = runner_up_to(version)?;
        let target = match &self.db().engine {
            Engine::Postgres(postgres) => {
                let mut session = postgres.session().await?;
                session.batch_execute(include_str!("../../../sql/postgres.sql")).await?;
                runner.run_async(&mut *session).await?;
                session.batch_execute("BEGIN").await?;
                Target::Postgres(session)
            }
            Engine::Sqlite(sqlite) => {
                let mut connection = sqlite.open_to_load()?;
                runner.run(&mut connection)?;
                connection.execute_batch("BEGIN")?;
                Target::Sqlite(connection)
            }
        };
        let mut load = Load { target };
        // Migrations can insert rows. They are deleted here, and the backup's rows replace them.
        for table in tables_at(version)? {
            load.empty(&table).await?;
        }
        Ok(load)
    }
}

impl Load {
    /// Returns the maximum number of rows for one call of [`Load::insert`].
    pub(crate) fn batch(table: &Table) -> usize {
        (MAX_PARAMETERS / table.columns.len().max(1)).clamp(1, 200)
    }

    /// Inserts rows.
    pub(crate) async fn insert(&mut self, table: &Table, rows: Vec<Vec<Value>>) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let width = table.columns.len();
        let tuples = tuples(rows.len(), width);
        let sql = format!("INSERT INTO {} ({}) VALUES {tuples}", quoted(&table.name), listed(table));
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

    /// Returns the number of rows of a table.
    pub(crate) async fn count(&mut self, table: &Table) -> Result<i64, StoreError> {
        let sql = format!("SELECT COUNT(*) FROM {}", quoted(&table.name));
        Ok(match &mut self.target {
            Target::Postgres(session) => session.query_one(&sql, &[]).await?.try_get(0)?,
            Target::Sqlite(connection) => connection.query_row(&sql, [], |row| row.get(0))?,
        })
    }

    /// Commits the rows and applies the remaining migrations.
    pub(crate) async fn finish(self) -> Result<(), StoreError> {
        let runner = runner_up_to(newest_migration())?;
        match self.target {
            Target::Postgres(mut session) => {
                session.batch_execute("COMMIT").await?;
                runner.run_async(&mut *session).await?;
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
