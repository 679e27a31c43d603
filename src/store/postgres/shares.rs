//! How many connections one kind of work may hold, so that the rest is left for others.
//!
//! A table that another session has locked keeps every statement about it waiting. Without shares those statements would
//! hold all connections, and what has nothing to do with the table would wait as well.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::super::StoreError;

/// Permits for writes, and for each table.
#[derive(Clone)]
pub(super) struct Shares {
    writes: Arc<Semaphore>,
    for_each_table: usize,
    /// By the name of a table; the names are those of our own statements.
    tables: Arc<Mutex<HashMap<String, Arc<Semaphore>>>>,
}

/// The kind of work that a connection is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Write,
}

/// The permits that one piece of work holds.
pub(super) struct Permits {
    _table: OwnedSemaphorePermit,
    _write: Option<OwnedSemaphorePermit>,
}

impl Shares {
    /// Divides `connections`: a quarter is left for reads, and statements about one table hold at most half.
    pub(super) fn new(connections: usize) -> Self {
        let for_reads = if connections > 1 { (connections / 4).max(1) } else { 0 };
        Self {
            writes: Arc::new(Semaphore::new(connections - for_reads)),
            for_each_table: (connections / 2).max(1),
            tables: Arc::default(),
        }
    }

    /// Waits for the permits of such work. Work that waits holds no connection.
    pub(super) async fn enter(&self, kind: Kind, sql: &str) -> Result<Permits, StoreError> {
        let closed = |_| StoreError::Unavailable("the database is being closed".to_owned());
        let table = self.table(table_of(sql)).acquire_owned().await.map_err(closed)?;
        let write = match kind {
            Kind::Read => None,
            Kind::Write => Some(self.writes.clone().acquire_owned().await.map_err(closed)?),
        };
        Ok(Permits { _table: table, _write: write })
    }

    fn table(&self, name: &str) -> Arc<Semaphore> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = tables.get(name) {
            return known.clone();
        }
        let made = Arc::new(Semaphore::new(self.for_each_table));
        tables.insert(name.to_owned(), made.clone());
        made
    }
}

/// The first table that a statement names; empty when it names none.
fn table_of(sql: &str) -> &str {
    let mut words = sql.split_whitespace();
    let named = words.by_ref().find(|word| ["FROM", "INTO", "UPDATE"].contains(word)).and_then(|_| words.next());
    named.unwrap_or_default().trim_end_matches([',', ';', ')'])
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_statement_is_known_by_its_first_table() {
        for (sql, table) in [
            ("SELECT a, b FROM users u LEFT JOIN bots b ON b.userid = u.id", "users"),
            ("INSERT INTO preferences (userid) SELECT u.id FROM users u", "preferences"),
            ("UPDATE sessions SET roles = $2", "sessions"),
            ("DELETE FROM status WHERE userid = $1", "status"),
            ("SELECT 1", ""),
        ] {
            assert_eq!(table_of(sql), table, "{sql}");
        }
    }

    #[test]
    fn a_table_and_writes_leave_connections_for_the_rest() {
        for (connections, of_table, writes) in [(1, 1, 1), (2, 1, 1), (4, 2, 3), (100, 50, 75)] {
            let shares = Shares::new(connections);
            let enter = |kind, sql: &str| shares.enter(kind, sql).now_or_never();
            let mut held: Vec<_> = std::iter::from_fn(|| enter(Kind::Read, "SELECT 1 FROM users")).collect();
            assert_eq!(held.len(), of_table);
            held.clear();
            let writes_held = (0..1000).map_while(|at| enter(Kind::Write, &format!("UPDATE table{}", at % 50)));
            assert_eq!(writes_held.collect::<Vec<_>>().len(), writes);
        }
    }
}
