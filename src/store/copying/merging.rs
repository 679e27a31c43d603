//! Adds rows to a database with rows, or compares them with its rows, in one transaction.

use quarterdeck_actors::audit::AuditRecord;

use super::super::audits::opening;
use super::super::engine::LOCK_KEY;
use super::super::sqlite::run;
use super::super::{Db, Engine, Row, Statement, StoreError, Value, portions, statement, tuples};
use super::batches::rows_of;
use super::loading::Target;
use super::{Load, Table, listed, quoted};

/// The time for which a merge waits for the locks of tables that other sessions write to.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = 5000";

/// The maximum number of rows in one statement.
const MAX_ROWS: usize = 128;

/// That maximum on the embedded engine, which looks each parameter up in a list of all.
const MAX_ROWS_EMBEDDED: usize = 8;

impl Db {
    /// Begins to compare rows with those of this database, which is only read.
    pub(crate) async fn begin_comparison(&self) -> Result<Load, StoreError> {
        let target = match &self.engine {
            Engine::Postgres(postgres) => {
                let session = postgres.session().await?;
                session.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
                Target::Postgres(session)
            }
            Engine::Sqlite(sqlite) => {
                let connection = sqlite.open_to_copy()?;
                connection.execute_batch("BEGIN")?;
                Target::Sqlite(connection)
            }
        };
        Ok(Load { target })
    }

    /// Begins to add rows to the tables. Until the end no other session writes to them, and no server starts on the
    /// database. The caller has closed this handle on the embedded engine, where a server that runs is refused.
    pub(crate) async fn begin_merge(&self, tables: &[&Table]) -> Result<Load, StoreError> {
        let target = match &self.engine {
            Engine::Postgres(postgres) => {
                let session = postgres.session().await?;
                session.execute("SELECT pg_advisory_lock($1)", &[&LOCK_KEY]).await?;
                session.batch_execute(&format!("BEGIN; {LOCK_TIMEOUT}")).await?;
                for table in tables {
                    let lock = format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", quoted(&table.name));
                    session.batch_execute(&lock).await?;
                }
                Target::Postgres(session)
            }
            Engine::Sqlite(sqlite) => Target::Sqlite(sqlite.open_alone()?),
        };
        Ok(Load { target })
    }
}

impl Load {
    /// Runs a statement in the transaction and returns its rows.
    pub(crate) async fn query(&mut self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        match &mut self.target {
            Target::Postgres(session) => rows_of(session, &statement).await,
            Target::Sqlite(connection) => run(connection, &statement),
        }
    }

    /// Returns the rows that have one of these values in a column.
    pub(crate) async fn rows_with(
        &mut self,
        table: &Table,
        column: &str,
        values: Vec<String>,
    ) -> Result<Vec<Vec<Value>>, StoreError> {
        let sql = format!("SELECT {} FROM {} WHERE {} = ANY ($1)", listed(table), quoted(&table.name), quoted(column));
        let rows = self.query(statement(sql, vec![Value::Texts(values)])).await?;
        Ok(rows.into_iter().map(Row::into_columns).collect())
    }

    /// Inserts rows. A row with the same values in the columns `keys` is replaced.
    pub(crate) async fn upsert(&mut self, table: &Table, keys: &[&str], rows: &[Vec<Value>]) -> Result<(), StoreError> {
        let others = table.columns.iter().filter(|column| !keys.contains(&column.name.as_str()));
        let set = in_list(others.map(|column| format!("{0} = excluded.{0}", quoted(&column.name))));
        let keys = in_list(keys.iter().map(|key| quoted(key)));
        let (name, columns, width) = (quoted(&table.name), listed(table), table.columns.len());
        let change = if set.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {set}") };
        let max = match self.target {
            Target::Postgres(_) => MAX_ROWS,
            Target::Sqlite(_) => MAX_ROWS_EMBEDDED,
        };
        for rows in portions(rows, max) {
            let tuples = tuples(rows.len(), width);
            let sql = format!("INSERT INTO {name} ({columns}) VALUES {tuples} ON CONFLICT ({keys}) DO {change}");
            self.query(statement(sql, rows.iter().flatten().cloned().collect())).await?;
        }
        Ok(())
    }

    /// Stores the draft of the audit record of this transaction.
    pub(crate) async fn store_draft(&mut self, record: &AuditRecord) -> Result<(), StoreError> {
        self.query(opening(record)?).await.map(drop)
    }

    /// Commits the rows.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        match self.target {
            Target::Postgres(session) => Ok(session.batch_execute("COMMIT").await?),
            Target::Sqlite(connection) => {
                connection.execute_batch("COMMIT")?;
                connection.close().map_err(|(_, cause)| cause.into())
            }
        }
    }
}

/// Returns names as a list in a statement.
fn in_list(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
