//! Reads the tables of a snapshot in batches, so that a reader of many rows can wait for their writer.

use super::super::postgres::{Session, decode};
use super::super::sqlite::run;
use super::super::{Row, Statement, StoreError, Value, statement};
use super::snapshot::Source;
use super::{Snapshot, Table, listed, quoted};

/// The cursor on PostgreSQL. One table is read at a time.
const CURSOR: &str = "qd_rows";

/// The place in a table up to which its rows were read.
#[derive(Debug, Default)]
pub(crate) struct Position {
    is_open: bool,
    is_at_end: bool,
    /// The number of the last row on the embedded engine.
    row: i64,
}

impl Snapshot {
    /// Returns the next rows of a table, at most `size`; no rows at its end.
    pub(crate) async fn batch(
        &mut self,
        table: &Table,
        position: &mut Position,
        size: usize,
    ) -> Result<Vec<Vec<Value>>, StoreError> {
        if position.is_at_end {
            return Ok(Vec::new());
        }
        let (columns, name) = (listed(table), quoted(&table.name));
        let rows: Vec<Vec<Value>> = match &mut self.source {
            Source::Postgres(session) => {
                if !position.is_open {
                    let declare = format!("DECLARE {CURSOR} NO SCROLL CURSOR FOR SELECT {columns} FROM {name}");
                    session.batch_execute(&declare).await?;
                    position.is_open = true;
                }
                let fetched = session.query(&*format!("FETCH FORWARD {size} FROM {CURSOR}"), &[]).await?;
                if fetched.len() < size {
                    session.batch_execute(&format!("CLOSE {CURSOR}")).await?;
                }
                fetched.iter().map(|row| Ok(decode(row)?.into_columns())).collect::<Result<_, StoreError>>()?
            }
            Source::Sqlite(connection) => {
                let limit = i64::try_from(size).unwrap_or(i64::MAX);
                let sql = format!("SELECT rowid, {columns} FROM {name} WHERE rowid > $1 ORDER BY rowid LIMIT $2");
                let mut rows = Vec::new();
                for mut row in run(connection, &statement(sql, vec![position.row.into(), limit.into()]))? {
                    position.row = row.int()?;
                    rows.push(row.into_columns());
                }
                rows
            }
        };
        position.is_at_end = rows.len() < size;
        Ok(rows)
    }

    /// Runs a statement that reads, in this snapshot.
    pub(crate) async fn query(&mut self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        match &mut self.source {
            Source::Postgres(session) => rows_of(session, &statement).await,
            Source::Sqlite(connection) => run(connection, &statement),
        }
    }
}

/// Returns the rows of a statement on a connection for long work.
pub(super) async fn rows_of(session: &mut Session, statement: &Statement) -> Result<Vec<Row>, StoreError> {
    session.rows(&statement.sql, &statement.values).await?.iter().map(decode).collect()
}
