//! A snapshot of the database at one moment. Servers keep writing, and the snapshot does not change.

use std::pin::pin;

use futures_util::TryStreamExt;
use rusqlite::Connection;

use super::super::postgres::{Session, decode};
use super::super::sqlite::read_row;
use super::super::{Db, Engine, MIGRATIONS_TABLE, Row, StoreError, Value};
use super::{TRANSIENT, Table, listed, quoted};

/// A reading transaction. It contains everything that was committed before it began.
pub(crate) struct Snapshot {
    pub(super) source: Source,
}

pub(super) enum Source {
    Postgres(Session),
    Sqlite(Connection),
}

impl Db {
    /// Begins a snapshot. It takes no lock that blocks writers.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let source = match &self.engine {
            Engine::Postgres(postgres) => {
                let session = postgres.session().await?;
                session.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
                Source::Postgres(session)
            }
            Engine::Sqlite(sqlite) => {
                let connection = sqlite.open_to_copy()?;
                connection.execute_batch("BEGIN")?;
                Source::Sqlite(connection)
            }
        };
        Ok(Snapshot { source })
    }
}

impl Snapshot {
    /// Fixes the moment of the snapshot, as its first statement does. The database may be one with the tables of the
    /// configuration only.
    pub(crate) async fn fix_moment(&mut self) -> Result<(), StoreError> {
        self.each("SELECT 1", &mut |_| Ok(())).await
    }

    /// Returns the applied migrations, oldest first.
    pub(crate) async fn schema(&mut self) -> Result<Vec<(i64, String)>, StoreError> {
        let mut schema = Vec::new();
        let sql = format!("SELECT version, name FROM {MIGRATIONS_TABLE} ORDER BY version");
        self.each(&sql, &mut |mut row| {
            schema.push((row.int()?, row.text()?));
            Ok(())
        })
        .await?;
        Ok(schema)
    }

    /// Returns true if the database has this table.
    pub(crate) async fn has(&mut self, table: &Table) -> Result<bool, StoreError> {
        let sql = match &self.source {
            Source::Postgres(_) => {
                "SELECT tablename::text FROM pg_tables WHERE schemaname = ANY (current_schemas(false))"
            }
            Source::Sqlite(_) => "SELECT name FROM sqlite_master WHERE type = 'table'",
        };
        let mut is_there = false;
        self.each(sql, &mut |mut row| {
            is_there |= row.text()? == table.name;
            Ok(())
        })
        .await?;
        Ok(is_there)
    }

    /// Calls `take` with each row of a table. Skips the rows that belong to a running server.
    pub(crate) async fn rows(
        &mut self,
        table: &Table,
        take: &mut dyn FnMut(Vec<Value>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let sql = format!("SELECT {} FROM {}", listed(table), quoted(&table.name));
        let is_of_server = |columns: &[Value]| {
            let name = columns.first().filter(|_| table.name == "systems");
            matches!(name, Some(Value::Text(name)) if TRANSIENT.iter().any(|known| name.starts_with(known)))
        };
        self.each(&sql, &mut |row| {
            let columns: Vec<Value> = row.into_columns();
            if is_of_server(&columns) { Ok(()) } else { take(columns) }
        })
        .await
    }

    async fn each(&mut self, sql: &str, take: &mut dyn FnMut(Row) -> Result<(), StoreError>) -> Result<(), StoreError> {
        match &mut self.source {
            Source::Postgres(session) => {
                let none: [&Value; 0] = [];
                let mut rows = pin!(session.query_raw(sql, none).await?);
                while let Some(row) = rows.try_next().await? {
                    take(decode(&row)?)?;
                }
            }
            Source::Sqlite(connection) => {
                let mut prepared = connection.prepare(sql)?;
                let width = prepared.column_count();
                let mut rows = prepared.raw_query();
                while let Some(row) = rows.next()? {
                    take(read_row(row, width)?)?;
                }
            }
        }
        Ok(())
    }
}
