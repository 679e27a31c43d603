//! Limits the number of connections for each kind of work, so that other work always finds one.
//!
//! When another session locks a table, all statements on that table wait. Without shares they would take all
//! connections, and statements on other tables would wait too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::StoreError;
use super::limit::{Limit, Permit};

/// The permits for writes, and those for each table.
#[derive(Clone)]
pub(super) struct Shares {
    writes: Arc<Limit>,
    tables: Arc<Mutex<Tables>>,
}

struct Tables {
    /// The number of permits for each table.
    size: usize,
    /// The limit of each table by its name; the names come from our own statements.
    limits: HashMap<String, Arc<Limit>>,
}

/// The kind of work that needs a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Write,
}

/// The permits that one statement or transaction uses.
pub(super) struct Permits {
    _table: Permit,
    _write: Option<Permit>,
}

impl Shares {
    /// Divides `connections`: a quarter is reserved for reads, and statements on one table use at most half.
    pub(super) fn new(connections: usize) -> Self {
        let tables = Tables { size: for_each_table(connections), limits: HashMap::new() };
        Self { writes: Arc::new(Limit::new(for_writes(connections))), tables: Arc::new(Mutex::new(tables)) }
    }

    /// Divides a new number of connections. Work that has a permit keeps it.
    pub(super) fn resize(&self, connections: usize) {
        self.writes.resize(for_writes(connections));
        let mut tables = self.lock();
        tables.size = for_each_table(connections);
        tables.limits.values().for_each(|limit| limit.resize(tables.size));
    }

    /// Waits for the permits that this kind of work needs. It uses no connection while it waits.
    pub(super) async fn enter(&self, kind: Kind, sql: &str) -> Result<Permits, StoreError> {
        let table = self.table(table_of(sql)).enter().await?;
        let write = match kind {
            Kind::Read => None,
            Kind::Write => Some(self.writes.clone().enter().await?),
        };
        Ok(Permits { _table: table, _write: write })
    }

    fn table(&self, name: &str) -> Arc<Limit> {
        let mut tables = self.lock();
        if let Some(known) = tables.limits.get(name) {
            return known.clone();
        }
        let made = Arc::new(Limit::new(tables.size));
        tables.limits.insert(name.to_owned(), made.clone());
        made
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the number of connections for writes: all but those reserved for reads. Reads and writes share a single one.
fn for_writes(connections: usize) -> usize {
    let for_reads = if connections > 1 { (connections / 4).max(1) } else { 0 };
    connections - for_reads
}

fn for_each_table(connections: usize) -> usize {
    (connections / 2).max(1)
}

/// Returns the first table that a statement names, or the empty string.
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

    /// Returns the number of free permits for reads of one table, and for writes.
    fn free(shares: &Shares) -> (usize, usize) {
        let enter = |kind, sql: &str| shares.enter(kind, sql).now_or_never();
        let reads: Vec<_> = std::iter::from_fn(|| enter(Kind::Read, "SELECT 1 FROM users")).collect();
        let reads = reads.len();
        let writes = (0..1000).map_while(|at| enter(Kind::Write, &format!("UPDATE table{}", at % 50)));
        (reads, writes.collect::<Vec<_>>().len())
    }

    #[test]
    fn a_table_and_writes_leave_connections_for_the_rest() {
        let resized = Shares::new(20);
        for (connections, of_table, writes) in [(1, 1, 1), (2, 1, 1), (4, 2, 3), (100, 50, 75), (1, 1, 1)] {
            assert_eq!(free(&Shares::new(connections)), (of_table, writes));
            resized.resize(connections);
            assert_eq!(free(&resized), (of_table, writes));
        }
    }

    #[test]
    fn permits_that_are_held_are_not_given_out_again_while_there_are_too_many() {
        let shares = Shares::new(20);
        let enter = || shares.enter(Kind::Write, "UPDATE users").now_or_never();
        let mut held: Vec<_> = std::iter::from_fn(enter).collect();
        assert_eq!(held.len(), 10);
        shares.resize(4);
        held.truncate(2);
        assert!(enter().is_none());
        held.truncate(1);
        assert_eq!(std::iter::from_fn(enter).collect::<Vec<_>>().len(), 1);
        held.clear();
        assert_eq!(free(&shares), (2, 3));
        shares.resize(20);
        assert_eq!(free(&shares), (10, 15));
    }
}
